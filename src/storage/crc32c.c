// CRC-32C with the processor's own instruction, for x86-64 with SSE 4.2. The instruction takes three cycles and one can begin in each, so
// three stretches of a block are summed side by side; their sums are then joined by tables that shift one past the bytes of the next
// stretch. The method is Mark Adler's and Intel's ("Fast CRC Computation for iSCSI Polynomial Using CRC32 Instruction", 2011).
// Compiled when it is first needed, by the compiler inside the runtime, which knows no intrinsics: hence the instructions in bytes.

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define POLYNOMIAL 0x82f63b78u
#define STRETCH 4096

static u32 past_stretch[4][256];
static int has_tables = 0;

static u32 multiply(const u32 *matrix, u32 vector) {
  u32 sum = 0;
  for (; vector != 0; vector >>= 1, matrix++)
    if (vector & 1) sum ^= *matrix;
  return sum;
}

// The matrix for one zero bit, squared until it stands for STRETCH zero bytes.
static void make_tables(void) {
  u32 matrix[32], squared[32];
  u32 bits, n, k;
  matrix[0] = POLYNOMIAL;
  for (n = 1; n < 32; n++) matrix[n] = 1u << (n - 1);
  for (bits = 1; bits < STRETCH * 8; bits *= 2) {
    for (n = 0; n < 32; n++) squared[n] = multiply(matrix, matrix[n]);
    for (n = 0; n < 32; n++) matrix[n] = squared[n];
  }
  for (n = 0; n < 256; n++)
    for (k = 0; k < 4; k++) past_stretch[k][n] = multiply(matrix, n << (8 * k));
  has_tables = 1;
}

static u32 shifted(u32 crc) {
  return past_stretch[0][crc & 255] ^ past_stretch[1][(crc >> 8) & 255] ^ past_stretch[2][(crc >> 16) & 255] ^
         past_stretch[3][crc >> 24];
}

// The CRC of `length` bytes at `bytes`, going on from `initial`, the CRC of what came before (0 for nothing).
u32 crc32c(const u8 *bytes, int length, u32 initial) {
  u64 first = (u32)~initial, count;
  u32 crc, bit;
  if (!has_tables) make_tables();
  for (; length >= 3 * STRETCH; length -= 3 * STRETCH) {
    u64 second = 0, third = 0;
    count = STRETCH / 8;
    __asm__ volatile(
        "1:\n"
        ".byte 0xf2,0x48,0x0f,0x38,0xf1,0x06\n"                      // crc32q (%rsi), %rax
        ".byte 0xf2,0x48,0x0f,0x38,0xf1,0x8e,0x00,0x10,0x00,0x00\n"  // crc32q 4096(%rsi), %rcx
        ".byte 0xf2,0x48,0x0f,0x38,0xf1,0x96,0x00,0x20,0x00,0x00\n"  // crc32q 8192(%rsi), %rdx
        "addq $8, %%rsi\n"
        "subq $1, %%rdi\n"
        "jnz 1b\n"
        : "+a"(first), "+c"(second), "+d"(third), "+S"(bytes), "+D"(count)
        :
        : "memory", "cc");
    first = shifted((u32)first) ^ (u32)second;
    first = shifted((u32)first) ^ (u32)third;
    bytes += 2 * STRETCH;
  }
  count = length / 8;
  if (count != 0)
    __asm__ volatile(
        "1:\n"
        ".byte 0xf2,0x48,0x0f,0x38,0xf1,0x06\n"  // crc32q (%rsi), %rax
        "addq $8, %%rsi\n"
        "subq $1, %%rdi\n"
        "jnz 1b\n"
        : "+a"(first), "+S"(bytes), "+D"(count)
        :
        : "memory", "cc");
  crc = (u32)first;
  for (count = length & 7; count != 0; count--) {
    crc ^= *bytes++;
    for (bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ POLYNOMIAL : crc >> 1;
  }
  return ~crc;
}
