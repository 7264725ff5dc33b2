// Bytes of a segment that are sent without being read: what a large fetch returns in place of a buffer.
//
// What must hold: the file is held from creation to `release`, so that neither the bound on open files nor a deletion of the segment takes
// it away; the bytes of a range are written once and never change (a log is cut only above its high watermark).

import type { StoredBytes } from '../protocol/schema.ts'
import type { DiskFile } from '../storage/disk.ts'

export class FileRange implements StoredBytes {
  readonly file: DiskFile
  readonly position: number
  readonly storedBytes: number

  constructor(file: DiskFile, position: number, storedBytes: number) {
    this.file = file
    this.position = position
    this.storedBytes = storedBytes
    file.hold()
  }

  release(): void {
    this.file.letGo()
  }
}
