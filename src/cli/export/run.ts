/** Runs an export: which partitions and segments, one after the other, with retries, progress and a summary. */
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { formatHostPort, type HostPort, parseHostPort } from '../../client/address.ts'
import type { SegmentListing, TopicListing } from '../../http/listing.ts'
import { CliError, usageError } from '../errors.ts'
import type { FormatOptions } from '../options.ts'
import { note, Progress, print, printJson, table } from '../output.ts'
import { type ConnectionOptions, settingsFor } from '../profile/settings.ts'
import { ExportFailure, HttpLogs } from './http-logs.ts'
import { Manifest } from './manifest.ts'
import { exportSegment } from './segment-export.ts'

export interface ExportOptions extends FormatOptions, Pick<ConnectionOptions, 'profile' | 'property' | 'profilesFile'> {
  readonly output: string
  readonly partition?: readonly number[]
  readonly from?: number
  readonly http?: HostPort
}

interface ExportedPartition {
  readonly partition: number
  readonly directory: string
  /** Null where there is nothing to export. */
  readonly firstOffset: number | null
  readonly nextOffset: number | null
  readonly segments: number
  readonly segmentsFetched: number
  readonly bytes: number
  readonly bytesFetched: number
}

/** Tries of one segment in a row that brought nothing new. */
const TRIES = 5
const RETRY_AFTER_MS = 500

export async function exportTopic(topic: string, options: ExportOptions): Promise<void> {
  const startedMs = performance.now()
  const logs = new HttpLogs(await httpAddress(options), topic)
  try {
    const listing = await logs.topic()
    const exported: ExportedPartition[] = []
    for (const partition of wantedPartitions(listing, options)) {
      exported.push(await new PartitionExport(logs, listing, partition, options).run())
    }
    await report(listing, exported, options, (performance.now() - startedMs) / 1000)
  } catch (error) {
    if (!(error instanceof ExportFailure)) throw error
    throw new CliError(error.mayRetry ? `${error.message}; run it again to continue` : error.message)
  }
}

async function httpAddress(options: ExportOptions): Promise<HostPort> {
  const given = options.http === undefined ? undefined : formatHostPort(options.http)
  const settings = await settingsFor(options, { 'http.address': given })
  const address = parseHostPort(settings.get('http.address') ?? '')
  if (typeof address === 'string') throw usageError(`http.address: ${address}`)
  return address
}

function wantedPartitions({ topic, partitions }: TopicListing, options: ExportOptions): number[] {
  const all = partitions.map(({ partition }) => partition)
  const wanted = [...new Set(options.partition ?? all)]
  const missing = wanted.filter((partition) => !all.includes(partition))
  if (missing.length === 0) return wanted
  throw new CliError(`topic '${topic}' has no partition ${missing.join(', ')}, only 0 to ${all.length - 1}`)
}

class PartitionExport {
  readonly #logs: HttpLogs
  readonly #partition: number
  readonly #from: number
  readonly #folder: string
  readonly #progress = new Progress()
  readonly #startedMs = performance.now()
  #bytesToDo = 0
  #bytesDone = 0
  #bytesFetched = 0
  #segmentsFetched = 0

  constructor(logs: HttpLogs, { topic }: TopicListing, partition: number, options: ExportOptions) {
    this.#logs = logs
    this.#partition = partition
    this.#from = options.from ?? 0
    this.#folder = resolve(join(options.output, `${topic}-${partition}`))
  }

  async run(): Promise<ExportedPartition> {
    mkdirSync(this.#folder, { recursive: true })
    const manifest = new Manifest(this.#folder)
    const segments = await this.#segments()
    this.#bytesToDo = segments.reduce((sum, { bytes }) => sum + bytes, 0)
    const exported: SegmentListing[] = []
    for (const segment of segments) {
      const done = await this.#exportWithRetries(segment, manifest)
      if (done !== null) exported.push(done)
    }
    this.#progress.clear()
    return {
      partition: this.#partition,
      directory: this.#folder,
      firstOffset: exported[0]?.baseOffset ?? null,
      nextOffset: exported.at(-1)?.nextOffset ?? null,
      segments: exported.length,
      segmentsFetched: this.#segmentsFetched,
      bytes: exported.reduce((sum, { bytes }) => sum + bytes, 0),
      bytesFetched: this.#bytesFetched,
    }
  }

  /** Those that hold records at or after the wanted offset. */
  async #segments(): Promise<SegmentListing[]> {
    const { segments } = await this.#logs.segments(this.#partition)
    return segments.filter(({ nextOffset, bytes }) => nextOffset > this.#from && bytes > 0)
  }

  /** The segment as it was exported; null if it has been deleted before it could be. */
  async #exportWithRetries(listed: SegmentListing, manifest: Manifest): Promise<SegmentListing | null> {
    let segment: SegmentListing | undefined = listed
    const doneBefore = this.#bytesDone
    let best = 0
    const onBytes = (bytes: number): void => {
      this.#bytesDone = doneBefore + bytes
      this.#show(listed.file)
    }
    for (let tries = 1; ; tries++) {
      try {
        const job = { logs: this.#logs, manifest, folder: this.#folder, partition: this.#partition, segment, onBytes }
        const { outcome, bytesFetched } = await exportSegment(job)
        this.#bytesDone = doneBefore + segment.bytes
        this.#bytesFetched += bytesFetched
        if (outcome === 'fetched') this.#segmentsFetched++
        return segment
      } catch (error) {
        if (!(error instanceof ExportFailure) || !error.mayRetry) throw error
        const progressed = this.#bytesDone - doneBefore
        if (progressed > best) tries = 1
        best = Math.max(best, progressed)
        if (tries >= TRIES) throw error
        this.#progress.clear()
        await note(`samsa: ${error.message}; trying again`)
        await Bun.sleep(RETRY_AFTER_MS * tries)
      }
      segment = (await this.#segmentsAgain()).find(({ baseOffset }) => baseOffset === listed.baseOffset)
      if (segment === undefined) {
        await note(`samsa: ${listed.file} of partition ${this.#partition} was deleted before it was exported`)
        this.#bytesDone = doneBefore
        return null
      }
    }
  }

  /** A broker that cannot be reached counts as a try like any other. */
  async #segmentsAgain(): Promise<SegmentListing[]> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#segments()
      } catch (error) {
        if (!(error instanceof ExportFailure) || !error.mayRetry || tries >= TRIES) throw error
        await Bun.sleep(RETRY_AFTER_MS * tries)
      }
    }
  }

  #show(file: string): void {
    this.#progress.update(() => {
      const seconds = (performance.now() - this.#startedMs) / 1000
      const rate = this.#bytesDone / Math.max(seconds, 0.001)
      const left = Math.ceil((this.#bytesToDo - this.#bytesDone) / Math.max(rate, 1))
      const share = Math.floor((100 * this.#bytesDone) / Math.max(this.#bytesToDo, 1))
      const done = `${mebibytes(this.#bytesDone)} of ${mebibytes(this.#bytesToDo)} MiB (${share} %)`
      return `partition ${this.#partition}, ${file}: ${done}, ${mebibytes(rate)} MiB/s, ${left} s left`
    })
  }
}

async function report(
  { topic, topicId }: TopicListing,
  partitions: readonly ExportedPartition[],
  options: ExportOptions,
  seconds: number,
): Promise<void> {
  const bytesFetched = partitions.reduce((sum, each) => sum + each.bytesFetched, 0)
  if (options.format === 'json') {
    await printJson({ topic, topicId, partitions, bytesFetched, seconds: Number(seconds.toFixed(3)) })
    return
  }
  const rows = partitions.map((each) => [
    String(each.partition),
    each.firstOffset === null ? '-' : `${each.firstOffset} .. ${(each.nextOffset ?? 0) - 1}`,
    `${each.segments} (${each.segmentsFetched} new)`,
    mebibytes(each.bytes),
    mebibytes(each.bytesFetched),
    each.directory,
  ])
  await print(table(['PARTITION', 'OFFSETS', 'SEGMENTS', 'MIB', 'FETCHED', 'DIRECTORY'], rows))
  const rate = mebibytes(bytesFetched / Math.max(seconds, 0.001))
  await note(
    bytesFetched === 0
      ? 'samsa: nothing new to fetch'
      : `samsa: ${mebibytes(bytesFetched)} MiB fetched in ${seconds.toFixed(1)} s (${rate} MiB/s), all checksums right`,
  )
}

function mebibytes(bytes: number): string {
  return (bytes / (1024 * 1024)).toFixed(1)
}
