// The producer snapshots in a log's folder: when one is due, which of the old ones stay. Owned by the log; what is in a snapshot is
// producer-snapshot.ts, reading one at a start producer-replay.ts.

import { DiskError } from '../storage/disk.ts'
import { offsetFileName, offsetInName, SNAPSHOT_SUFFIX } from './file-names.ts'
import type { Log } from './log.ts'
import { encodeSnapshot } from './producer-snapshot.ts'
import type { LogServices } from './services.ts'

/** Between two snapshots in the same segment at least this much was appended. */
const SNAPSHOT_EVERY_BYTES = 1024 * 1024

export class SnapshotFiles {
  /** Offset of the newest snapshot on file, -1 without one. */
  newestOffset: number
  readonly #log: Log
  #services: LogServices
  #version: number
  /** Size of the log when the newest snapshot was written. */
  #atBytes: number

  constructor(log: Log, services: LogServices, newestOffset: number) {
    this.#log = log
    this.#services = services
    this.newestOffset = newestOffset
    this.#version = log.producers.version
    this.#atBytes = log.segments.sizeBytes
  }

  /** Writes the producers' state at the end of what is written. Nothing may be queued. */
  save(): void {
    const log = this.#log
    const offset = log.writtenOffset
    if (this.newestOffset === offset && this.#version === log.producers.version) return
    const name = offsetFileName(offset, SNAPSHOT_SUFFIX)
    this.#services.disk.writeWhole(`${log.directory}/${name}`, encodeSnapshot(log.producers.entries()))
    log.unsyncedFiles.add(name)
    log.folderUnsynced = true
    this.#atBytes = log.sizeBytes
    const previous = this.newestOffset
    this.newestOffset = offset
    this.#version = log.producers.version
    // Only those at a segment's beginning, and the newest, are worth keeping.
    if (previous >= 0 && previous < offset && !log.segments.all.some((segment) => segment.baseOffset === previous)) {
      const old = offsetFileName(previous, SNAPSHOT_SUFFIX)
      log.unsyncedFiles.delete(old)
      this.#services.disk.remove(`${log.directory}/${old}`)
    }
  }

  /** One if enough was appended since the last. The state can be had from the log, so a disk that is full must not stop the work. */
  saveIfDue(): void {
    if (Math.abs(this.#log.sizeBytes - this.#atBytes) < SNAPSHOT_EVERY_BYTES) return
    try {
      this.save()
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#services.logger.warn('Cannot write a producer snapshot', { file: error.path, reason: error.message })
    }
  }

  remove(which: (offset: number) => boolean): void {
    let newest = -1
    for (const name of this.#services.disk.list(this.#log.directory)) {
      const offset = offsetInName(name, SNAPSHOT_SUFFIX)
      if (offset === null) continue
      if (which(offset)) this.removeAt(offset)
      else newest = Math.max(newest, offset)
    }
    this.newestOffset = newest
  }

  removeAt(offset: number): void {
    const name = offsetFileName(offset, SNAPSHOT_SUFFIX)
    this.#log.unsyncedFiles.delete(name)
    this.#services.disk.remove(`${this.#log.directory}/${name}`)
  }

  /** The log lies in another folder now, where its state as of the offset is on file. */
  relocated(services: LogServices, newestOffset: number): void {
    this.#services = services
    this.newestOffset = newestOffset
    this.#version = -1
    this.#atBytes = this.#log.sizeBytes
  }
}
