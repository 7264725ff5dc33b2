/**
 * Bytes on their way to a socket. Bun keeps nothing back: a write takes what the kernel takes, possibly nothing, and the
 * rest must be offered again on `drain`. Small parts go out together, since each write is a system call; large ones go
 * out as they are, since copying them costs more than the call.
 */
export interface ByteSink {
  /** Bytes taken; 0 when full, -1 when closed. */
  write(data: Uint8Array, byteOffset: number, byteLength: number): number
}

const COALESCE_BYTES = 64 * 1024

export class OutQueue {
  private parts: Uint8Array[] = []
  private emptied: (() => void)[] = []

  get isEmpty(): boolean {
    return this.parts.length === 0
  }

  push(part: Uint8Array): void {
    if (part.byteLength > 0) this.parts.push(part)
  }

  whenEmpty(): Promise<void> {
    return new Promise((resolve) => this.emptied.push(resolve))
  }

  clear(): void {
    this.parts = []
    this.releaseWaiters()
  }

  /** Writes until the queue is empty or the sink is full. */
  writeTo(sink: ByteSink): void {
    while (this.parts.length > 0) {
      const next = this.takeNext()
      const written = sink.write(next, 0, next.byteLength)
      if (written < next.byteLength) {
        // Closed (-1) ends here as well: the close event clears the queue.
        this.parts.unshift(written > 0 ? next.subarray(written) : next)
        return
      }
    }
    this.releaseWaiters()
  }

  /** The next large part, or as many small ones as fit together. */
  private takeNext(): Uint8Array {
    let bytes = 0
    let count = 0
    for (const part of this.parts) {
      if (bytes + part.byteLength > COALESCE_BYTES) break
      bytes += part.byteLength
      count += 1
    }
    if (count <= 1) return this.parts.shift()!
    return Buffer.concat(this.parts.splice(0, count), bytes)
  }

  private releaseWaiters(): void {
    const waiters = this.emptied
    this.emptied = []
    for (const release of waiters) release()
  }
}
