/**
 * Brings one segment into one file. The bytes gather in `<file>.part`; when they are all there and every checksum is right, they are synced
 * and the file gets its name.
 *
 * What must hold: a file with its name is complete; bytes that are kept from an earlier run are the broker's, which the entity
 * tag that was noted before them proves.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import type { SegmentListing } from '../../http/listing.ts'
import { ExportFailure, type HttpLogs, type SegmentAddress } from './http-logs.ts'
import type { Manifest } from './manifest.ts'
import { type VerifiedLog, verifyLogFile } from './verify.ts'

/** Asked for at once: what the runtime may gather in memory where the disk is slower than the line. */
const RANGE_BYTES = 32 * 1024 * 1024

export interface SegmentExport {
  readonly logs: HttpLogs
  readonly manifest: Manifest
  readonly folder: string
  readonly partition: number
  readonly segment: SegmentListing
  /** So many bytes are in the file now. */
  readonly onBytes: (bytes: number) => void
}

export interface ExportedSegment {
  readonly outcome: 'fetched' | 'present'
  readonly bytesFetched: number
}

export async function exportSegment(job: SegmentExport): Promise<ExportedSegment> {
  const { logs, manifest, folder, partition, segment } = job
  const { file, bytes } = segment
  const path = join(folder, file)
  const kept = await keptBytes(job, path)
  job.onBytes(kept)
  if (kept === bytes && existsSync(path)) return { outcome: 'present', bytesFetched: 0 }
  const part = `${path}.part`
  if (existsSync(path)) renameSync(path, part)
  const address: SegmentAddress = { partition, file, bytes }
  const entityTag = await logs.entityTag(address)
  if (entityTag === null) throw changed(job)
  manifest.set(file, { entityTag, bytes })
  const bytesFetched = await fetchRest(job, address, entityTag, part, kept)
  const verified = await verifyLogFile(part)
  if (typeof verified === 'string' || !isWithin(verified, segment)) {
    rmSync(part)
    const reason = typeof verified === 'string' ? verified : 'its offsets are not those of the segment'
    throw new ExportFailure(`${file} of partition ${partition} came damaged: ${reason}`, { mayRetry: true })
  }
  finish(part, path)
  return { outcome: 'fetched', bytesFetched }
}

/** How much of the segment is on file already, in the one form or the other. What cannot be proven to be its beginning is removed. */
async function keptBytes({ logs, manifest, partition, segment }: SegmentExport, path: string): Promise<number> {
  const { file, bytes } = segment
  const known = manifest.get(file)
  const onFile = existsSync(path) ? path : `${path}.part`
  if (!existsSync(onFile)) return 0
  const have = statSync(onFile).size
  if (known !== null && have <= known.bytes && known.bytes <= bytes) {
    const entityTag = await logs.entityTag({ partition, file, bytes: known.bytes })
    if (entityTag === known.entityTag) return have
  }
  rmSync(onFile)
  return 0
}

async function fetchRest(
  job: SegmentExport,
  address: SegmentAddress,
  entityTag: string,
  part: string,
  kept: number,
): Promise<number> {
  const descriptor = openSync(part, kept === 0 ? 'w' : 'r+')
  let position = kept
  try {
    while (position < address.bytes) {
      const end = Math.min(position + RANGE_BYTES, address.bytes)
      const { isPart, body } = await job.logs.range(address, entityTag, position, end)
      if (!isPart && (position > 0 || end < address.bytes)) throw changed(job)
      for await (const chunk of body) {
        if (position + chunk.length > end) throw new ExportFailure('the broker sent more than it was asked for')
        for (let done = 0; done < chunk.length; ) {
          done += writeSync(descriptor, chunk, done, chunk.length - done, position + done)
        }
        position += chunk.length
        job.onBytes(position)
      }
      if (position < end) throw new ExportFailure('the download ended early', { mayRetry: true })
    }
    ftruncateSync(descriptor, address.bytes)
    fsyncSync(descriptor)
  } catch (error) {
    if (error instanceof ExportFailure) throw error
    if ((error as NodeJS.ErrnoException).syscall !== undefined) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw new ExportFailure(`the download broke off: ${reason}`, { mayRetry: true, cause: error })
  } finally {
    closeSync(descriptor)
  }
  return address.bytes - kept
}

/** The name counts once the folder is synced. */
function finish(part: string, path: string): void {
  renameSync(part, path)
  const descriptor = openSync(dirname(path), 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function isWithin({ batches, firstOffset, nextOffset }: VerifiedLog, segment: SegmentListing): boolean {
  return batches > 0 && firstOffset >= segment.baseOffset && nextOffset <= segment.nextOffset
}

function changed({ partition, segment }: SegmentExport): ExportFailure {
  const message = `${segment.file} of partition ${partition} was replaced meanwhile`
  return new ExportFailure(message, { mayRetry: true, code: 'changed' })
}
