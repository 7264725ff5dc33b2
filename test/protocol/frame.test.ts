import { describe, expect, test } from 'bun:test'
import { ProtocolError } from '../../src/protocol/errors.ts'
import {
  decodeResponse,
  encodeRequest,
  encodeResponse,
  FrameReader,
  type Lent,
  writeResponse,
} from '../../src/protocol/frame.ts'
import { MAX_FRAME_BYTES, SMALL_PIECE_BYTES } from '../../src/protocol/limits.ts'
import { HeartbeatRequest, HeartbeatResponse } from '../../src/protocol/messages/12-heartbeat.ts'
import { ApiVersionsRequest, ApiVersionsResponse } from '../../src/protocol/messages/18-api-versions.ts'
import { Reader } from '../../src/protocol/reader.ts'
import { ReceivedChunk } from '../../src/protocol/received-chunk.ts'
import { decodeRequestHeader } from '../../src/protocol/request-header.ts'
import { Writer } from '../../src/protocol/writer.ts'
import { SeededRandom } from '../../src/storage/random-seeded.ts'

function framed(payload: Buffer): Buffer {
  const size = Buffer.alloc(4)
  size.writeInt32BE(payload.length)
  return Buffer.concat([size, payload])
}

function pattern(length: number, seed = 0): Buffer {
  const bytes = Buffer.alloc(length)
  for (let index = 0; index < length; index++) bytes[index] = (index * 31 + seed) & 0xff
  return bytes
}

interface Received {
  readonly chunks: Buffer[]
  readonly length: number
}

function pushAll(reader: FrameReader, chunks: readonly Buffer[]): Received[] {
  const received: Received[] = []
  for (const chunk of chunks) reader.push(chunk, (pieces, length) => received.push({ chunks: pieces, length }))
  return received
}

function payloads(received: readonly Received[]): Buffer[] {
  for (const { chunks, length } of received) expect(Buffer.concat(chunks).length).toBe(length)
  return received.map(({ chunks }) => Buffer.concat(chunks))
}

describe('frames', () => {
  const sent = [pattern(5), pattern(0), pattern(300, 7), pattern(1), pattern(0)]
  const stream = Buffer.concat(sent.map(framed))

  test('are found at every split point', () => {
    for (let cut = 0; cut <= stream.length; cut++) {
      const reader = new FrameReader()
      expect(payloads(pushAll(reader, [stream.subarray(0, cut), stream.subarray(cut)]))).toEqual(sent)
      expect(reader.pendingBytes).toBe(0)
    }
  })

  test('are found at every pair of split points around the sizes', () => {
    for (let first = 0; first <= 20; first++) {
      for (let second = first; second <= 20; second++) {
        const chunks = [stream.subarray(0, first), stream.subarray(first, second), stream.subarray(second)]
        expect(payloads(pushAll(new FrameReader(), chunks))).toEqual(sent)
      }
    }
  })

  test('are found in any even cut of the stream', () => {
    for (let step = 1; step < 40; step++) {
      const chunks: Buffer[] = []
      for (let at = 0; at < stream.length; at += step) chunks.push(stream.subarray(at, at + step))
      expect(payloads(pushAll(new FrameReader(), chunks))).toEqual(sent)
    }
  })

  test('a frame within one chunk is a view of it', () => {
    const chunk = framed(pattern(100))
    const [frame] = pushAll(new FrameReader(), [chunk])
    expect(frame!.chunks.length).toBe(1)
    expect(frame!.chunks[0]!.buffer).toBe(chunk.buffer)
  })

  test('a small frame over two chunks is one buffer', () => {
    const stream = framed(pattern(1000))
    const [frame] = pushAll(new FrameReader(), [stream.subarray(0, 300), stream.subarray(300)])
    expect(frame!.chunks.length).toBe(1)
    expect(frame!.chunks[0]!.equals(pattern(1000))).toBe(true)
  })

  test('a large frame stays a list of the chunks it came in', () => {
    const stream = framed(pattern(1_000_000))
    const chunks = [stream.subarray(0, 400_000), stream.subarray(400_000, 800_000), stream.subarray(800_000)]
    const [frame] = pushAll(new FrameReader(), chunks)
    expect(frame!.chunks.map((chunk) => chunk.length)).toEqual([399_996, 400_000, 200_004])
    for (const piece of frame!.chunks) expect(piece.buffer).toBe(stream.buffer)
    expect(Buffer.concat(frame!.chunks).equals(pattern(1_000_000))).toBe(true)
  })

  test('a remainder below a quarter of its chunk does not keep the chunk', () => {
    const first = pattern(400_000)
    const second = pattern(200_000, 3)
    const stream = Buffer.concat([framed(first), framed(second)])
    const chunk = stream.subarray(0, 500_000)
    const received = pushAll(new FrameReader(), [chunk, stream.subarray(500_000)])
    expect(payloads(received)).toEqual([first, second])
    expect(received[0]!.chunks[0]!.buffer).toBe(stream.buffer)
    expect(received[1]!.chunks[0]!.buffer).not.toBe(stream.buffer)
  })

  test('the head of a frame is in one piece even when it came in many', () => {
    const body = pattern(200_000)
    const stream = framed(body)
    const chunks = [stream.subarray(0, 5), stream.subarray(5, 7), stream.subarray(7)]
    const [frame] = pushAll(new FrameReader(), chunks)
    expect(frame!.chunks[0]!.length).toBeGreaterThanOrEqual(512)
    expect(Buffer.concat(frame!.chunks).equals(body)).toBe(true)
  })

  test('a large frame in tiny packets becomes few buffers', () => {
    const body = pattern(300_000)
    const stream = framed(body)
    const chunks: Buffer[] = []
    for (let at = 0; at < stream.length; at += 100) chunks.push(stream.subarray(at, at + 100))
    const [frame] = pushAll(new FrameReader(), chunks)
    expect(frame!.chunks.length).toBeLessThan(10)
    expect(Buffer.concat(frame!.chunks).equals(body)).toBe(true)
  })

  test('pieces around the size at which they are kept as they are', () => {
    for (const piece of [SMALL_PIECE_BYTES - 1, SMALL_PIECE_BYTES, SMALL_PIECE_BYTES + 1]) {
      const body = pattern(piece * 5 + 17)
      const stream = framed(body)
      const chunks: Buffer[] = []
      for (let at = 0; at < stream.length; at += piece) chunks.push(stream.subarray(at, at + piece))
      expect(payloads(pushAll(new FrameReader(), chunks))).toEqual([body])
    }
  })

  test('an announcement sets no memory aside', () => {
    const readers: FrameReader[] = []
    const size = Buffer.alloc(4)
    size.writeInt32BE(MAX_FRAME_BYTES)
    const before = process.memoryUsage().arrayBuffers
    for (let index = 0; index < 100; index++) {
      const reader = new FrameReader()
      pushAll(reader, [size, pattern(10)])
      expect(reader.pendingBytes).toBe(14)
      readers.push(reader)
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000)
    expect(readers.length).toBe(100)
  })

  test('a size that is negative or above the limit is a protocol error, also byte by byte', () => {
    for (const size of [-1, -2147483648, 101, 2147483647]) {
      const announced = Buffer.alloc(4)
      announced.writeInt32BE(size)
      expect(() => pushAll(new FrameReader(100), [announced])).toThrow(ProtocolError)
      const reader = new FrameReader(100)
      const bytes = [...announced].map((byte) => Buffer.from([byte]))
      expect(() => pushAll(reader, bytes)).toThrow(ProtocolError)
    }
    expect(payloads(pushAll(new FrameReader(100), [framed(pattern(100))]))).toEqual([pattern(100)])
  })

  test('an HTTP request is a protocol error', () => {
    expect(() => pushAll(new FrameReader(), [Buffer.from('GET / HTTP/1.1\r\n\r\n')])).toThrow('1195725856')
  })

  test('the limit can be changed between frames', () => {
    const reader = new FrameReader(10)
    pushAll(reader, [framed(pattern(10))])
    reader.maxFrameBytes = 1000
    expect(payloads(pushAll(reader, [framed(pattern(500))]))).toEqual([pattern(500)])
  })
})

describe('memory lent for the rest of a frame', () => {
  const large = pattern(300_000, 5)

  test('is filled piece by piece, between chunks that come the usual way, in any mixture', () => {
    const random = new SeededRandom(3)
    for (let round = 0; round < 200; round++) {
      const stream = Buffer.concat([framed(pattern(10)), framed(large), framed(pattern(700, 9)), framed(large)])
      const reader = new FrameReader()
      const received: Buffer[] = []
      const lent: Buffer[] = []
      const back: Lent[] = []
      const onFrame = (chunks: Buffer[], length: number, memory: readonly Lent[] | null): void => {
        expect(chunks.reduce((sum, chunk) => sum + chunk.length, 0)).toBe(length)
        received.push(Buffer.concat(chunks))
        back.push(...(memory ?? []))
      }
      for (let at = 0; at < stream.length; ) {
        const count = Math.min(stream.length - at, 1 + random.below(120_000))
        const landing =
          reader.missingBytes > 1000 && random.below(3) > 0
            ? reader.land((bytes) => {
                const memory = Buffer.alloc(Math.min(bytes, 64 * 1024))
                lent.push(memory)
                return memory
              })
            : null
        if (landing === null) {
          reader.push(stream.subarray(at, at + count), onFrame)
          at += count
          continue
        }
        const space = Math.min(count, reader.missingBytes, landing.memory.length - landing.filled)
        stream.copy(landing.memory, landing.filled, at, at + space)
        reader.landed(space, onFrame)
        at += space
      }
      expect(received).toEqual([pattern(10), large, pattern(700, 9), large])
      expect(back).toEqual(lent)
      // What comes as a chunk in between does not use up memory that was lent.
      expect(lent.length).toBeLessThanOrEqual(2 * Math.ceil(large.length / (64 * 1024)))
    }
  })

  test('is not asked for before the head of the frame is there', () => {
    const reader = new FrameReader()
    reader.push(framed(large).subarray(0, 4 + 511), () => {})
    expect(reader.land((bytes) => Buffer.alloc(bytes))).toBeNull()
    reader.push(large.subarray(511, 512), () => {})
    expect(reader.missingBytes).toBe(large.length - 512)
    expect(reader.land((bytes) => Buffer.alloc(bytes))?.memory.length).toBe(large.length - 512)
  })

  test('of a frame that will never be whole can be taken back', () => {
    const reader = new FrameReader()
    reader.push(framed(large).subarray(0, 1000), () => {})
    const memory = Buffer.alloc(100)
    reader.land(() => memory)
    expect(reader.takeLent()).toEqual([memory])
    expect(reader.takeLent()).toBeNull()
  })

  test('may be refused: the frame then comes the usual way', () => {
    const reader = new FrameReader()
    const received: Received[] = []
    reader.push(framed(large).subarray(0, 1000), () => {})
    expect(reader.land(() => null)).toBeNull()
    reader.push(framed(large).subarray(1000), (chunks, length) => received.push({ chunks, length }))
    expect(payloads(received)).toEqual([large])
  })

  test('the API key of a request under way is known from its first two bytes', () => {
    const reader = new FrameReader()
    expect(reader.pendingApiKey).toBe(-1)
    const request = framed(Buffer.concat([Buffer.from([0, 42]), pattern(1000)]))
    reader.push(request.subarray(0, 5), () => {})
    expect(reader.pendingApiKey).toBe(-1)
    reader.push(request.subarray(5, 6), () => {})
    expect(reader.pendingApiKey).toBe(42)
  })
})

describe('a chunk that is wanted back', () => {
  const chunkOf = (bytes: Buffer): Buffer => {
    const chunk = Buffer.allocUnsafeSlow(bytes.length)
    bytes.copy(chunk)
    return chunk
  }

  test('is freed with the last frame that lies in it, and not before', () => {
    const random = new SeededRandom(11)
    for (let round = 0; round < 100; round++) {
      const frames = Array.from({ length: 12 }, (_, index) => pattern(1 + random.below(90_000), index))
      const stream = Buffer.concat(frames.map(framed))
      const reader = new FrameReader()
      const chunks: Buffer[] = []
      const open: { pieces: Buffer[]; lent: readonly Lent[]; content: Buffer }[] = []
      let seen = 0
      const finishOne = (): void => {
        const [{ pieces, lent, content }] = open.splice(random.below(open.length), 1) as [(typeof open)[number]]
        expect(Buffer.concat(pieces).equals(content)).toBe(true)
        for (const memory of lent) (memory as ReceivedChunk).done()
      }
      for (let at = 0; at < stream.length; ) {
        const chunk = chunkOf(stream.subarray(at, at + 40_000 + random.below(100_000)))
        at += chunk.length
        const received = ReceivedChunk.of(chunk, 1)!
        chunks.push(chunk)
        reader.push(
          chunk,
          (pieces, _, lent) => open.push({ pieces, lent: lent ?? [], content: frames[seen++]! }),
          received,
        )
        received.done()
        while (open.length > 0 && random.below(3) > 0) finishOne()
      }
      while (open.length > 0) finishOne()
      expect(seen).toBe(frames.length)
      expect(chunks.every((chunk) => chunk.buffer.byteLength === 0)).toBe(true)
    }
  })

  test('is left alone once somebody cannot say whether it is done with it', () => {
    const chunk = chunkOf(Buffer.concat([framed(pattern(100)), framed(pattern(200))]))
    const received = ReceivedChunk.of(chunk, 1)!
    const lents: (readonly Lent[])[] = []
    new FrameReader().push(chunk, (_pieces, _length, lent) => lents.push(lent!), received)
    received.done()
    const [first, second] = lents as [readonly ReceivedChunk[], readonly ReceivedChunk[]]
    first[0]!.lose()
    second[0]!.done()
    expect(chunk.equals(Buffer.concat([framed(pattern(100)), framed(pattern(200))]))).toBe(true)
  })

  test('is only one that has its memory to itself and is large enough', () => {
    expect(ReceivedChunk.of(chunkOf(pattern(100)), 101)).toBeNull()
    expect(ReceivedChunk.of(chunkOf(pattern(100)).subarray(1), 1)).toBeNull()
  })
})

describe('headers', () => {
  const payloadOf = (parts: Buffer[]): Buffer => Buffer.concat(parts).subarray(4)

  test('a flexible request has a client id with a 16-bit length and a tag section', () => {
    const value = { clientSoftwareName: 'x', clientSoftwareVersion: '1' }
    const parts = encodeRequest(ApiVersionsRequest, 3, 7, 'me', value)
    expect(Buffer.concat(parts).toString('hex')).toBe(
      '00000012' + '00120003' + '00000007' + '00026d65' + '00' + '0278' + '0231' + '00',
    )
    const reader = new Reader([payloadOf(parts)])
    expect(decodeRequestHeader(reader)).toEqual({ apiKey: 18, apiVersion: 3, correlationId: 7, clientId: 'me' })
    expect(reader.remaining).toBe(5)
  })

  test('a request that is not flexible has no tag section, and the client id may be null', () => {
    const parts = encodeRequest(HeartbeatRequest, 0, 1, null, { groupId: 'g', generationId: 2, memberId: 'm' })
    expect(payloadOf(parts).toString('hex')).toBe('000c0000' + '00000001' + 'ffff' + '000167' + '00000002' + '00016d')
  })

  test('unknown tagged fields in a request header are skipped', () => {
    const reader = new Reader([Buffer.from('0012000300000007ffff' + '02' + '0501aa' + '7f00' + 'bb', 'hex')])
    expect(decodeRequestHeader(reader).clientId).toBeNull()
    expect(reader.uint8()).toBe(0xbb)
  })

  test('the header of an ApiVersions version from the future is still read', () => {
    const reader = new Reader([Buffer.from('0012006300000007ffff00', 'hex')])
    expect(decodeRequestHeader(reader)).toEqual({ apiKey: 18, apiVersion: 99, correlationId: 7, clientId: null })
  })

  test('the header of an unknown key is read as far as the client id', () => {
    const reader = new Reader([Buffer.from('03e7000000000007ffff00', 'hex')])
    expect(decodeRequestHeader(reader)).toMatchObject({ apiKey: 999, correlationId: 7 })
  })

  test('the response to ApiVersions never has a tag section in its header', () => {
    for (const version of [0, 3, 4]) {
      const parts = encodeResponse(ApiVersionsResponse, 18, version, 5, {
        errorCode: 35,
        apiKeys: [],
        throttleTimeMs: 0,
      })
      expect(payloadOf(parts).toString('hex').slice(0, 12)).toBe('000000050023')
      const reader = new Reader([payloadOf(parts)])
      expect(reader.int32()).toBe(5)
      expect(decodeResponse(ApiVersionsResponse, version, reader).errorCode).toBe(35)
    }
  })

  test('the response to any other flexible request has one', () => {
    const value = { errorCode: 27, throttleTimeMs: 0 }
    expect(payloadOf(encodeResponse(HeartbeatResponse, 12, 3, 5, value)).toString('hex')).toBe(
      '00000005' + '00000000' + '001b',
    )
    expect(payloadOf(encodeResponse(HeartbeatResponse, 12, 4, 5, value)).toString('hex')).toBe(
      '00000005' + '00' + '00000000' + '001b' + '00',
    )
  })

  test('a response that cannot be written leaves nothing behind for the next one', () => {
    const broken = { errorCode: 0, apiKeys: null as never }
    expect(() => encodeResponse(ApiVersionsResponse, 18, 0, 1, broken)).toThrow('apiKeys')
    const parts = encodeResponse(HeartbeatResponse, 12, 0, 5, { errorCode: 0 })
    expect(Buffer.concat(parts).toString('hex')).toBe('00000006' + '00000005' + '0000')
  })

  test('many responses collect in one writer', () => {
    const writer = new Writer()
    for (let id = 0; id < 3; id++) writeResponse(writer, HeartbeatResponse, 0, id, { errorCode: id })
    const received = pushAll(new FrameReader(), writer.finish())
    expect(payloads(received).map((payload) => payload.toString('hex'))).toEqual([
      '000000000000',
      '000000010001',
      '000000020002',
    ])
  })
})
