/**
 * A socket that sends prepared bytes and counts length-prefixed answers, with as little work per answer as Bun allows.
 * The full client is not used here on purpose: the load generator shares the machine with the broker it measures.
 */
import type { Socket } from 'bun'

export interface WireEvents {
  /** One answer: its payload bytes (after the length prefix) and the first `HEAD_BYTES` of them at most. */
  onAnswer(payloadBytes: number, head: Buffer): void
}

/** Enough of every answer that is inspected (Fetch v11 up to the size of the record set). */
export const HEAD_BYTES = 256

export class Wire {
  private socket: Socket | null = null
  private readonly unsent: Buffer[] = []
  private sentOfFirst = 0
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

  static async connect(host: string, port: number, events: WireEvents): Promise<Wire> {
    const wire = new Wire(events)
    await Bun.connect({
      hostname: host,
      port,
      socket: {
        open: (socket) => {
          wire.socket = socket
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

  send(bytes: Buffer): void {
    this.unsent.push(bytes)
    if (this.unsent.length === 1) this.flush()
  }

  close(): void {
    this.closedReason = 'closed by us'
    this.socket?.terminate()
  }

  private flush(): void {
    const socket = this.socket
    if (socket === null) return
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

/** Sends one frame on a connection of its own and gives its answer's payload bytes back, whole. */
export async function ask(host: string, port: number, frame: Buffer, timeoutMs = 30_000): Promise<Buffer> {
  const chunks: Buffer[] = []
  let received = 0
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
  const socket = await Bun.connect({
    hostname: host,
    port,
    socket: {
      open: (opened) => {
        opened.write(frame)
      },
      data: (_socket, chunk) => {
        chunks.push(chunk)
        received += chunk.length
        if (received < 4) return
        const all = Buffer.concat(chunks)
        if (all.length >= 4 + all.readInt32BE(0)) resolve(all.subarray(4))
      },
      close: () => reject(new Error('connection closed before the answer')),
      error: (_socket, error) => reject(error),
      // `connect` itself rejects.
      connectError: () => undefined,
    },
  })
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    socket.terminate()
  }
}
