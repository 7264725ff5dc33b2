/** Binary values as numbers and text, by the pack strings of kcat's -s and rpk's {unpack[...]}: `>iq` are two big-endian integers. */

/** What a pack string makes of bytes; throws UnpackError where they do not fit. */
export type Unpacker = (bytes: Buffer) => string

export class UnpackError extends Error {
  override readonly name = 'UnpackError'
}

interface Field {
  readonly bytes: number
  read(bytes: Buffer, at: number, littleEndian: boolean): string
}

const FIELDS: Readonly<Record<string, Field>> = {
  b: { bytes: 1, read: (bytes, at) => String(bytes.readInt8(at)) },
  B: { bytes: 1, read: (bytes, at) => String(bytes.readUInt8(at)) },
  h: { bytes: 2, read: (bytes, at, little) => String(little ? bytes.readInt16LE(at) : bytes.readInt16BE(at)) },
  H: { bytes: 2, read: (bytes, at, little) => String(little ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at)) },
  i: { bytes: 4, read: (bytes, at, little) => String(little ? bytes.readInt32LE(at) : bytes.readInt32BE(at)) },
  I: { bytes: 4, read: (bytes, at, little) => String(little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at)) },
  q: { bytes: 8, read: (bytes, at, little) => String(little ? bytes.readBigInt64LE(at) : bytes.readBigInt64BE(at)) },
  Q: { bytes: 8, read: (bytes, at, little) => String(little ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at)) },
  c: { bytes: 1, read: (bytes, at) => bytes.toString('latin1', at, at + 1) },
}

const KNOWN = '< > b B h H i I q Q c s $'

/** The unpacker, or a sentence that says what is wrong with the pack string. */
export function parseUnpack(pack: string): Unpacker | string {
  if (pack === '') return `a pack string is empty; it is made of ${KNOWN}`
  for (const char of pack) {
    if (!('<>s$ '.includes(char) || char in FIELDS)) return `'${char}' in pack string '${pack}' is none of ${KNOWN}`
  }
  return (bytes) => unpack(pack, bytes)
}

/** Numbers are told apart by a space, as kcat does. */
function unpack(pack: string, bytes: Buffer): string {
  const shown: string[] = []
  let littleEndian = false
  let at = 0
  for (const char of pack) {
    if (char === ' ') continue
    else if (char === '<' || char === '>') littleEndian = char === '<'
    else if (char === 's') {
      shown.push(bytes.toString('utf8', at))
      at = bytes.length
    } else if (char === '$') {
      if (at < bytes.length) throw new UnpackError(`${bytes.length - at} bytes are left over after '${pack}'`)
    } else {
      const field = FIELDS[char]!
      if (at + field.bytes > bytes.length) {
        throw new UnpackError(`'${char}' of '${pack}' needs ${field.bytes} bytes, ${bytes.length - at} are left`)
      }
      shown.push(field.read(bytes, at, littleEndian))
      at += field.bytes
    }
  }
  return shown.join(' ')
}
