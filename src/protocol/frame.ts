// Frames (int32 size + payload), and the headers that stand before the body of every request and response.
//
// A FrameReader belongs to one connection. It hands out views of the chunks that the socket delivered: a frame that lies
// in one chunk is one view, a large one stays a list of chunks. Small pieces of frames that are not complete yet are
// copied, so that they do not keep a whole chunk alive and many tiny packets do not become many buffers. Memory follows
// what has arrived: the announced size alone sets nothing aside, but for what somebody lends.
//
// Whoever can receive into memory of its own choosing may lend some for the rest of a large frame (`land`, `landed`), and whoever wants a
// large chunk back when its frames are done with says which one it is (`push`). A frame comes with what was lent for it; its pieces are
// views of that memory until the lender takes it back.

import { ApiKey } from './api-keys.ts'
import { decode, encode } from './codec.ts'
import { ProtocolError } from './errors.ts'
import { GATHER_BUFFER_BYTES, MAX_FRAME_BYTES, MAX_RESPONSE_ARRAY_ELEMENTS, SMALL_PIECE_BYTES } from './limits.ts'
import type { Reader } from './reader.ts'
import type { ReceivedChunk } from './received-chunk.ts'
import { type Infer, type Input, isFlexible, type MessageSchema } from './schema.ts'
import { inMemory, type Part, Writer } from './writer.ts'

const SIZE_BYTES = 4
/** The first piece of a frame holds at least this much of it (or all of it). */
const HEAD_BYTES = 512
const NO_BUFFER = Buffer.alloc(0)

/** Memory that has to go back: what was lent, or a chunk that this frame uses. */
export type Lent = Buffer | ReceivedChunk

/** `lent`: memory that some of the chunks are views of, for the lender to take back; null if there is none. */
export type FrameHandler = (chunks: Buffer[], length: number, lent: readonly Lent[] | null) => void

/** Memory lent for the rest of a frame. */
export interface Landing {
  readonly memory: Buffer
  /** The next bytes go there; all before hold some of the frame. */
  filled: number
  /** Where the piece begins that is being filled: what came as a chunk in between parts the memory into several. */
  pieceStart: number
}

export class FrameReader {
  /** May be lowered and raised between pushes, as authentication does. */
  maxFrameBytes: number
  /** Payload size of the unfinished frame; -1 while its four size bytes are not complete. */
  private frameBytes = -1
  private sizeBytesSeen = 0
  private size = 0
  /** The finished pieces of the unfinished frame, and the buffer in which small ones are being gathered. */
  private pieces: Buffer[] = []
  private gathered: Buffer = NO_BUFFER
  private gatheredBytes = 0
  private payloadBytes = 0
  private landing: Landing | null = null
  private lent: Lent[] | null = null

  constructor(maxFrameBytes: number = MAX_FRAME_BYTES) {
    this.maxFrameBytes = maxFrameBytes
  }

  /** Bytes of the unfinished frame that have arrived. */
  get pendingBytes(): number {
    return this.payloadBytes + this.sizeBytesSeen
  }

  /** Bytes that the unfinished frame still lacks; 0 while there is none or its size is not known. */
  get missingBytes(): number {
    return this.frameBytes === -1 ? 0 : this.frameBytes - this.payloadBytes
  }

  /** The first two bytes of the unfinished frame, in a request its API key; -1 while they are not there. */
  get pendingApiKey(): number {
    const first = this.pieces[0] ?? this.gathered
    return this.payloadBytes < 2 || first.length < 2 ? -1 : first.readInt16BE(0)
  }

  /**
   * Where the next bytes of the unfinished frame may be put: in what was lent for it last, or in what `lend` has, which may be less than the
   * missing bytes that it is told. Null if it has nothing, or the head of the frame, which stays in one piece, is not complete.
   */
  land(lend: (bytes: number) => Buffer | null): Landing | null {
    if (this.payloadBytes < HEAD_BYTES) return null
    if (this.landing !== null && this.landing.filled === this.landing.memory.length) {
      this.closeLandedPiece()
      this.landing = null
    }
    if (this.landing === null) {
      const memory = lend(this.missingBytes)
      if (memory === null) return null
      this.closeGathered()
      this.lent ??= []
      this.lent.push(memory)
      this.landing = { memory, filled: 0, pieceStart: 0 }
    }
    return this.landing
  }

  /** What was lent for the unfinished frame; the reader is of no more use for that frame. */
  takeLent(): readonly Lent[] | null {
    const { lent } = this
    this.lent = null
    this.landing = null
    return lent
  }

  /** So many bytes, at most those that were missing, were put there. */
  landed(count: number, onFrame: FrameHandler): void {
    if (this.landing === null) throw new Error('no memory was lent for this frame')
    this.closeGathered()
    this.landing.filled += count
    this.payloadBytes += count
    if (this.payloadBytes === this.frameBytes) this.finishFrame(onFrame)
  }

  /**
   * Calls `onFrame` for every frame that this chunk completes. `received` is the chunk for whoever wants it back; each frame that lies in it
   * uses it. After a ProtocolError the connection must be closed.
   */
  push(chunk: Buffer, onFrame: FrameHandler, received: ReceivedChunk | null = null): void {
    let position = 0
    while (position < chunk.length) {
      if (this.frameBytes === -1) {
        position = this.readSize(chunk, position)
        if (this.frameBytes === -1) return
      }
      const missing = this.frameBytes - this.payloadBytes
      const end = Math.min(position + missing, chunk.length)
      if (this.payloadBytes === 0 && end === position + missing) {
        // The usual case: the whole frame lies in this chunk.
        this.startNextFrame()
        received?.use()
        onFrame([chunk.subarray(position, end)], end - position, received === null ? null : received.alone)
      } else {
        this.keep(chunk, position, end, received)
        if (this.payloadBytes === this.frameBytes) this.finishFrame(onFrame)
      }
      position = end
    }
    // A frame without payload completes with its size bytes.
    if (this.frameBytes === 0) this.finishFrame(onFrame)
  }

  private readSize(chunk: Buffer, from: number): number {
    let position = from
    while (this.sizeBytesSeen < SIZE_BYTES && position < chunk.length) {
      this.size = (this.size << 8) | chunk[position++]!
      this.sizeBytesSeen++
    }
    if (this.sizeBytesSeen === SIZE_BYTES) {
      if (this.size < 0 || this.size > this.maxFrameBytes) {
        throw new ProtocolError(`A frame announces ${this.size} bytes, the limit is ${this.maxFrameBytes}`)
      }
      this.frameBytes = this.size
    }
    return position
  }

  private keep(chunk: Buffer, start: number, end: number, received: ReceivedChunk | null): void {
    this.closeLandedPiece()
    const count = end - start
    this.payloadBytes += count
    if (count < SMALL_PIECE_BYTES) {
      this.gather(chunk, start, end)
    } else {
      // The head of a frame stays in one piece, so that headers can be read without thinking of chunks.
      const head = this.pieces.length === 0 && this.gatheredBytes > 0 ? Math.max(0, HEAD_BYTES - this.gatheredBytes) : 0
      if (head > 0) this.gather(chunk, start, start + head)
      this.closeGathered()
      const piece = chunk.subarray(start + head, end)
      if (count < chunk.length / 4) {
        this.pieces.push(Buffer.from(piece))
        return
      }
      this.pieces.push(piece)
      if (received === null) return
      received.use()
      this.lent ??= []
      this.lent.push(received)
    }
  }

  /** Appends a small piece to the gathering buffer, which grows with what arrives. */
  private gather(chunk: Buffer, start: number, end: number): void {
    const count = end - start
    const needed = this.gatheredBytes + count
    if (needed > GATHER_BUFFER_BYTES) {
      this.closeGathered()
      this.gather(chunk, start, end)
      return
    }
    if (needed > this.gathered.length) {
      const missing = this.frameBytes - this.payloadBytes
      const doubled = Math.max(needed, Math.min(2 * needed, needed + missing, GATHER_BUFFER_BYTES))
      const larger = Buffer.allocUnsafeSlow(doubled)
      this.gathered.copy(larger, 0, 0, this.gatheredBytes)
      this.gathered = larger
    }
    chunk.copy(this.gathered, this.gatheredBytes, start, end)
    this.gatheredBytes = needed
  }

  private closeGathered(): void {
    if (this.gatheredBytes === 0) return
    this.pieces.push(this.gathered.subarray(0, this.gatheredBytes))
    this.gathered = NO_BUFFER
    this.gatheredBytes = 0
  }

  private closeLandedPiece(): void {
    if (this.landing === null) return
    const { memory, filled, pieceStart } = this.landing
    if (filled > pieceStart) this.pieces.push(memory.subarray(pieceStart, filled))
    this.landing.pieceStart = filled
  }

  private finishFrame(onFrame: FrameHandler): void {
    this.closeLandedPiece()
    this.closeGathered()
    const { pieces, frameBytes } = this
    const lent = this.takeLent()
    this.pieces = []
    this.startNextFrame()
    onFrame(pieces, frameBytes, lent)
  }

  private startNextFrame(): void {
    this.frameBytes = -1
    this.payloadBytes = 0
    this.sizeBytesSeen = 0
    this.size = 0
  }
}

/** ApiVersions answers with the oldest header at every version: the client cannot know yet what the broker speaks. */
function hasFlexibleResponseHeader(schema: MessageSchema, version: number): boolean {
  return schema.key !== ApiKey.ApiVersions && isFlexible(schema, version)
}

export function encodeRequestHeader(
  writer: Writer,
  schema: MessageSchema,
  version: number,
  correlationId: number,
  clientId: string | null,
): void {
  writer.int16(schema.key)
  writer.int16(version)
  writer.int32(correlationId)
  writer.nullableString(clientId)
  if (isFlexible(schema, version)) writer.unsignedVarint(0)
}

/** Appends a whole response frame, size included, to what `writer` holds; one writer can collect many of them. */
export function writeResponse<S extends MessageSchema>(
  writer: Writer,
  schema: S,
  version: number,
  correlationId: number,
  value: Input<S>,
): void {
  writer.beginFrame()
  writer.int32(correlationId)
  if (hasFlexibleResponseHeader(schema, version)) writer.unsignedVarint(0)
  encode(schema, writer, value, version)
  writer.endFrame()
}

/** Appends a whole request frame, size included. */
export function writeRequest<S extends MessageSchema>(
  writer: Writer,
  schema: S,
  version: number,
  correlationId: number,
  clientId: string | null,
  value: Input<S>,
): void {
  writer.beginFrame()
  encodeRequestHeader(writer, schema, version, correlationId, clientId)
  encode(schema, writer, value, version)
  writer.endFrame()
}

// Encoding is synchronous, so that everybody can share one writer and its slab.
const sharedWriter = new Writer()

/** A whole response frame, size included, as parts to be sent in order. */
export function encodeResponse<S extends MessageSchema>(
  schema: S,
  _apiKey: number,
  version: number,
  correlationId: number,
  value: Input<S>,
): Buffer[] {
  return inMemory(encodeResponseParts(schema, version, correlationId, value))
}

/** The same for a broker, whose records may be stored elsewhere. */
export function encodeResponseParts<S extends MessageSchema>(
  schema: S,
  version: number,
  correlationId: number,
  value: Input<S>,
): Part[] {
  try {
    writeResponse(sharedWriter, schema, version, correlationId, value)
  } catch (error) {
    sharedWriter.discard()
    throw error
  }
  return sharedWriter.finishParts()
}

/** A whole request frame, size included, as parts to be sent in order. */
export function encodeRequest<S extends MessageSchema>(
  schema: S,
  version: number,
  correlationId: number,
  clientId: string | null,
  value: Input<S>,
): Buffer[] {
  try {
    writeRequest(sharedWriter, schema, version, correlationId, clientId, value)
  } catch (error) {
    sharedWriter.discard()
    throw error
  }
  return sharedWriter.finish()
}

/** Reads a response after its correlation id (`reader.int32()`), by which the caller knows what it answers. */
export function decodeResponse<S extends MessageSchema>(schema: S, version: number, reader: Reader): Infer<S> {
  reader.maxArrayElements = MAX_RESPONSE_ARRAY_ELEMENTS
  if (hasFlexibleResponseHeader(schema, version)) reader.skipTaggedFields()
  return decode(schema, reader, version)
}
