/** Reads a file of record batches from beginning to end and checks that it is nothing else: whole batches, rising offsets, right checksums. */
import { open } from 'node:fs/promises'
import { BatchCursor, isIntact } from '../../log/batch-cursor.ts'
import { BATCH_HEADER_BYTES } from '../../records/header.ts'

const PIECE_BYTES = 4 * 1024 * 1024

export interface VerifiedLog {
  readonly batches: number
  /** Base offset of the first batch, offset after the last one; both 0 of an empty file. */
  readonly firstOffset: number
  readonly nextOffset: number
}

/** What is right about the file, or a sentence that says what is not. */
export async function verifyLogFile(path: string): Promise<VerifiedLog | string> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    const cursor = new BatchCursor()
    let buffer: Buffer = Buffer.allocUnsafeSlow(Math.max(BATCH_HEADER_BYTES, Math.min(PIECE_BYTES, size)))
    const found = { batches: 0, firstOffset: 0, nextOffset: 0 }
    for (let position = 0; position < size; ) {
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, size - position), position)
      let at = 0
      while (cursor.load(buffer, at, bytesRead)) {
        const problem = cursor.problem(found.nextOffset, size - position - at)
        if (problem !== null) return `at byte ${position + at}: ${problem}`
        if (at + cursor.sizeBytes > bytesRead) break
        if (!isIntact(buffer, at, cursor.sizeBytes, cursor.magic)) {
          return `at byte ${position + at}: the checksum of the batch at offset ${cursor.baseOffset} is wrong`
        }
        if (found.batches === 0) found.firstOffset = cursor.baseOffset
        found.batches++
        found.nextOffset = cursor.lastOffset + 1
        at += cursor.sizeBytes
      }
      if (at === 0) {
        // Not one whole batch: either it is larger than the buffer, or the file ends within it.
        if (bytesRead < BATCH_HEADER_BYTES || cursor.sizeBytes <= buffer.length) {
          return `at byte ${position}: an incomplete batch of ${size - position} bytes`
        }
        buffer = Buffer.allocUnsafeSlow(cursor.sizeBytes)
      }
      position += at
    }
    return found
  } finally {
    await file.close()
  }
}
