// Property: whatever can be written in a version is read back the same, and writing what was read gives the same bytes.
// It complements the golden messages, which say that the bytes are Kafka's.

import { describe, expect, test } from 'bun:test'
import { decode, encode } from '../../src/protocol/codec.ts'
import { MESSAGES } from '../../src/protocol/messages/index.ts'
import { Reader } from '../../src/protocol/reader.ts'
import type { MessageSchema } from '../../src/protocol/schema.ts'
import { Writer } from '../../src/protocol/writer.ts'
import { Random } from '../support/random.ts'
import { expectedOf, randomMessage } from '../support/random-message.ts'

const VALUES_PER_VERSION = 6
const writer = new Writer()

function bytesOf(schema: MessageSchema, value: Record<string, unknown>, version: number): Buffer {
  encode(schema, writer, value, version)
  return Buffer.concat(writer.finish())
}

function versionsOf(schema: MessageSchema): number[] {
  const count = schema.versions.max - schema.versions.min + 1
  return Array.from({ length: count }, (_, index) => schema.versions.min + index)
}

describe('every message in every version', () => {
  for (const pair of MESSAGES.values()) {
    for (const schema of [pair.request, pair.response]) {
      test(`${schema.name} is read as it was written`, () => {
        const random = new Random(1000 * pair.key + (schema.type === 'request' ? 1 : 2))
        for (const version of versionsOf(schema)) {
          for (let round = 0; round < VALUES_PER_VERSION; round++) {
            const input = randomMessage(random, schema, version)
            const bytes = bytesOf(schema, input, version)

            const reader = new Reader([bytes])
            const decoded = decode(schema, reader, version)
            expect(reader.remaining).toBe(0)
            expect(decoded).toEqual(expectedOf(input, schema.fields, version))
            expect(Object.keys(decoded)).toEqual(Object.keys(schema.fields))
            expect(bytesOf(schema, decoded, version).equals(bytes)).toBe(true)

            const cut = random.below(bytes.length)
            const cutAgain = cut + random.below(bytes.length - cut)
            const chunks = [bytes.subarray(0, cut), bytes.subarray(cut, cutAgain), bytes.subarray(cutAgain)]
            const piecewise = decode(schema, new Reader(chunks), version)
            expect(bytesOf(schema, piecewise, version).equals(bytes)).toBe(true)
          }
        }
      })
    }
  }
})
