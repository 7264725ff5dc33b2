/**
 * The one look that the coordinator takes into the bytes of consumers: which topics a member subscribes to. OffsetDelete and
 * the expiry of offsets need it; a join or a sync never does.
 */
import { FieldReader, MalformedRecord } from './bytes.ts'

export const CONSUMER_PROTOCOL_TYPE = 'consumer'

/** Topic names of a consumer protocol subscription (versions 0-3; a newer one is read as 3), null if it is none. */
export function parseSubscribedTopics(metadata: Buffer): readonly string[] | null {
  try {
    const reader = new FieldReader(metadata)
    const version = reader.int16()
    if (version < 0) return null
    const topics: string[] = []
    for (let count = reader.count(reader.int32(), 2); count > 0; count--) topics.push(reader.string())
    reader.nullableBytes()
    // The rest is read only to see that it is there: a subscription that ends early is none.
    if (version >= 1) {
      for (let count = reader.count(reader.int32(), 6); count > 0; count--) {
        reader.string()
        for (let partitions = reader.count(reader.int32(), 4); partitions > 0; partitions--) reader.int32()
      }
    }
    if (version >= 2) reader.int32()
    if (version >= 3) reader.nullableString()
    return topics
  } catch (error) {
    if (error instanceof MalformedRecord) return null
    throw error
  }
}
