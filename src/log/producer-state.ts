// What a log remembers about its producers: for each id the epoch, the last five batches and an open transaction.
// Decides whether a producer's batch is new, a repetition or out of order; says which offsets open transactions hold back.
// Owned by one log. Entries are never changed, only replaced, so that an append whose write failed is undone by putting the old
// entry back. `apply` is the only mutator: appends and the replay of a log on start go the same way.

import { ErrorCode } from '../protocol/errors.ts'
import type { EndTransactionMarker } from '../records/control.ts'
import { type BatchHeader, isControl, isTransactional, lastSequence, NONE } from '../records/header.ts'
import type { AbortedEntry } from './txn-index.ts'
import type { ActiveProducer, ProducerCheckOptions, TransactionGuard } from './types.ts'

const KEPT_BATCHES = 5
const LARGEST_SEQUENCE = 2 ** 31 - 1
const LARGEST_EPOCH = 2 ** 15 - 1
const TRANSACTION_VERSION_WITH_EPOCHS = 2

export interface ProducerBatch {
  readonly lastSequence: number
  readonly lastOffset: number
  readonly offsetDelta: number
  readonly timestamp: number
}

export interface ProducerEntry {
  readonly producerId: number
  readonly epoch: number
  /** Oldest first. */
  readonly batches: readonly ProducerBatch[]
  readonly coordinatorEpoch: number
  readonly lastTimestamp: number
  /** First offset of the open transaction, or -1. */
  readonly currentTxnFirstOffset: number
}

export type ProducerCheck =
  | { readonly kind: 'accept' }
  | {
      readonly kind: 'duplicate'
      readonly firstOffset: number
      readonly lastOffset: number
      readonly timestamp: number
    }
  | { readonly kind: 'refuse'; readonly errorCode: ErrorCode; readonly reason: string }

const ACCEPT: ProducerCheck = { kind: 'accept' }

function refuse(errorCode: ErrorCode, reason: string): ProducerCheck {
  return { kind: 'refuse', errorCode, reason }
}

interface CompletedTransaction {
  readonly producerId: number
  readonly firstOffset: number
  readonly markerOffset: number
}

export class ProducerState {
  readonly #entries = new Map<number, ProducerEntry>()
  /** First offsets of open transactions, lowest first, with their producers. */
  #open = new Map<number, number>()
  /** Transactions that ended, until the high watermark has passed their marker. In order of marker. */
  #completed: CompletedTransaction[] = []
  /** By producer id: transactions that the coordinator is being asked about, before their first batch. One per epoch. */
  readonly #guards = new Map<number, TransactionGuard[]>()
  /** Counts changes, so that the log knows whether a snapshot would say anything new. */
  version = 0

  get size(): number {
    return this.#entries.size
  }

  get(producerId: number): ProducerEntry | undefined {
    return this.#entries.get(producerId)
  }

  entries(): Iterable<ProducerEntry> {
    return this.#entries.values()
  }

  /** Whether a transaction of this producer and epoch is open: its next batches need no guard. */
  hasOpenTransaction(producerId: number, producerEpoch: number): boolean {
    const entry = this.#entries.get(producerId)
    return entry !== undefined && entry.currentTxnFirstOffset !== NONE && entry.epoch === producerEpoch
  }

  /** Before the coordinator is asked whether the producer may begin a transaction here. One guard serves all who ask meanwhile. */
  guard(wanted: Omit<TransactionGuard, 'isVoid'>): TransactionGuard {
    const { producerId, producerEpoch, lowestSequence } = wanted
    const guards = this.#guards.get(producerId) ?? []
    const known = guards.find((guard) => guard.producerEpoch === producerEpoch)
    if (known !== undefined) {
      known.lowestSequence = Math.min(known.lowestSequence, lowestSequence)
      return known
    }
    const guard = { ...wanted, isVoid: false }
    this.#guards.set(producerId, [...guards, guard])
    return guard
  }

  /** The coordinator said no: the next who asks begins anew. */
  dropGuard(guard: TransactionGuard): void {
    guard.isVoid = true
    const left = (this.#guards.get(guard.producerId) ?? []).filter((other) => other !== guard)
    if (left.length === 0) this.#guards.delete(guard.producerId)
    else this.#guards.set(guard.producerId, left)
  }

  /** What was asked about a producer before is over. */
  #dropGuards(producerId: number): void {
    for (const guard of this.#guards.get(producerId) ?? []) guard.isVoid = true
    this.#guards.delete(producerId)
  }

  /** May this batch be appended? Changes nothing. */
  check(header: BatchHeader, options: ProducerCheckOptions, marker: EndTransactionMarker | null): ProducerCheck {
    const entry = this.#entries.get(header.producerId)
    if (marker !== null) {
      return entry === undefined ? ACCEPT : checkMarker(entry, header, marker, options.transactionVersion ?? 0)
    }
    const known = entry === undefined ? ACCEPT : this.#checkKnown(entry, header, options)
    if (known.kind !== 'accept' || options.guard === undefined || !isTransactional(header)) return known
    if (this.hasOpenTransaction(header.producerId, header.producerEpoch)) return known
    return checkGuard(options.guard, header, entry)
  }

  #checkKnown(entry: ProducerEntry, header: BatchHeader, { origin }: ProducerCheckOptions): ProducerCheck {
    if (origin === 'client') {
      const known = findBatch(entry, header)
      if (known !== null) {
        const firstOffset = known.lastOffset - known.offsetDelta
        return { kind: 'duplicate', firstOffset, lastOffset: known.lastOffset, timestamp: known.timestamp }
      }
    }
    if (header.producerEpoch < entry.epoch) {
      const reason = `Epoch of producer ${header.producerId} is ${header.producerEpoch}, which is smaller than the last seen epoch ${entry.epoch}`
      return refuse(ErrorCode.INVALID_PRODUCER_EPOCH, reason)
    }
    if (origin === 'client') {
      const outOfOrder = checkSequence(entry, header)
      if (outOfOrder !== null) return outOfOrder
    }
    if (entry.currentTxnFirstOffset !== NONE && !isTransactional(header)) {
      return refuse(ErrorCode.INVALID_TXN_STATE, `Producer ${header.producerId} has an open transaction here`)
    }
    return ACCEPT
  }

  /**
   * Takes the batch, whose base offset is assigned, into account. Returns the transaction's entry for the index of aborted
   * transactions if the batch is an abort marker of an open one.
   */
  apply(header: BatchHeader, marker: EndTransactionMarker | null): AbortedEntry | null {
    this.version++
    const entry = this.#entries.get(header.producerId)
    if (marker !== null) return this.#applyMarker(header, marker, entry)
    if (isControl(header)) return null
    const sameEpoch = entry !== undefined && entry.epoch === header.producerEpoch
    const batch: ProducerBatch = {
      lastSequence: lastSequence(header),
      lastOffset: header.baseOffset + header.lastOffsetDelta,
      offsetDelta: header.lastOffsetDelta,
      timestamp: header.maxTimestamp,
    }
    let currentTxnFirstOffset = entry?.currentTxnFirstOffset ?? NONE
    if (isTransactional(header) && currentTxnFirstOffset === NONE) {
      currentTxnFirstOffset = header.baseOffset
      this.#open.set(header.baseOffset, header.producerId)
      this.#dropGuards(header.producerId)
    }
    this.#entries.set(header.producerId, {
      producerId: header.producerId,
      epoch: header.producerEpoch,
      batches: sameEpoch ? appended(entry.batches, batch) : [batch],
      coordinatorEpoch: entry?.coordinatorEpoch ?? NONE,
      lastTimestamp: header.maxTimestamp,
      currentTxnFirstOffset,
    })
    return null
  }

  #applyMarker(
    header: BatchHeader,
    marker: EndTransactionMarker,
    entry: ProducerEntry | undefined,
  ): AbortedEntry | null {
    this.#dropGuards(header.producerId)
    const markerOffset = header.baseOffset
    const firstOffset = entry?.currentTxnFirstOffset ?? NONE
    let aborted: AbortedEntry | null = null
    if (firstOffset !== NONE) {
      this.#open.delete(firstOffset)
      this.#completed.push({ producerId: header.producerId, firstOffset, markerOffset })
      if (marker.type === 'abort') {
        const lastStableOffset = this.#oldestOpen() ?? markerOffset + 1
        aborted = { producerId: header.producerId, firstOffset, lastOffset: markerOffset, lastStableOffset }
      }
    }
    this.#entries.set(header.producerId, {
      producerId: header.producerId,
      epoch: header.producerEpoch,
      batches: entry !== undefined && entry.epoch === header.producerEpoch ? entry.batches : [],
      coordinatorEpoch: marker.coordinatorEpoch,
      lastTimestamp: header.maxTimestamp,
      currentTxnFirstOffset: NONE,
    })
    return aborted
  }

  /** Takes back the newest `apply` for this producer: `previous` is its entry from before. `appendedFrom` is that batch's offset. */
  undo(producerId: number, previous: ProducerEntry | undefined, appendedFrom: number): void {
    this.version++
    const current = this.#entries.get(producerId)
    if (previous === undefined) this.#entries.delete(producerId)
    else this.#entries.set(producerId, previous)
    const openedAt = current?.currentTxnFirstOffset ?? NONE
    const wasOpenAt = previous?.currentTxnFirstOffset ?? NONE
    if (openedAt === wasOpenAt) return
    this.#completed = this.#completed.filter((transaction) => transaction.markerOffset < appendedFrom)
    this.#rebuildOpen()
  }

  /** First offset that an open transaction, or one whose marker is not yet below the high watermark, holds back. */
  firstUnstableOffset(highWatermark: number): number | null {
    if (this.#open.size === 0 && this.#completed.length === 0) return null
    this.#forgetCompleted(highWatermark)
    let first = this.#oldestOpen()
    for (const transaction of this.#completed) {
      if (first === null || transaction.firstOffset < first) first = transaction.firstOffset
    }
    return first
  }

  /** Forgets producers that have been silent for too long and have no open transaction. */
  expire(nowMs: number, expirationMs: number): void {
    for (const entry of this.#entries.values()) {
      if (entry.currentTxnFirstOffset === NONE && nowMs - entry.lastTimestamp >= expirationMs) {
        this.#entries.delete(entry.producerId)
        this.version++
      }
    }
    for (const guard of [...this.#guards.values()].flat()) {
      if (nowMs - guard.startedMs >= expirationMs) this.dropGuard(guard)
    }
  }

  /** Starts over with the entries of a snapshot. */
  load(entries: Iterable<ProducerEntry>): void {
    this.#entries.clear()
    this.#completed = []
    for (const entry of entries) this.#entries.set(entry.producerId, entry)
    this.#rebuildOpen()
    this.version++
  }

  active(): ActiveProducer[] {
    return [...this.#entries.values()].map((entry) => ({
      producerId: entry.producerId,
      producerEpoch: entry.epoch,
      lastSequence: entry.batches.at(-1)?.lastSequence ?? NONE,
      lastTimestamp: entry.lastTimestamp,
      coordinatorEpoch: entry.coordinatorEpoch,
      currentTransactionStartOffset: entry.currentTxnFirstOffset,
    }))
  }

  #oldestOpen(): number | null {
    for (const firstOffset of this.#open.keys()) return firstOffset
    return null
  }

  #forgetCompleted(highWatermark: number): void {
    let passed = 0
    while (passed < this.#completed.length && this.#completed[passed]!.markerOffset < highWatermark) passed++
    if (passed > 0) this.#completed.splice(0, passed)
  }

  #rebuildOpen(): void {
    const open: [number, number][] = []
    for (const entry of this.#entries.values()) {
      if (entry.currentTxnFirstOffset !== NONE) open.push([entry.currentTxnFirstOffset, entry.producerId])
    }
    this.#open = new Map(open.sort(([a], [b]) => a - b))
  }
}

function appended(batches: readonly ProducerBatch[], batch: ProducerBatch): readonly ProducerBatch[] {
  switch (batches.length) {
    case KEPT_BATCHES:
      return [batches[1]!, batches[2]!, batches[3]!, batches[4]!, batch]
    default:
      return [...batches, batch]
  }
}

/** The kept batch with the same first and last sequence in the same epoch. */
function findBatch(entry: ProducerEntry, header: BatchHeader): ProducerBatch | null {
  if (entry.epoch !== header.producerEpoch) return null
  const last = lastSequence(header)
  for (const batch of entry.batches) {
    if (batch.lastSequence === last && batch.offsetDelta === header.lastOffsetDelta) return batch
  }
  return null
}

function checkSequence(entry: ProducerEntry, header: BatchHeader): ProducerCheck | null {
  const { producerId, producerEpoch, baseSequence } = header
  if (producerEpoch !== entry.epoch) {
    if (baseSequence === 0 || entry.epoch === NONE) return null
    const reason = `Invalid sequence number for new epoch of producer ${producerId}: ${producerEpoch} (request epoch), ${baseSequence} (seq. number), ${entry.epoch} (current producer epoch)`
    return refuse(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, reason)
  }
  const last = entry.batches.at(-1)?.lastSequence ?? NONE
  if (baseSequence === last + 1 || (baseSequence === 0 && last === LARGEST_SEQUENCE)) return null
  const reason = `Out of order sequence number for producer ${producerId}: ${baseSequence} (incoming seq. number), ${last} (current end sequence number)`
  return refuse(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, reason)
}

function checkGuard(
  guard: TransactionGuard | null,
  header: BatchHeader,
  entry: ProducerEntry | undefined,
): ProducerCheck {
  if (guard === null || guard.isVoid || guard.producerEpoch !== header.producerEpoch) {
    return refuse(ErrorCode.INVALID_TXN_STATE, 'Record was not part of an ongoing transaction')
  }
  const { baseSequence, producerId } = header
  if (guard.lowestSequence === NONE) return ACCEPT
  const mustBeZero = guard.startsAtZero && (entry === undefined || entry.batches.length === 0) && baseSequence !== 0
  if (mustBeZero || baseSequence > guard.lowestSequence) {
    const reason = `Out of order sequence number for producer ${producerId}: ${baseSequence} begins its transaction here`
    return refuse(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, reason)
  }
  return ACCEPT
}

function checkMarker(
  entry: ProducerEntry,
  header: BatchHeader,
  marker: EndTransactionMarker,
  transactionVersion: number,
): ProducerCheck {
  const { producerEpoch } = header
  const isRepeated = entry.currentTxnFirstOffset === NONE || producerEpoch === LARGEST_EPOCH
  const isStale = transactionVersion >= TRANSACTION_VERSION_WITH_EPOCHS && producerEpoch === entry.epoch && !isRepeated
  if (producerEpoch < entry.epoch || isStale) {
    const reason = `Marker of producer ${header.producerId} has epoch ${header.producerEpoch}, the last seen one is ${entry.epoch}`
    return refuse(ErrorCode.INVALID_PRODUCER_EPOCH, reason)
  }
  if (marker.coordinatorEpoch < entry.coordinatorEpoch) {
    const reason = `Marker has coordinator epoch ${marker.coordinatorEpoch}, the last seen one is ${entry.coordinatorEpoch}`
    return refuse(ErrorCode.TRANSACTION_COORDINATOR_FENCED, reason)
  }
  return ACCEPT
}
