/**
 * A large chunk as a socket delivered it, and who still reads it. When nobody does any more its memory is freed at once: left to the collector,
 * chunks pile up faster than it follows, and every new one is cold memory.
 *
 * What must hold: whoever takes part of the chunk says so (`use`) and later either that it is done with it (`done`), after which it does not
 * touch it again, or that it cannot know (`lose`): then the collector has it.
 */
export class ReceivedChunk {
  /** This chunk alone, as the list of what a frame lies in; most frames lie in one. */
  readonly alone: readonly ReceivedChunk[] = [this]
  readonly #buffer: ArrayBuffer
  /** Whoever received it is the first. */
  #users = 1
  #isLost = false

  private constructor(buffer: ArrayBuffer) {
    this.#buffer = buffer
  }

  /** Takes the chunk over. Null if it is smaller than `bytesMin` or not alone in its memory. */
  static of(chunk: Buffer, bytesMin: number): ReceivedChunk | null {
    const { buffer } = chunk
    if (chunk.length < bytesMin || buffer.byteLength !== chunk.length || !(buffer instanceof ArrayBuffer)) return null
    return new ReceivedChunk(buffer)
  }

  use(): void {
    this.#users++
  }

  done(): void {
    this.#users--
    if (this.#users === 0 && !this.#isLost) this.#buffer.transfer(0)
  }

  lose(): void {
    this.#isLost = true
  }
}
