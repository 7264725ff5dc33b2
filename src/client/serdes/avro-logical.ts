/** Avro's logical types: what the values underneath mean. */

/** Between the value of a logical type in the program and the Avro value underneath. */
export interface AvroConverter {
  /** `attributes` are those of the schema: `precision`, `scale`, and so on. A long underneath is a number. */
  readonly read: (value: unknown, attributes: Readonly<Record<string, unknown>>) => unknown
  /** Undefined, or an error: the value is none of this type. */
  readonly write: (value: unknown, attributes: Readonly<Record<string, unknown>>) => unknown
}

const DAY_MS = 86_400_000

const milliseconds: AvroConverter = {
  read: (value) => new Date(Number(value)),
  write: (value) => (isDate(value) ? value.getTime() : undefined),
}

/** Microseconds do not fit into a `Date`: what is below a millisecond would be lost, so they stay numbers. */
const days: AvroConverter = {
  read: (value) => new Date(Number(value) * DAY_MS),
  write: (value) => (isDate(value) ? Math.floor(value.getTime() / DAY_MS) : undefined),
}

const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?$/

/** Exact, as text: `'12.50'` is 1250 with scale 2, two's complement, big-endian. */
const decimal: AvroConverter = {
  read: (value, { scale }) => decimalText(signedOf(value as Uint8Array), Number(scale ?? 0)),
  write: (value, attributes) => {
    const unscaled = unscaledOf(value, Number(attributes.scale ?? 0), Number(attributes.precision ?? 0))
    if (unscaled === undefined) return undefined
    return bytesOf(unscaled, attributes.type === 'fixed' ? Number(attributes.size) : null)
  },
}

export const BUILT_IN_CONVERTERS: Readonly<Record<string, AvroConverter>> = {
  'timestamp-millis': milliseconds,
  'local-timestamp-millis': milliseconds,
  date: days,
  decimal,
}

function isDate(value: unknown): value is Date {
  return value instanceof Date && !Number.isNaN(value.getTime())
}

function decimalText(unscaled: bigint, scale: number): string {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0')
  const sign = unscaled < 0n ? '-' : ''
  if (scale === 0) return sign + digits
  return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

/** Undefined if the text is no number, has more places than the scale, or more digits than the precision. */
function unscaledOf(value: unknown, scale: number, precision: number): bigint | undefined {
  const match = typeof value === 'string' ? DECIMAL.exec(value) : null
  const [, sign = '', whole = '', fraction = ''] = match ?? []
  if (match === null || fraction.length > scale) return undefined
  const magnitude = BigInt(whole + fraction.padEnd(scale, '0'))
  if (precision > 0 && magnitude.toString().length > precision) return undefined
  return sign === '-' ? -magnitude : magnitude
}

function signedOf(bytes: Uint8Array): bigint {
  if (bytes.length === 0) return 0n
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${hex}`))
}

/** As few bytes as hold the number with its sign, or exactly `size`; undefined if it does not fit. */
function bytesOf(value: bigint, size: number | null): Buffer | undefined {
  let length = size ?? 1
  if (size === null) while (BigInt.asIntN(length * 8, value) !== value) length++
  else if (BigInt.asIntN(length * 8, value) !== value) return undefined
  const hex = BigInt.asUintN(length * 8, value).toString(16)
  return Buffer.from(hex.padStart(length * 2, '0'), 'hex')
}
