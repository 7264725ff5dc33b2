// Bytes from a stranger: whatever arrives as a request is decoded or is a ProtocolError, quickly, and nothing else
// happens. The inputs are valid requests with a few bytes changed, cut or inserted, since pure noise never gets far.
// SAMSA_FUZZ_ITERATIONS and SAMSA_FUZZ_SEED make longer and other runs; a failure prints what reproduces it.

import { expect, test } from 'bun:test'
import { decode, encode } from '../../src/protocol/codec.ts'
import { ProtocolError } from '../../src/protocol/errors.ts'
import { encodeRequestHeader, FrameReader } from '../../src/protocol/frame.ts'
import { MESSAGES } from '../../src/protocol/messages/index.ts'
import { Reader } from '../../src/protocol/reader.ts'
import { decodeRequestHeader } from '../../src/protocol/request-header.ts'
import { includes } from '../../src/protocol/schema.ts'
import { Writer } from '../../src/protocol/writer.ts'
import { Random } from '../support/random.ts'
import { randomMessage } from '../support/random-message.ts'

const ITERATIONS = Number(process.env.SAMSA_FUZZ_ITERATIONS ?? 6_000)
const SEED = Number(process.env.SAMSA_FUZZ_SEED ?? 42)
/** Of the processor's time, so that a busy machine does not matter. */
const SLOWEST_MICROS = 1_000_000
const PAIRS = [...MESSAGES.values()]
const NASTY = [0x00, 0x01, 0x7f, 0x80, 0xff]

function randomRequest(random: Random): Buffer {
  const { request, versions } = random.pick(PAIRS)
  const version = versions.min + random.below(versions.max - versions.min + 1)
  const writer = new Writer()
  encodeRequestHeader(writer, request, version, random.below(1e6), random.chance(0.2) ? null : 'fuzz')
  encode(request, writer, randomMessage(random, request, version), version)
  return Buffer.concat(writer.finish())
}

function mutated(random: Random, bytes: Buffer): Buffer {
  let result = Buffer.from(bytes)
  for (let count = random.below(4); count > 0 && result.length > 0; count--) {
    const at = random.below(result.length)
    switch (random.below(4)) {
      case 0:
        result[at] = random.below(256)
        break
      case 1:
        result.fill(random.pick(NASTY), at, Math.min(result.length, at + 1 + random.below(5)))
        break
      case 2:
        result = result.subarray(0, at)
        break
      default:
        result = Buffer.concat([result.subarray(0, at), Buffer.from([random.below(256)]), result.subarray(at)])
    }
  }
  return result
}

function chunked(random: Random, bytes: Buffer): Buffer[] {
  if (random.chance(0.5)) return [bytes]
  const at = random.below(bytes.length + 1)
  return [bytes.subarray(0, at), Buffer.alloc(0), bytes.subarray(at)]
}

/** Decodes as the broker does: header, then the body if key and version are served. */
function decodeRequest(chunks: Buffer[]): 'decoded' | 'not served' {
  const reader = new Reader(chunks)
  const header = decodeRequestHeader(reader)
  const message = MESSAGES.get(header.apiKey)
  if (message === undefined || !includes(message.versions, header.apiVersion)) return 'not served'
  decode(message.request, reader, header.apiVersion)
  return 'decoded'
}

test(
  'changed requests are decoded or refused, never anything else',
  () => {
    const outcomes = { decoded: 0, 'not served': 0, refused: 0 }
    for (let iteration = 0; iteration < ITERATIONS; iteration++) {
      const random = new Random(SEED * 1_000_003 + iteration)
      const bytes = mutated(random, randomRequest(random))
      const begin = process.cpuUsage()
      try {
        outcomes[decodeRequest(chunked(random, bytes))]++
      } catch (error) {
        const reproduce = `iteration ${iteration}, seed ${SEED}: ${bytes.toString('hex')}`
        if (!(error instanceof ProtocolError)) throw new Error(reproduce, { cause: error })
        outcomes.refused++
      }
      expect(process.cpuUsage(begin).user).toBeLessThan(SLOWEST_MICROS)
    }
    // All three must occur, else the inputs are too tame or too wild to test anything.
    expect(Math.min(...Object.values(outcomes))).toBeGreaterThan(ITERATIONS / 1000)
  },
  { timeout: 60_000 + ITERATIONS },
)

test(
  'noise is decoded or refused, never anything else',
  () => {
    const random = new Random(SEED)
    for (let iteration = 0; iteration < ITERATIONS; iteration++) {
      const bytes = random.bytes(random.below(60))
      const { request, versions } = PAIRS[iteration % PAIRS.length]!
      const version = versions.min + random.below(versions.max - versions.min + 1)
      try {
        decode(request, new Reader(chunked(random, bytes)), version)
      } catch (error) {
        const reproduce = `${request.name} v${version}: ${bytes.toString('hex')}`
        if (!(error instanceof ProtocolError)) throw new Error(reproduce, { cause: error })
      }
    }
  },
  { timeout: 60_000 + ITERATIONS },
)

test('a stream of frames and noise gives the frames sent or a ProtocolError', () => {
  for (let iteration = 0; iteration < Math.ceil(ITERATIONS / 20); iteration++) {
    const random = new Random(SEED + iteration)
    const sent = Array.from({ length: 1 + random.below(5) }, () => Buffer.alloc(random.below(40), random.below(256)))
    const stream = Buffer.concat(
      sent.flatMap((payload) => {
        const size = Buffer.alloc(4)
        size.writeInt32BE(payload.length)
        return [size, payload]
      }),
    )
    const received: Buffer[] = []
    const reader = new FrameReader(1000)
    for (let at = 0; at < stream.length; ) {
      const end = Math.min(stream.length, at + 1 + random.below(30))
      reader.push(stream.subarray(at, end), (chunks) => received.push(Buffer.concat(chunks)))
      at = end
    }
    expect(received).toEqual(sent)
    expect(() => reader.push(Buffer.from([0x80 + random.below(128), 0, 0, 0]), () => {})).toThrow(ProtocolError)
  }
})
