/**
 * The routes that serve logs: which partitions a topic has, which segments a partition, one segment's file, and a partition as one stream
 * of record batches. What is served is what lies on disk, up to the high watermark and never beyond.
 */
import { createHash } from 'node:crypto'
import type { BrokerContext } from '../broker/api.ts'
import type { Partition } from '../broker/partition.ts'
import { LOG_SUFFIX, offsetFileName } from '../log/file-names.ts'
import type { Log } from '../log/log.ts'
import type { Segment } from '../log/segment.ts'
import { isCurrent, positionOf, readableEnd, type SegmentView, viewSegment } from '../log/segment-view.ts'
import { errorName } from '../protocol/errors.ts'
import { type ByteRange, contentRange, matchesEntityTag, parseByteRange } from './byte-range.ts'
import type { SegmentListing, SegmentsListing, TopicListing } from './listing.ts'
import { LogBytes, type SegmentPart } from './log-bytes.ts'
import { HttpError, type HttpRequest, jsonReply, type Reply } from './reply.ts'

const OCTETS = 'application/octet-stream'

export function listPartitions(broker: BrokerContext, topic: string): Reply {
  const partitions = broker.partitions.ofTopic(topic)
  if (partitions === undefined) throw unknownTopic(topic)
  const listing: TopicListing = {
    topic,
    topicId: partitions[0]?.topicId ?? '',
    partitions: partitions.map(({ index, log }) => ({
      partition: index,
      available: log !== null,
      logStartOffset: log?.logStartOffset ?? null,
      highWatermark: log?.highWatermark ?? null,
      bytes: log?.sizeBytes ?? null,
    })),
  }
  return jsonReply(listing)
}

export async function listSegments(broker: BrokerContext, topic: string, index: number): Promise<Reply> {
  const log = logOf(broker, topic, index)
  const { logStartOffset, highWatermark } = log
  const segments = await Promise.all(
    log.segments.all
      .filter((segment) => segment.baseOffset < highWatermark || segment === log.segments.active)
      .map(async (segment): Promise<SegmentListing> => {
        const end = readableEnd(log, segment)
        const isWhole = end === log.segments.upperBound(segment)
        return {
          baseOffset: segment.baseOffset,
          nextOffset: Math.max(end, segment.baseOffset),
          bytes: isWhole ? segment.sizeBytes : (await viewSegment(log, segment)).sizeBytes,
          state: segment.sealed ? 'sealed' : 'active',
          lastModified: lastModified(broker, segment)?.toISOString() ?? null,
          file: offsetFileName(segment.baseOffset, LOG_SUFFIX),
        }
      }),
  )
  const { topicId } = log
  const listing: SegmentsListing = { topic, partition: index, topicId, logStartOffset, highWatermark, segments }
  return jsonReply(listing)
}

/** `?size=N` asks for the first N bytes of the segment as if they were all: that does not change while the segment grows. */
export async function getSegment(
  broker: BrokerContext,
  topic: string,
  index: number,
  baseOffset: number,
  request: HttpRequest,
): Promise<Reply> {
  const log = logOf(broker, topic, index)
  const segment = log.segments.floor(baseOffset)
  if (segment === null || segment.baseOffset !== baseOffset) throw unknownSegment(log, baseOffset)
  const wanted = wholeNumber(request, 'size')
  const view = await viewSegment(log, segment, wanted ?? Number.MAX_SAFE_INTEGER).catch((error: unknown) => {
    throw isCurrent(log, segment) ? error : unknownSegment(log, baseOffset)
  })
  if (!isCurrent(log, segment)) throw unknownSegment(log, baseOffset)
  if (wanted !== null && view.sizeBytes !== wanted) {
    const message = `no batch of this segment ends at ${wanted} bytes; up to there whole batches take ${view.sizeBytes}`
    throw new HttpError(416, 'size_not_available', message, { details: { bytes: view.sizeBytes } })
  }
  const entityTag = entityTagOf(log, view)
  const modified = lastModified(broker, segment)
  const headers: Record<string, string> = {
    etag: entityTag,
    'accept-ranges': 'bytes',
    'cache-control': 'no-cache',
    'samsa-first-offset': String(segment.baseOffset),
    'samsa-next-offset': String(view.nextOffset),
    ...(modified === null ? {} : { 'last-modified': modified.toUTCString() }),
  }
  if (matchesEntityTag(request.header('if-none-match'), entityTag)) return { status: 304, headers, body: '' }
  const range = rangeOf(request, view.sizeBytes, entityTag)
  if (range === null) return octets(200, headers, log, [{ segment, start: 0, end: view.sizeBytes }])
  const described = { ...headers, 'content-range': contentRange(range, view.sizeBytes) }
  return octets(206, described, log, [{ segment, ...range }])
}

/** All batches from the one that holds the offset, in one body. It can be resumed by asking for the offset after the last whole batch. */
export async function getRecords(
  broker: BrokerContext,
  topic: string,
  index: number,
  request: HttpRequest,
): Promise<Reply> {
  const log = logOf(broker, topic, index)
  const from = wholeNumber(request, 'from') ?? log.logStartOffset
  const { highWatermark } = log
  if (from < log.logStartOffset || from > highWatermark) throw offsetOutOfRange(log, from)
  const { cuts } = log
  const parts: SegmentPart[] = []
  for (
    let segment = log.segments.floor(from);
    segment !== null && segment.baseOffset < highWatermark;
    segment = log.segments.after(segment)
  ) {
    const start = parts.length === 0 && from > segment.baseOffset ? await positionOf(segment, from) : 0
    const isWhole = log.segments.upperBound(segment) <= highWatermark
    const end = isWhole ? segment.sizeBytes : await positionOf(segment, highWatermark)
    if (log.cuts !== cuts) throw changedMeanwhile()
    if (start < end) parts.push({ segment, start, end })
  }
  const firstOffset = parts[0] === undefined ? from : await baseOffsetAt(log, parts[0])
  if (log.cuts !== cuts) throw changedMeanwhile()
  const headers = {
    'cache-control': 'no-store',
    'samsa-first-offset': String(firstOffset),
    'samsa-next-offset': String(highWatermark),
  }
  return octets(200, headers, log, parts)
}

function octets(status: number, headers: Record<string, string>, log: Log, parts: readonly SegmentPart[]): Reply {
  return { status, headers: { ...headers, 'content-type': OCTETS }, body: new LogBytes(log, parts) }
}

async function baseOffsetAt(log: Log, { segment, start }: SegmentPart): Promise<number> {
  const bytes = new LogBytes(log, [{ segment, start, end: start + 8 }])
  try {
    return Number((await bytes.next(8)).readBigInt64BE(0))
  } finally {
    bytes.release()
  }
}

/** Null: the whole. Throws the 416. */
function rangeOf(request: HttpRequest, sizeBytes: number, entityTag: string): ByteRange | null {
  if (request.method !== 'GET') return null
  const condition = request.header('if-range')
  // A date would be a weak validator here: a segment may grow twice within a second.
  if (condition !== undefined && condition !== entityTag) return null
  const range = parseByteRange(request.header('range'), sizeBytes)
  if (range !== 'unsatisfiable') return range
  throw new HttpError(416, 'range_not_satisfiable', `the segment has ${sizeBytes} bytes`, {
    details: { bytes: sizeBytes },
    headers: { 'content-range': `bytes */${sizeBytes}`, etag: entityTag },
  })
}

/**
 * Changes whenever the bytes do. A log only ever appends, removes batches (which makes it shorter) or goes another way from some leader
 * epoch on: with the length, the last batch's header (epoch, offsets, checksum, times) tells all of these apart.
 */
function entityTagOf(log: Log, { segment, sizeBytes, lastHeader }: SegmentView): string {
  const hash = createHash('sha256')
  hash.update(`${log.topicId} ${log.partition} ${segment.baseOffset} ${sizeBytes} `)
  hash.update(lastHeader)
  return `"${hash.digest('base64url').slice(0, 27)}"`
}

function lastModified(broker: BrokerContext, segment: Segment): Date | null {
  const stat = broker.disk.stat(segment.path)
  return stat === null ? null : new Date(stat.modifiedMs)
}

function logOf(broker: BrokerContext, topic: string, index: number): Log {
  const partition: Partition | undefined = broker.partitions.get(topic, index)
  if (partition === undefined) {
    const partitions = broker.partitions.ofTopic(topic)
    if (partitions === undefined) throw unknownTopic(topic)
    const message = `topic '${topic}' has no partition ${index}, only 0 to ${partitions.length - 1}`
    throw new HttpError(404, 'unknown_partition', message)
  }
  const refusal = partition.refusalFor(-1)
  if (refusal === null && partition.log !== null && !partition.log.closed) return partition.log
  const reason = refusal === null ? 'its log is closed' : errorName(refusal)
  throw new HttpError(503, 'partition_unavailable', `partition ${index} of '${topic}' is not available here: ${reason}`)
}

function wholeNumber(request: HttpRequest, name: string): number | null {
  const text = request.url.searchParams.get(name)
  if (text === null) return null
  if (/^\d+$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text)
  throw new HttpError(400, 'bad_parameter', `${name}: '${text}' is not a whole number, 0 or above`)
}

function unknownTopic(topic: string): HttpError {
  return new HttpError(404, 'unknown_topic', `there is no topic '${topic}'`)
}

function unknownSegment(log: Log, baseOffset: number): HttpError {
  const message = `no segment of ${log.name} begins at offset ${baseOffset}; the list of segments says which there are`
  return new HttpError(404, 'unknown_segment', message)
}

function offsetOutOfRange(log: Log, offset: number): HttpError {
  const { logStartOffset, highWatermark } = log
  const message = `offset ${offset} is outside of ${log.name}, which has ${logStartOffset} to ${highWatermark}`
  return new HttpError(416, 'offset_out_of_range', message, { details: { logStartOffset, highWatermark } })
}

/** Rare: retention or compaction went through while the body was put together. */
function changedMeanwhile(): HttpError {
  return new HttpError(503, 'log_changed', 'segments went away meanwhile; ask again', {
    headers: { 'retry-after': '0' },
  })
}
