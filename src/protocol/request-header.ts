// The header in front of every request, as a broker reads it. It takes the table of all messages, which a client has no use for.

import { MESSAGES } from './messages/index.ts'
import type { Reader } from './reader.ts'
import { isFlexible } from './schema.ts'

export interface RequestHeader {
  readonly apiKey: number
  readonly apiVersion: number
  readonly correlationId: number
  readonly clientId: string | null
}

/** Reads the header; the reader then stands at the body. For a key that Samsa does not know it stops before the tags. */
export function decodeRequestHeader(reader: Reader): RequestHeader {
  const apiKey = reader.int16()
  const apiVersion = reader.int16()
  const correlationId = reader.int32()
  const clientId = reader.nullableString()
  const message = MESSAGES.get(apiKey)
  if (message !== undefined && isFlexible(message.request, apiVersion)) reader.skipTaggedFields()
  return { apiKey, apiVersion, correlationId, clientId }
}
