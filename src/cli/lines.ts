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

const ESCAPE = /\\(x[0-9a-fA-F]+|\d+|[\s\S])/g
const NAMED: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', e: '\x1b' }

/**
 * `\n`, `\t`, `\r`, `\e`, `\xHH` and `\\` as people write them on a command line, as bytes: \xff is one. As in kcat, digits alone are decimal,
 * with a zero before them octal, and any other character stands for itself.
 */
export function unescapeBytes(text: string): Buffer {
  const parts: Buffer[] = []
  let from = 0
  for (const match of text.matchAll(ESCAPE)) {
    parts.push(Buffer.from(text.slice(from, match.index)), escaped(match[1] ?? ''))
    from = match.index + match[0].length
  }
  parts.push(Buffer.from(text.slice(from)))
  return Buffer.concat(parts)
}

function escaped(code: string): Buffer {
  if (/^x./.test(code)) return Buffer.from([Number.parseInt(code.slice(1), 16) & 0xff])
  if (/^\d/.test(code)) return Buffer.from([Number.parseInt(code, code.startsWith('0') ? 8 : 10) & 0xff])
  return Buffer.from(NAMED[code] ?? code)
}
