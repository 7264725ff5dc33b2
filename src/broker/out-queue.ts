/**
 * The bytes a connection still has to send. Sockets accept what the kernel takes and buffer nothing, so whatever they
 * refuse waits here. Owned by one connection; parts leave in the order they came.
 *
 * What must hold: a part is not changed between `push` and the moment it left; a release callback runs exactly once,
 * after everything pushed before it left, or when the connection is gone.
 */
import { COALESCE_PART_BYTES_MAX, COALESCED_WRITE_BYTES } from './limits.ts'

export interface ByteSink {
  /** Bytes taken (0 = full), or -1 when closed. Always called with all three arguments. */
  write(bytes: Uint8Array, offset: number, length: number): number
}

/** Shared by all connections: it holds bytes only within one call of `flush`. */
const scratch = Buffer.allocUnsafeSlow(COALESCED_WRITE_BYTES)

type Entry = Uint8Array | (() => void)

export class OutQueue {
  #entries: Entry[] = []
  #head = 0
  /** Bytes of the first entry that have left. */
  #headOffset = 0
  /** Bytes that have not left. */
  bytes = 0

  get isEmpty(): boolean {
    return this.#entries.length === 0
  }

  push(part: Uint8Array): void {
    if (part.length === 0) return
    this.#entries.push(part)
    this.bytes += part.length
  }

  /** `release` runs once all that was pushed before has left. */
  pushRelease(release: () => void): void {
    if (this.isEmpty) release()
    else this.#entries.push(release)
  }

  /** Writes what the sink takes. False when bytes are left: wait for the sink to drain. */
  flush(sink: ByteSink): boolean {
    while (this.#head < this.#entries.length) {
      const entry = this.#entries[this.#head]!
      if (typeof entry === 'function') {
        this.#head++
        entry()
        continue
      }
      const left = entry.length - this.#headOffset
      const isLast = this.#head + 1 === this.#entries.length
      const wanted = isLast || left >= COALESCE_PART_BYTES_MAX ? left : this.#gather()
      const written = wanted === left ? sink.write(entry, this.#headOffset, left) : sink.write(scratch, 0, wanted)
      if (written > 0) this.#advance(written)
      if (written < wanted) return false
    }
    this.#entries = []
    this.#head = 0
    return true
  }

  /** The connection is gone: nothing more leaves, everything held is given back. */
  clear(): void {
    const entries = this.#entries
    const head = this.#head
    this.#entries = []
    this.#head = 0
    this.#headOffset = 0
    this.bytes = 0
    for (let i = head; i < entries.length; i++) {
      const entry = entries[i]!
      if (typeof entry === 'function') entry()
    }
  }

  /** Copies the first small parts into the scratch buffer, as many as fit whole; the first always counts. */
  #gather(): number {
    let filled = 0
    let offset = this.#headOffset
    for (let i = this.#head; i < this.#entries.length; i++) {
      const entry = this.#entries[i]!
      if (typeof entry === 'function') continue
      const length = entry.length - offset
      if (length >= COALESCE_PART_BYTES_MAX || filled + length > scratch.length) break
      scratch.set(offset === 0 ? entry : entry.subarray(offset), filled)
      filled += length
      offset = 0
    }
    return filled
  }

  #advance(written: number): void {
    this.bytes -= written
    let left = written
    while (left > 0) {
      const entry = this.#entries[this.#head]!
      if (typeof entry === 'function') {
        this.#head++
        entry()
        continue
      }
      const available = entry.length - this.#headOffset
      if (left < available) {
        this.#headOffset += left
        return
      }
      left -= available
      this.#headOffset = 0
      this.#head++
    }
    if (this.#head > 1024) {
      this.#entries.splice(0, this.#head)
      this.#head = 0
    }
  }
}
