/**
 * What clients were promised, and whether what can be read keeps it. It knows nothing of the broker: clients tell it what they send and what
 * they are answered, readers what they see, and `check...` says, in sentences, what contradicts what.
 */

/** `unknown`: the commit was sent and its answer is not there; all of it or nothing. */
export type Outcome = 'open' | 'unknown' | 'committed' | 'aborted'

export interface SentRecord {
  readonly value: string
  readonly partition: string
  readonly key: string | null
  /** Null outside of transactions. */
  readonly transaction: ModelTransaction | null
  readonly isTombstone: boolean
  /** Once it was acknowledged or seen. */
  offset: number | null
  isAcknowledged: boolean
  /** When it was sent first; Infinity: not yet. */
  sentMs: number
}

export class ModelTransaction {
  readonly id: string
  outcome: Outcome = 'open'
  readonly records: SentRecord[] = []
  /** Position of a group, written in this transaction. */
  position: { readonly group: string; readonly offset: number; isAcknowledged: boolean } | null = null

  constructor(id: string) {
    this.id = id
  }

  get mayBeSeen(): boolean {
    return this.outcome === 'unknown' || this.outcome === 'committed'
  }
}

/** A record as somebody reads it. Tombstones have no value: their header says which one it is. */
export interface SeenRecord {
  readonly offset: number
  readonly value: string
}

export interface PartitionView {
  readonly logStart: number
  /** At read_uncommitted and at read_committed. */
  readonly all: readonly SeenRecord[]
  readonly committed: readonly SeenRecord[]
}

export class Model {
  readonly records = new Map<string, SentRecord>()
  readonly transactions: ModelTransaction[] = []
  readonly problems: string[] = []
  /** Highest offset below which records were deleted on request, acknowledged. */
  readonly deletedTo = new Map<string, number>()
  readonly compacted: ReadonlySet<string>
  /** What retention and DeleteRecords have removed. Who repeats a batch of it may have it written again: nothing is left to tell that it was there. */
  readonly removedTo = new Map<string, number>()
  #count = 0

  constructor(compacted: ReadonlySet<string>) {
    this.compacted = compacted
  }

  begin(id: string): ModelTransaction {
    const transaction = new ModelTransaction(`${id}.${this.transactions.length}`)
    this.transactions.push(transaction)
    return transaction
  }

  /** A record that nobody else writes; to be called before it is sent. */
  send(
    partition: string,
    options: {
      transaction?: ModelTransaction | null
      key?: string | null
      isTombstone?: boolean
      copyOf?: string
    } = {},
  ): SentRecord {
    const { transaction = null, key = null, isTombstone = false, copyOf } = options
    const value = copyOf === undefined ? `v${this.#count++}` : `${copyOf}/${this.#count++}`
    const unsent = { offset: null, isAcknowledged: false, sentMs: Number.POSITIVE_INFINITY }
    const record = { value, partition, key, transaction, isTombstone, ...unsent }
    this.records.set(value, record)
    transaction?.records.push(record)
    return record
  }

  acknowledge(records: readonly SentRecord[], baseOffset: number): void {
    for (const [index, record] of records.entries()) {
      const offset = baseOffset + index
      if (record.offset !== null && record.offset !== offset && !this.#isRemoved(record)) {
        this.problems.push(`${record.value} was seen at ${record.offset} and acknowledged at ${offset}`)
      }
      record.offset = offset
      record.isAcknowledged = true
    }
  }

  #isRemoved({ partition, offset }: SentRecord): boolean {
    return offset !== null && offset < (this.removedTo.get(partition) ?? 0)
  }

  /** A reader saw it, while transactions go on. */
  saw(partition: string, { offset, value }: SeenRecord, isCommitted: boolean): void {
    const record = this.records.get(value)
    if (record === undefined) {
      this.problems.push(`${partition}@${offset}: nobody wrote ${value}`)
      return
    }
    if (record.partition !== partition)
      this.problems.push(`${value} was written to ${record.partition}, not ${partition}`)
    if (record.offset !== null && record.offset !== offset && !this.#isRemoved(record)) {
      this.problems.push(`${partition}: ${value} was at ${record.offset}, and is seen at ${offset}`)
    }
    record.offset = offset
    const { transaction } = record
    if (isCommitted && transaction !== null && !transaction.mayBeSeen) {
      this.problems.push(
        `${partition}@${offset}: ${value} is readable, but ${transaction.id} is ${transaction.outcome}`,
      )
    }
  }

  /** All that is readable at the end, by partition, and the groups' positions. */
  check(views: ReadonlyMap<string, PartitionView>, positions: ReadonlyMap<string, number>): string[] {
    const visible = this.#visibleTransactions(views, positions)
    for (const [partition, view] of views) this.#checkPartition(partition, view, visible)
    for (const transaction of this.transactions) this.#checkTransaction(transaction, views, positions, visible)
    return this.problems
  }

  /** Whose records or positions can be seen. */
  #visibleTransactions(
    views: ReadonlyMap<string, PartitionView>,
    positions: ReadonlyMap<string, number>,
  ): Set<ModelTransaction> {
    const visible = new Set<ModelTransaction>()
    for (const { committed } of views.values()) {
      for (const { value } of committed) {
        const transaction = this.records.get(value)?.transaction
        if (transaction != null) visible.add(transaction)
      }
    }
    const atPosition = new Map<string, ModelTransaction[]>()
    for (const transaction of this.transactions) {
      const { position } = transaction
      if (position === null || positions.get(position.group) !== position.offset) continue
      atPosition.set(position.group, [...(atPosition.get(position.group) ?? []), transaction])
    }
    // Several tried to bring the group there: the records tell which one did.
    for (const [only, ...others] of atPosition.values())
      if (only !== undefined && others.length === 0) visible.add(only)
    return visible
  }

  #checkPartition(partition: string, view: PartitionView, visible: ReadonlySet<ModelTransaction>): void {
    const { problems } = this
    const found = new Set<string>()
    const committed = new Set(view.committed.map(({ value }) => value))
    let last = -1
    for (const seen of view.all) {
      if (seen.offset <= last) problems.push(`${partition}: offset ${seen.offset} after ${last}`)
      last = seen.offset
      if (found.has(seen.value)) problems.push(`${partition}: ${seen.value} is there twice`)
      found.add(seen.value)
      this.saw(partition, seen, committed.has(seen.value))
      const transaction = this.records.get(seen.value)?.transaction ?? null
      const isGood = transaction === null || visible.has(transaction)
      if (isGood && !committed.has(seen.value)) problems.push(`${partition}@${seen.offset}: ${seen.value} is held back`)
    }
    for (const value of committed)
      if (!found.has(value)) problems.push(`${partition}: only readers at read_committed see ${value}`)
    const deletedTo = this.deletedTo.get(partition) ?? 0
    if (view.logStart < deletedTo) problems.push(`${partition} starts at ${view.logStart}, deleted up to ${deletedTo}`)
    if (this.compacted.has(partition)) this.#checkLatest(partition, view, visible)
    else this.#checkAcknowledged(partition, view, found)
  }

  #checkAcknowledged(partition: string, view: PartitionView, found: ReadonlySet<string>): void {
    for (const record of this.records.values()) {
      if (record.partition !== partition || !record.isAcknowledged || record.offset! < view.logStart) continue
      if (!found.has(record.value))
        this.problems.push(`${partition}: ${record.value} was acknowledged at ${record.offset} and is lost`)
    }
  }

  /** A compacted partition: the last record of every key is the last that was written, of those that count. */
  #checkLatest(partition: string, view: PartitionView, visible: ReadonlySet<ModelTransaction>): void {
    const latest = this.#latestByKey(partition, visible)
    const shown = new Map<string, SentRecord>()
    for (const { value } of view.committed) {
      const record = this.records.get(value)
      if (record?.key != null) shown.set(record.key, record)
    }
    for (const [key, expected] of latest) {
      if (expected.offset! < view.logStart) continue
      const record = shown.get(key)
      if (record === undefined) {
        if (!expected.isTombstone && !this.#hasUnseenTombstone(partition, key)) {
          this.problems.push(
            `${partition}: key ${key} is lost, its last value was ${expected.value} at ${expected.offset}`,
          )
        }
      } else if (record.offset! < expected.offset!) {
        const was = `${expected.value}${expected.isTombstone ? ', a tombstone,' : ''} at ${expected.offset}`
        this.problems.push(
          `${partition}: key ${key} shows ${record.value} at ${record.offset}, its last value was ${was}`,
        )
      }
    }
  }

  #latestByKey(partition: string, visible: ReadonlySet<ModelTransaction>): Map<string, SentRecord> {
    const latest = new Map<string, SentRecord>()
    for (const record of this.records.values()) {
      if (record.partition !== partition || record.key === null || record.offset === null) continue
      const { transaction } = record
      if (transaction !== null && transaction.outcome !== 'committed' && !visible.has(transaction)) continue
      const other = latest.get(record.key)
      if (other === undefined || other.offset! < record.offset) latest.set(record.key, record)
    }
    return latest
  }

  /** One that was never acknowledged: it may have been written, and may be gone with what it deleted. */
  #hasUnseenTombstone(partition: string, key: string): boolean {
    for (const record of this.records.values()) {
      if (record.partition === partition && record.key === key && record.isTombstone && !record.isAcknowledged)
        return true
    }
    return false
  }

  #checkTransaction(
    transaction: ModelTransaction,
    views: ReadonlyMap<string, PartitionView>,
    positions: ReadonlyMap<string, number>,
    visible: ReadonlySet<ModelTransaction>,
  ): void {
    const { id, outcome, records, position } = transaction
    const isVisible = visible.has(transaction)
    if (isVisible && !transaction.mayBeSeen) this.problems.push(`${id} is ${outcome}, and can be seen`)
    if (!isVisible && outcome !== 'committed') return
    const lost: string[] = []
    let last = new Map<string, number>()
    for (const record of records) {
      const { partition, value, offset, isAcknowledged } = record
      const view = views.get(partition)
      if (view === undefined) continue
      if (offset !== null) {
        if (offset <= (last.get(partition) ?? -1)) this.problems.push(`${partition}: ${value} of ${id} is out of order`)
        last = last.set(partition, offset)
      }
      if (!isAcknowledged || offset! < view.logStart || this.compacted.has(partition)) continue
      if (!view.committed.some((seen) => seen.value === value)) lost.push(`${value} of ${partition}@${offset}`)
    }
    if (lost.length > 0)
      this.problems.push(`${id} is ${outcome}${isVisible ? ' and torn' : ''}: it lacks ${lost.join(', ')}`)
    if (position?.isAcknowledged === true && (positions.get(position.group) ?? -1) < position.offset) {
      this.problems.push(`${id}: ${position.group} is at ${positions.get(position.group)}, not at ${position.offset}`)
    }
  }
}
