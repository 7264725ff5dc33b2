/*
 * What the machine gives a broker that does nothing: bytes from loopback into the page cache and back. One thread for each
 * connection. A connection whose first request is a Fetch (API key 1) gets ranges of a file by sendfile; any other has
 * what it sends appended to a preallocated file, as it comes, and every request answered with zeros, which is success.
 *
 * Compiled in the process by the runtime's own compiler, on machines without one: so there are no headers, and what is
 * called is declared here. Linux, little endian, 64 bit.
 */
typedef unsigned char byte;
typedef unsigned long size;

struct address {
  unsigned short family;
  unsigned short port;
  unsigned int host;
  byte unused[8];
};

extern int socket(int domain, int type, int protocol);
extern int setsockopt(int fd, int level, int name, const void *value, unsigned length);
extern int bind(int fd, const struct address *address, unsigned length);
extern int listen(int fd, int backlog);
extern int accept(int fd, void *address, void *length);
extern int getsockname(int fd, struct address *address, unsigned *length);
extern long recv(int fd, void *buffer, size length, int flags);
extern long send(int fd, const void *buffer, size length, int flags);
extern long write(int fd, const void *buffer, size length);
extern long sendfile(int socket, int file, long *offset, size length);
extern int open(const char *path, int flags, int mode);
extern int close(int fd);
extern int unlink(const char *path);
extern int ftruncate(int fd, long length);
extern long lseek(int fd, long offset, int whence);
extern int fallocate(int fd, int mode, long offset, long length);
extern int snprintf(char *buffer, size length, const char *format, ...);
extern void *malloc(size length);
extern void *calloc(size count, size length);
extern void free(void *memory);
extern int pthread_create(unsigned long *thread, const void *attributes, void *(*run)(void *), void *argument);
extern int pthread_detach(unsigned long thread);
extern void *signal(int number, void *handler);

enum {
  READ_BYTES = 1 << 20,
  /* A Fetch up to its largest size, with the generator's client id. */
  HEAD_BYTES = 64,
  /* No generator has more requests under way on one connection; one that had would be hung up on. */
  ANSWERS_PER_WRITE_MAX = 4096,
  /* Zeros that a Produce answer and the head of a Fetch answer consist of: longer than what the generator looks at. */
  PRODUCE_ANSWER_BYTES = 96,
  FETCH_HEAD_BYTES = 128,
  O_RDWR_CREATE_TRUNCATE = 02 | 0100 | 01000,
  KEEP_SIZE = 1,
  MORE_NO_SIGNAL = 0x8000 | 0x4000,
  NO_SIGNAL = 0x4000
};
static const long LOG_BYTES = 4L << 30;
/* Reserved at a time: a hundred connections must not reserve the disk. */
static const long RESERVED_BYTES = 16L << 20;
static const long FETCH_FILE_BYTES = 512L << 20;

static int listener = -1;
static int fetch_file = -1;
static char folder[4096];

static unsigned big_endian(const byte *at) {
  return (unsigned)at[0] << 24 | (unsigned)at[1] << 16 | (unsigned)at[2] << 8 | at[3];
}

static void put_big_endian(byte *at, unsigned value) {
  at[0] = value >> 24;
  at[1] = value >> 16;
  at[2] = value >> 8;
  at[3] = value;
}

static int send_all(int fd, const byte *bytes, size length, int flags) {
  while (length > 0) {
    long sent = send(fd, bytes, length, flags);
    if (sent <= 0) return 0;
    bytes += sent;
    length -= sent;
  }
  return 1;
}

static int write_all(int fd, const byte *bytes, size length) {
  while (length > 0) {
    long written = write(fd, bytes, length);
    if (written <= 0) return 0;
    bytes += written;
    length -= written;
  }
  return 1;
}

/* Start of a frame that is being received, and how much of it is still to come. */
struct frame {
  byte head[HEAD_BYTES];
  unsigned head_filled;
  unsigned long missing;
};

/* Fetch v11: size 4, key 2, version 2, correlation 4, client id 2 + n, replica 4, wait 4, min 4, max bytes 4. */
static unsigned fetch_max_bytes(const byte *head) {
  unsigned client_id = (unsigned)head[12] << 8 | head[13];
  return big_endian(head + 14 + client_id + 12);
}

static int answer_fetch(int fd, const byte *head, long *position) {
  byte answer[4 + FETCH_HEAD_BYTES] = {0};
  unsigned length = fetch_max_bytes(head);
  if (length > FETCH_FILE_BYTES) return 0;
  if (*position + length > FETCH_FILE_BYTES) *position = 0;
  put_big_endian(answer, FETCH_HEAD_BYTES + length);
  if (!send_all(fd, answer, sizeof answer, MORE_NO_SIGNAL)) return 0;
  while (length > 0) {
    long sent = sendfile(fd, fetch_file, position, length);
    if (sent <= 0) return 0;
    length -= sent;
  }
  return 1;
}

/* Takes up to `length` bytes of the current frame; tells how many, and whether the frame is complete. */
static size take(struct frame *frame, const byte *bytes, size length, int *complete) {
  size used = 0;
  while (frame->head_filled < 4 && used < length) {
    frame->head[frame->head_filled++] = bytes[used++];
    if (frame->head_filled == 4) frame->missing = big_endian(frame->head);
  }
  if (frame->head_filled >= 4) {
    size here = length - used < frame->missing ? length - used : frame->missing;
    size i;
    for (i = 0; i < here && frame->head_filled < HEAD_BYTES; i++) frame->head[frame->head_filled++] = bytes[used + i];
    frame->missing -= here;
    used += here;
  }
  *complete = frame->head_filled >= 4 && frame->missing == 0;
  return used;
}

/* A log, written from its start to LOG_BYTES and then anew. */
struct log {
  int fd;
  long end;
  long reserved;
};

static int empty(struct log *log) {
  log->end = 0;
  log->reserved = 0;
  return ftruncate(log->fd, 0) == 0 && lseek(log->fd, 0, 0) == 0;
}

/* A log grows as that of a broker does, until it, or the disk, is full. */
static int append(struct log *log, const byte *bytes, size length) {
  if (log->end + (long)length > LOG_BYTES && !empty(log)) return 0;
  log->end += length;
  while (log->reserved < log->end) {
    /* Only speed: a file system that cannot reserve writes all the same. */
    fallocate(log->fd, KEEP_SIZE, log->reserved, RESERVED_BYTES);
    log->reserved += RESERVED_BYTES;
  }
  if (write_all(log->fd, bytes, length)) return 1;
  return empty(log) && write_all(log->fd, bytes, length);
}

static int is_fetch(const struct frame *frame) { return frame->head[4] == 0 && frame->head[5] == 1; }

static void converse(int fd, int log_fd, byte *buffer, byte *answers) {
  struct frame frame = {0};
  struct log log = {log_fd, 0, 0};
  long position = 0;
  for (;;) {
    long received = recv(fd, buffer, READ_BYTES, 0);
    size at = 0;
    size count = 0;
    int fetching = 0;
    if (received <= 0) return;
    while (at < (size)received) {
      int complete = 0;
      at += take(&frame, buffer + at, received - at, &complete);
      fetching = frame.head_filled >= 6 && is_fetch(&frame);
      if (!complete) break;
      if (fetching) {
        if (!answer_fetch(fd, frame.head, &position)) return;
      } else if (++count > ANSWERS_PER_WRITE_MAX) {
        return;
      }
      frame.head_filled = 0;
    }
    if (fetching) continue;
    if (!append(&log, buffer, received)) return;
    if (count > 0 && !send_all(fd, answers, count * (4 + PRODUCE_ANSWER_BYTES), NO_SIGNAL)) return;
  }
}

static void *serve_connection(void *argument) {
  int fd = (int)(long)argument;
  int one = 1;
  char path[4200];
  byte *buffer = malloc(READ_BYTES);
  byte *answers = malloc(ANSWERS_PER_WRITE_MAX * (4 + PRODUCE_ANSWER_BYTES));
  int log;
  int i;
  setsockopt(fd, 6, 1, &one, sizeof one);
  snprintf(path, sizeof path, "%s/%d.log", folder, fd);
  log = open(path, O_RDWR_CREATE_TRUNCATE, 0600);
  for (i = 0; answers && i < ANSWERS_PER_WRITE_MAX * (4 + PRODUCE_ANSWER_BYTES); i++) answers[i] = 0;
  for (i = 0; answers && i < ANSWERS_PER_WRITE_MAX; i++) {
    put_big_endian(answers + i * (4 + PRODUCE_ANSWER_BYTES), PRODUCE_ANSWER_BYTES);
  }
  if (buffer && answers && log >= 0) converse(fd, log, buffer, answers);
  unlink(path);
  close(log);
  close(fd);
  free(buffer);
  free(answers);
  return 0;
}

static int make_fetch_file(void) {
  char path[4200];
  byte *buffer = calloc(1, READ_BYTES);
  long written;
  snprintf(path, sizeof path, "%s/fetch.log", folder);
  fetch_file = open(path, O_RDWR_CREATE_TRUNCATE, 0600);
  if (!buffer || fetch_file < 0) return 0;
  for (written = 0; written < FETCH_FILE_BYTES; written += READ_BYTES) {
    if (!write_all(fetch_file, buffer, READ_BYTES)) return 0;
  }
  free(buffer);
  return 1;
}

/* The port on 127.0.0.1 that it listens on, or -1. */
int machine_limit_listen(const char *data_folder) {
  struct address address = {0};
  unsigned length = sizeof address;
  snprintf(folder, sizeof folder, "%s", data_folder);
  signal(13, (void *)1); /* SIGPIPE is ignored: sendfile has no flag for it. */
  if (!make_fetch_file()) return -1;
  listener = socket(2, 1, 0);
  address.family = 2;
  address.host = 0x0100007f;
  if (listener < 0 || bind(listener, &address, sizeof address) != 0) return -1;
  if (listen(listener, 1024) != 0 || getsockname(listener, &address, &length) != 0) return -1;
  return (address.port & 0xff) << 8 | address.port >> 8;
}

/* Does not return while the listener lives. */
int machine_limit_serve(void) {
  for (;;) {
    unsigned long thread;
    int fd = accept(listener, 0, 0);
    if (fd < 0) return -1;
    if (pthread_create(&thread, 0, serve_connection, (void *)(long)fd) != 0) close(fd);
    else pthread_detach(thread);
  }
}
