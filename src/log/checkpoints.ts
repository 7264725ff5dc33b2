// The small text files of the data folder: Kafka's checkpoint files, meta.properties, partition.metadata and the clean-stop marker.
// Text in, values out and back; reading and writing the files is the caller's. A file that cannot be understood is a reason, not
// an exception: all of these are hints that can be rebuilt, except meta.properties, whose reader refuses to start.

/** What a parser says about a text: its content, or why it has none. */
export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string }

const CHECKPOINT_VERSION = 0

function parseLines(text: string, columns: number): Parsed<string[][]> {
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  const [version, count, ...entries] = lines
  if (version === undefined) return { ok: true, value: [] }
  if (version.trim() !== String(CHECKPOINT_VERSION)) return { ok: false, reason: `version ${version.slice(0, 20)}` }
  if (count === undefined) return { ok: true, value: [] }
  if (!/^\s*\d+\s*$/.test(count)) return { ok: false, reason: `entry count '${count.slice(0, 20)}'` }
  if (Number(count) !== entries.length)
    return { ok: false, reason: `${entries.length} entries instead of ${Number(count)}` }
  const fields: string[][] = []
  for (const [index, line] of entries.entries()) {
    const parts = line.trim().split(/\s+/)
    if (parts.length !== columns) return { ok: false, reason: `line ${index + 3} is malformed` }
    fields.push(parts)
  }
  return { ok: true, value: fields }
}

function formatLines(lines: readonly string[]): Buffer {
  return Buffer.from([CHECKPOINT_VERSION, lines.length, ...lines, ''].join('\n'))
}

function wholeNumber(text: string | undefined): number | null {
  if (text === undefined || !/^-?\d{1,19}$/.test(text)) return null
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : null
}

export interface OffsetEntry {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** recovery-point-, log-start-, replication- and cleaner-offset-checkpoint: `topic partition offset`. */
export function parseOffsetCheckpoint(text: string): Parsed<OffsetEntry[]> {
  const lines = parseLines(text, 3)
  if (!lines.ok) return lines
  const entries: OffsetEntry[] = []
  for (const [topic, partitionText, offsetText] of lines.value) {
    const partition = wholeNumber(partitionText)
    const offset = wholeNumber(offsetText)
    if (topic === undefined || partition === null || partition < 0 || offset === null || offset < 0) {
      return { ok: false, reason: `entry '${topic} ${partitionText} ${offsetText}' is malformed` }
    }
    entries.push({ topic, partition, offset })
  }
  return { ok: true, value: entries }
}

export function formatOffsetCheckpoint(entries: readonly OffsetEntry[]): Buffer {
  return formatLines(entries.map((entry) => `${entry.topic} ${entry.partition} ${entry.offset}`))
}

export interface EpochEntry {
  readonly epoch: number
  readonly startOffset: number
}

/** leader-epoch-checkpoint: `epoch startOffset`, both columns ascending. */
export function parseEpochCheckpoint(text: string): Parsed<EpochEntry[]> {
  const lines = parseLines(text, 2)
  if (!lines.ok) return lines
  const entries: EpochEntry[] = []
  for (const [epochText, startText] of lines.value) {
    const epoch = wholeNumber(epochText)
    const startOffset = wholeNumber(startText)
    if (epoch === null || epoch < 0 || startOffset === null || startOffset < 0) {
      return { ok: false, reason: `entry '${epochText} ${startText}' is malformed` }
    }
    const previous = entries.at(-1)
    if (previous !== undefined && (epoch <= previous.epoch || startOffset < previous.startOffset)) {
      return { ok: false, reason: `entry '${epochText} ${startText}' is out of order` }
    }
    entries.push({ epoch, startOffset })
  }
  return { ok: true, value: entries }
}

export function formatEpochCheckpoint(entries: readonly EpochEntry[]): Buffer {
  return formatLines(entries.map((entry) => `${entry.epoch} ${entry.startOffset}`))
}

/** What a clean stop knew of a segment. If the sizes still agree at the next start, nothing of it has to be read. */
export interface SegmentFacts {
  readonly baseOffset: number
  readonly endOffset: number
  readonly logBytes: number
  readonly offsetIndexBytes: number
  readonly timeIndexBytes: number
  readonly maxTimestamp: number
  readonly offsetOfMaxTimestamp: number
}

export interface SegmentFactsEntry extends SegmentFacts {
  readonly topic: string
  readonly partition: number
}

/** samsa-clean-stop, a file of Samsa's own in the form of the others. */
export function parseSegmentFacts(text: string): Parsed<SegmentFactsEntry[]> {
  const lines = parseLines(text, 9)
  if (!lines.ok) return lines
  const entries: SegmentFactsEntry[] = []
  for (const [topic, ...texts] of lines.value) {
    const numbers = texts.map(wholeNumber)
    if (topic === undefined || numbers.includes(null)) return { ok: false, reason: `entry of '${topic}' is malformed` }
    const [
      partition,
      baseOffset,
      endOffset,
      logBytes,
      offsetIndexBytes,
      timeIndexBytes,
      maxTimestamp,
      offsetOfMaxTimestamp,
    ] = numbers as [number, number, number, number, number, number, number, number]
    entries.push({
      topic,
      partition,
      baseOffset,
      endOffset,
      logBytes,
      offsetIndexBytes,
      timeIndexBytes,
      maxTimestamp,
      offsetOfMaxTimestamp,
    })
  }
  return { ok: true, value: entries }
}

export function formatSegmentFacts(entries: readonly SegmentFactsEntry[]): Buffer {
  return formatLines(
    entries.map((entry) =>
      [
        entry.topic,
        entry.partition,
        entry.baseOffset,
        entry.endOffset,
        entry.logBytes,
        entry.offsetIndexBytes,
        entry.timeIndexBytes,
        entry.maxTimestamp,
        entry.offsetOfMaxTimestamp,
      ].join(' '),
    ),
  )
}

/** One of the data folders of a broker, by its own id: a path may change. */
export interface KnownFolder {
  readonly directoryId: string
  readonly path: string
}

/** samsa-folders, a file of Samsa's own: a line `id path` for each. */
export function parseFolders(text: string): Parsed<KnownFolder[]> {
  const folders: KnownFolder[] = []
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    const space = line.indexOf(' ')
    const directoryId = line.slice(0, space)
    if (space < 0 || !isUuid(directoryId)) return { ok: false, reason: `line '${line.slice(0, 60)}' is malformed` }
    folders.push({ directoryId, path: line.slice(space + 1) })
  }
  return { ok: true, value: folders }
}

export function formatFolders(folders: readonly KnownFolder[]): Buffer {
  const head =
    '# The data folders of this broker: a start without one of them does not make its partitions anew in the others.\n'
  return Buffer.from(head + folders.map(({ directoryId, path }) => `${directoryId} ${path}\n`).join(''))
}

export const ZERO_UUID = 'AAAAAAAAAAAAAAAAAAAAAA'

export function parsePartitionMetadata(text: string): Parsed<string> {
  const fields = new Map<string, string>()
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue
    const match = /^\s*([^:\s]+)\s*:\s+(\S+)\s*$/.exec(line)
    if (match === null) return { ok: false, reason: `line '${line.slice(0, 60)}' is malformed` }
    fields.set(match[1] ?? '', match[2] ?? '')
  }
  if (fields.get('version') !== '0') return { ok: false, reason: `version ${fields.get('version') ?? 'missing'}` }
  const id = fields.get('topic_id') ?? ''
  if (!isUuid(id) || id === ZERO_UUID) return { ok: false, reason: `topic id '${id.slice(0, 40)}'` }
  return { ok: true, value: id }
}

export function formatPartitionMetadata(topicId: string): Buffer {
  return Buffer.from(`version: 0\ntopic_id: ${topicId}`)
}

function isUuid(text: string): boolean {
  return /^[A-Za-z0-9_-]{22}$/.test(text)
}

export interface MetaProperties {
  readonly clusterId: string
  readonly nodeId: number
  /** Null in a file written before directories had ids. */
  readonly directoryId: string | null
}

export function parseMetaProperties(text: string): Parsed<MetaProperties> {
  const properties = new Map<string, string>()
  for (const line of text.split(/\r?\n/)) {
    const trimmed = line.trim()
    if (trimmed === '' || trimmed.startsWith('#') || trimmed.startsWith('!')) continue
    const match = /^([^=:\s]+)\s*[=:\s]\s*(.*)$/.exec(trimmed)
    if (match !== null) properties.set(match[1] ?? '', (match[2] ?? '').replace(/\\(.)/g, '$1'))
  }
  const version = properties.get('version') ?? '0'
  if (version !== '0' && version !== '1') return { ok: false, reason: `version ${version}` }
  const clusterId = properties.get('cluster.id')
  if (clusterId === undefined || clusterId === '') return { ok: false, reason: 'no cluster.id' }
  const nodeKey = version === '1' ? 'node.id' : 'broker.id'
  const nodeId = wholeNumber(properties.get(nodeKey))
  if (nodeId === null || nodeId < 0) return { ok: false, reason: `no valid ${nodeKey}` }
  const directoryId = properties.get('directory.id') ?? null
  if (directoryId !== null && !isUuid(directoryId)) return { ok: false, reason: `directory.id '${directoryId}'` }
  return { ok: true, value: { clusterId, nodeId, directoryId } }
}

export function formatMetaProperties(meta: MetaProperties): Buffer {
  const lines = ['version=1', `cluster.id=${escapeProperty(meta.clusterId)}`, `node.id=${meta.nodeId}`]
  if (meta.directoryId !== null) lines.push(`directory.id=${escapeProperty(meta.directoryId)}`)
  return Buffer.from(`#\n${lines.join('\n')}\n`)
}

function escapeProperty(value: string): string {
  return value.replace(/[\\:=#! ]/g, (character) => `\\${character}`)
}

/** The marker of a clean stop. Loading looks only at whether it is there. */
export function formatCleanShutdown(brokerEpoch: number): Buffer {
  return Buffer.from(JSON.stringify({ version: 0, brokerEpoch }))
}
