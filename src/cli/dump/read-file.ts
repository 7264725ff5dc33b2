/** Reading what is dumped. Files are opened for reading only. */
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs'
import type { ByteSource } from '../../records/batch-file.ts'

export function withFile<T>(path: string, use: (source: ByteSource) => T): T {
  const { source, close } = openFile(path)
  try {
    return use(source)
  } finally {
    close()
  }
}

/** For readers that are generators: whoever opens closes. */
export function openFile(path: string): { readonly source: ByteSource; close(): void } {
  const descriptor = openSync(path, 'r')
  const source: ByteSource = {
    sizeBytes: fstatSync(descriptor).size,
    read: (buffer, length, position) => readSync(descriptor, buffer, 0, length, position),
  }
  return { source, close: () => closeSync(descriptor) }
}

export function readAll(path: string): Buffer {
  return withFile(path, (source) => {
    const bytes = Buffer.allocUnsafe(source.sizeBytes)
    let done = 0
    while (done < bytes.length) {
      const count = source.read(bytes.subarray(done), bytes.length - done, done)
      if (count === 0) break
      done += count
    }
    return bytes.subarray(0, done)
  })
}

/** The log that an index belongs to; null if it is not beside it. */
export function logBeside(indexPath: string, suffix: string): string | null {
  const path = `${indexPath.slice(0, indexPath.lastIndexOf(suffix))}.log`
  return existsSync(path) ? path : null
}
