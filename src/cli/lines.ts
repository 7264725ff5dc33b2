/** Splits a stream of bytes into records at a delimiter. */

/** A delimiter that never comes must not fill the memory. */
const MAX_LINE_BYTES = 128 * 1024 * 1024

export class LineSplitter {
  private readonly delimiter: Buffer
  private rest: Buffer[] = []
  private restBytes = 0

  constructor(delimiter: Buffer) {
    this.delimiter = delimiter
  }

  /** The lines that this chunk completes, without their delimiter. They are views of the chunk where they can be. */
  *push(chunk: Buffer): Generator<Buffer> {
    // A delimiter of several bytes may straddle two chunks: then the seam is searched in the joined bytes.
    const joined = this.restBytes > 0 && (this.delimiter.length > 1 || chunk.includes(this.delimiter))
    const bytes = joined ? Buffer.concat([...this.rest, chunk]) : chunk
    if (joined) this.clear()
    let start = 0
    for (;;) {
      const end = bytes.indexOf(this.delimiter, start)
      if (end < 0) break
      yield bytes.subarray(start, end)
      start = end + this.delimiter.length
    }
    if (start === bytes.length) return
    this.rest.push(bytes.subarray(start))
    this.restBytes += bytes.length - start
    if (this.restBytes > MAX_LINE_BYTES) throw new Error(`a record without delimiter exceeds ${MAX_LINE_BYTES} bytes`)
  }

  /** What came after the last delimiter; null if nothing did. */
  end(): Buffer | null {
    if (this.restBytes === 0) return null
    const last = Buffer.concat(this.rest)
    this.clear()
    return last
  }

  private clear(): void {
    this.rest = []
    this.restBytes = 0
  }
}

/** `\n`, `\t`, `\0`, `\e`, `\xHH` and `\\` as people write them on a command line. */
export function unescapeText(text: string): string {
  return text.replace(/\\(x[0-9a-fA-F]{2}|.)/g, (_all, code: string) => {
    if (code.length === 3) return String.fromCharCode(Number.parseInt(code.slice(1), 16))
    return { n: '\n', r: '\r', t: '\t', 0: '\0', e: '\x1b', '\\': '\\' }[code] ?? `\\${code}`
  })
}
