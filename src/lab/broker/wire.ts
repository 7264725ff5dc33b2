/**
 * A socket that sends prepared bytes and counts length-prefixed answers, with as little work per answer as Bun allows.
 * The full client is not used here on purpose: the load generator shares the machine with the broker it measures.
 */
import type { Socket } from 'bun'
import { ReceivedChunk } from '../../protocol/received-chunk.ts'
import { libc } from '../../storage/libc.ts'
import type { Address } from './target.ts'

export interface WireEvents {
  /** One answer: its payload bytes (after the length prefix) and the first `HEAD_BYTES` of them at most. */
  onAnswer(payloadBytes: number, head: Buffer): void
  /** After every chunk from the socket, whatever it held. */
  onChunk?(): void
}

/** Frames up to this size are cheaper to copy together than to hand to the kernel one by one. */
const JOINED_FRAME_BYTES_MAX = 4096

function joinSmall(frames: Buffer[]): Buffer[] {
  return frames.every((frame) => frame.length <= JOINED_FRAME_BYTES_MAX) ? [Buffer.concat(frames)] : frames
}

/** Enough of every answer that is inspected (Fetch v11 up to the size of the record set). */
export const HEAD_BYTES = 256

/** Of an answer at least this much must be missing to be received past the runtime's chunks. */
const RECEIVE_BYTES_MIN = 32 * 1024

const { receive } = libc()
/** Where bytes of answers go that nobody looks at: small enough to stay in the processor's cache. */
const unread = Buffer.allocUnsafeSlow(256 * 1024)

export class Wire {
  private socket: (Socket & { readonly fd?: number }) | null = null
  private unsent: Buffer[] = []
  private sentOfFirst = 0
  /** While a chunk is taken apart, what its answers cause to be sent is gathered for one system call. */
  private receiving = false
  private closedReason: string | null = null
  /** Bytes of the current answer that are still to come; 0 between answers. */
  private missing = 0
  private payloadBytes = 0
  private readonly prefix = Buffer.alloc(4)
  private prefixFilled = 0
  private readonly head = Buffer.alloc(HEAD_BYTES)
  private headFilled = 0

  private readonly events: WireEvents

  private constructor(events: WireEvents) {
    this.events = events
  }

  static async connect({ host, port }: Address, events: WireEvents): Promise<Wire> {
    const wire = new Wire(events)
    await Bun.connect({
      hostname: host,
      port,
      socket: {
        open: (socket) => {
          wire.socket = socket
          socket.setNoDelay(true)
        },
        data: (_socket, chunk) => wire.receive(chunk),
        drain: () => wire.flush(),
        close: () => {
          wire.closedReason ??= 'connection closed'
        },
        error: (_socket, error) => {
          wire.closedReason = error.message
        },
      },
    })
    return wire
  }

  get failure(): string | null {
    return this.closedReason
  }

  /** The bytes must stay as they are until they have left. */
  send(bytes: Buffer): void {
    this.unsent.push(bytes)
    if (this.unsent.length === 1 && !this.receiving) this.flush()
  }

  /** Stops reading, at once: what arrives waits in the kernel, and the sender's window closes. */
  pause(): void {
    this.socket?.pause()
  }

  resume(): void {
    this.socket?.resume()
  }

  close(): void {
    this.closedReason = 'closed by us'
    this.socket?.terminate()
  }

  private flush(): void {
    const socket = this.socket
    if (socket === null) return
    if (this.unsent.length > 1 && this.sentOfFirst === 0) this.unsent = joinSmall(this.unsent)
    for (let first = this.unsent[0]; first !== undefined; first = this.unsent[0]) {
      const written = socket.write(first, this.sentOfFirst, first.length - this.sentOfFirst)
      if (written < 0) return
      this.sentOfFirst += written
      if (this.sentOfFirst < first.length) return
      this.unsent.shift()
      this.sentOfFirst = 0
    }
  }

  private receive(chunk: Buffer): void {
    const waiting = this.unsent.length > 0
    this.receiving = true
    this.takeApart(chunk)
    ReceivedChunk.of(chunk, RECEIVE_BYTES_MIN)?.done()
    this.receiveUnread()
    this.receiving = false
    this.events.onChunk?.()
    // What waited before this chunk waits for the socket to drain; the new frames are behind it.
    if (!waiting && this.unsent.length > 0) this.flush()
  }

  /** What is there already of a large answer, all but its last bytes: a new chunk for all of it would cost more than the reading. */
  private receiveUnread(): void {
    const descriptor = this.socket?.fd ?? -1
    if (receive === null || descriptor < 0) return
    while (this.missing >= RECEIVE_BYTES_MIN && this.headFilled === HEAD_BYTES) {
      const count = receive(descriptor, unread, 0, Math.min(this.missing - 1, unread.length))
      if (count <= 0) return
      this.missing -= count
    }
  }

  private takeApart(chunk: Buffer): void {
    let position = 0
    while (position < chunk.length) {
      if (this.missing === 0) {
        if (this.prefixFilled === 0 && chunk.length - position >= 4) {
          this.payloadBytes = chunk.readInt32BE(position)
          position += 4
        } else {
          this.prefix[this.prefixFilled++] = chunk[position++]!
          if (this.prefixFilled < 4) continue
          this.payloadBytes = this.prefix.readInt32BE(0)
          this.prefixFilled = 0
        }
        this.missing = this.payloadBytes
        this.headFilled = 0
        continue
      }
      const here = Math.min(this.missing, chunk.length - position)
      if (this.headFilled < HEAD_BYTES) {
        const taken = Math.min(HEAD_BYTES - this.headFilled, here)
        chunk.copy(this.head, this.headFilled, position, position + taken)
        this.headFilled += taken
      }
      position += here
      this.missing -= here
      if (this.missing === 0) this.events.onAnswer(this.payloadBytes, this.head)
    }
  }
}
