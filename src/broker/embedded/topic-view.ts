/** A topic as a test sees it: made in one call, read without a client, awaited without sleeping. */
import { ErrorCode, errorName } from '../../protocol/errors.ts'
import { ZERO_UUID } from '../../protocol/schema.ts'
import { iterateRecords, readBatchHeader } from '../../records/batch.ts'
import { CONTROL_BIT } from '../../records/header.ts'
import type { BrokerContext } from '../api.ts'
import type { Partition } from '../partition.ts'

/** How a topic is made. */
export interface TopicOptions {
  /** `num.partitions` of the broker if left out. */
  readonly partitions?: number
  /** Kafka's topic settings. */
  readonly configs?: Readonly<Record<string, string>>
}

/** One record. Its memory is its own. */
export interface StoredRecord {
  /** The partition it is in. */
  readonly partition: number
  /** Its place there. */
  readonly offset: number
  /** Milliseconds since 1970. */
  readonly timestamp: number
  /** The key's bytes; null without one. */
  readonly key: Buffer | null
  /** The value's bytes; null for a tombstone. */
  readonly value: Buffer | null
  /** In the order in which they were sent. */
  readonly headers: readonly { readonly key: string; readonly value: Buffer | null }[]
}

/** Which records to look at. */
export interface ReadRecordsOptions {
  /** All of them if left out, one after the other. */
  readonly partition?: number
  /** `read_committed` leaves out what is of aborted or open transactions. */
  readonly isolation?: 'read_uncommitted' | 'read_committed'
}

/** Which records to wait for, and how long. */
export interface AwaitRecordsOptions extends ReadRecordsOptions {
  /** In real milliseconds; 5,000 if left out. */
  readonly timeoutMs?: number
}

/** What the view looks at; throws when the broker has been stopped. */
interface RunningBroker {
  readonly context: BrokerContext
  /** The broker was stopped or reset since. */
  readonly ended: AbortSignal
}

const DEFAULT_TIMEOUT_MS = 5_000
const READ_BYTES = 1024 * 1024

/** A topic as a test sees it, without a client. It may be kept: it always speaks of the topic that has the name now. */
export class TopicView {
  /** The topic's name. */
  readonly name: string
  readonly #broker: () => RunningBroker

  /** @internal */
  constructor(name: string, broker: () => RunningBroker) {
    this.name = name
    this.#broker = broker
  }

  /** Whether the broker has it now. */
  get exists(): boolean {
    return this.#broker().context.image.topic(this.name) !== undefined
  }

  /** Throws with Kafka's reason. */
  async create({ partitions = -1, configs = {} }: TopicOptions = {}): Promise<this> {
    const topic = {
      name: this.name,
      numPartitions: partitions,
      replicationFactor: -1,
      assignments: [],
      configs: Object.entries(configs).map(([name, value]) => ({ name, value })),
    }
    const [result] = await this.#broker().context.topics.create([topic], { validateOnly: false })
    if (result?.errorCode !== ErrorCode.NONE) throw this.#failure('create', result)
    return this
  }

  /** The topic and its records are gone. Throws with Kafka's reason. */
  async delete(): Promise<void> {
    const [result] = await this.#broker().context.topics.delete([{ name: this.name, topicId: ZERO_UUID }])
    if (result?.errorCode !== ErrorCode.NONE) throw this.#failure('delete', result)
  }

  /** By partition: the offset after the last record that consumers may read. */
  endOffsets(): number[] {
    return this.#partitions(undefined).map(({ log }) => log?.highWatermark ?? 0)
  }

  /** What consumers would read from the start on. Control records are left out. */
  async records(options: ReadRecordsOptions = {}): Promise<StoredRecord[]> {
    const found: StoredRecord[] = []
    for (const partition of this.#partitions(options.partition)) {
      found.push(...(await readPartition(partition, options.isolation ?? 'read_uncommitted')))
    }
    return found
  }

  /** The values as text; null for a tombstone. */
  async values(options: ReadRecordsOptions = {}): Promise<(string | null)[]> {
    return (await this.records(options)).map(({ value }) => value?.toString() ?? null)
  }

  /**
   * The records, as soon as there are so many, or as soon as the condition holds of them. Looks again whenever a partition changes. Throws
   * after `timeoutMs` with what there was, and when the broker is stopped or reset.
   */
  async waitFor(
    wanted: number | ((records: readonly StoredRecord[]) => boolean),
    { timeoutMs = DEFAULT_TIMEOUT_MS, ...options }: AwaitRecordsOptions = {},
  ): Promise<StoredRecord[]> {
    const isThere = typeof wanted === 'number' ? (records: readonly StoredRecord[]) => records.length >= wanted : wanted
    const deadline = performance.now() + timeoutMs
    const { ended } = this.#broker()
    for (;;) {
      if (ended.aborted)
        throw new Error(`the broker was stopped or reset while records of '${this.name}' were waited for`)
      const change = this.#nextChange(options.partition, deadline, ended)
      const records = await this.records(options)
      if (isThere(records)) {
        change.cancel()
        return records
      }
      if (!(await change.happened) && !ended.aborted) {
        throw new Error(
          `'${this.name}' did not get the records waited for within ${timeoutMs} ms: it has ${records.length}`,
        )
      }
    }
  }

  #partitions(index: number | undefined): readonly Partition[] {
    const all = this.#broker().context.partitions.ofTopic(this.name)
    if (all === undefined) throw new Error(`there is no topic '${this.name}'`)
    if (index === undefined) return all
    const one = all[index]
    if (one === undefined) throw new Error(`'${this.name}' has no partition ${index}`)
    return [one]
  }

  #nextChange(
    index: number | undefined,
    deadline: number,
    ended: AbortSignal,
  ): { happened: Promise<boolean>; cancel(): void } {
    const partitions = this.#partitions(index)
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const wait = { partitionChanged: () => finish(true) }
    const timer = setTimeout(() => finish(false), Math.max(0, deadline - performance.now()))
    const end = (): void => finish(false)
    ended.addEventListener('abort', end)
    const finish = (isChanged: boolean): void => {
      clearTimeout(timer)
      ended.removeEventListener('abort', end)
      for (const partition of partitions) partition.removeWait(wait)
      resolve(isChanged)
    }
    for (const partition of partitions) partition.addWait(wait)
    return { happened: promise, cancel: () => finish(false) }
  }

  #failure(what: string, result: { errorCode: number; errorMessage: string | null } | undefined): Error {
    const reason = result === undefined ? 'no answer' : `${result.errorMessage ?? ''} (${errorName(result.errorCode)})`
    return new Error(`cannot ${what} topic '${this.name}': ${reason}`)
  }
}

async function readPartition(partition: Partition, isolation: string): Promise<StoredRecord[]> {
  const { log, index } = partition
  if (log === null) return []
  const isCommitted = isolation === 'read_committed'
  const upTo = isCommitted ? log.lastStableOffset : log.highWatermark
  const found: StoredRecord[] = []
  for (let offset = log.logStartOffset; offset < upTo; ) {
    const read = await log.read(offset, { maxBytes: READ_BYTES, upTo, atLeastOne: true })
    if (read.errorCode !== ErrorCode.NONE) throw new Error(`'${log.name}' cannot be read: ${errorName(read.errorCode)}`)
    const aborted = isCommitted ? log.abortedTransactions(offset, read.nextOffset) : []
    found.push(...recordsIn(Buffer.from(read.data), index, aborted).filter((record) => record.offset >= offset))
    read.release()
    if (read.nextOffset <= offset) break
    offset = read.nextOffset
  }
  return found
}

/** A batch is of an aborted transaction if its producer's last marker, or the start of the list, says so. */
function recordsIn(
  data: Buffer,
  partition: number,
  aborted: readonly { producerId: number; firstOffset: number }[],
): StoredRecord[] {
  const found: StoredRecord[] = []
  const pending = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset)
  const inAborted = new Set<number>()
  for (let position = 0; position < data.length; ) {
    const header = readBatchHeader(data, position)
    const batch = data.subarray(position, position + header.sizeBytes)
    position += header.sizeBytes
    while (pending.length > 0 && pending[0]!.firstOffset <= header.baseOffset)
      inAborted.add(pending.shift()!.producerId)
    if ((header.attributes & CONTROL_BIT) !== 0) {
      inAborted.delete(header.producerId)
      continue
    }
    if (inAborted.has(header.producerId)) continue
    for (const record of iterateRecords(batch)) found.push({ partition, ...record })
  }
  return found
}
