// Randomness as an argument.

export interface Random {
  /** Evenly spread over [0, 1). */
  next(): number
  /** A fresh UUID in Kafka's text form: 22 characters of URL-safe base64, never one of the low reserved ids, never beginning with '-'. */
  uuid(): string
}

const RESERVED_UUIDS = 100

/** Makes a UUID of 16 random bytes; null if it is one that must not be handed out. */
export function uuidFromBytes(bytes: Uint8Array): string | null {
  const uuid = Buffer.from(bytes)
  uuid[6] = ((uuid[6] ?? 0) & 0x0f) | 0x40
  uuid[8] = ((uuid[8] ?? 0) & 0x3f) | 0x80
  const text = uuid.toString('base64url')
  return text.startsWith('-') || isReservedUuid(uuid) ? null : text
}

/** The ids 0..99 are names with a meaning of their own (unknown, the metadata topic, lost and unassigned folders ...). */
export function isReservedUuid(uuid: Uint8Array): boolean {
  for (let index = 0; index < 15; index++) if (uuid[index] !== 0) return false
  return (uuid[15] ?? 0) < RESERVED_UUIDS
}
