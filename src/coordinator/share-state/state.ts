/**
 * What the share coordinator keeps of one share partition, and the decisions about it: pure functions from a state and a request to an
 * answer and at most one record. `replayShareState` is the only code that changes a state; a load is nothing but it over the whole log.
 *
 * Two epochs fence: the state epoch grows when a group begins the state anew, the leader epoch when another broker leads the partition.
 * Whoever comes with an older one is refused.
 */
import { ErrorCode } from '../../protocol/errors.ts'
import { combineBatches } from './batches.ts'
import {
  NO_DELIVERY_COUNT,
  NO_START_OFFSET,
  type ReadState,
  type SharePartitionKey,
  type StateBatch,
  type StateFailure,
  type StateSummary,
  type StateWrite,
} from './persister.ts'
import type { ShareStateRecord } from './records.ts'

export interface ShareState {
  readonly snapshotEpoch: number
  readonly stateEpoch: number
  readonly leaderEpoch: number
  readonly startOffset: number
  readonly deliveryCompleteCount: number
  readonly createTimestampMs: number
  readonly writeTimestampMs: number
  readonly batches: readonly StateBatch[]
  /** Since the last snapshot; not in a snapshot. */
  readonly updates: number
}

export interface StateDecisionContext {
  readonly nowMs: number
  readonly updatesPerSnapshot: number
  /** Whether the cluster has the partition. */
  hasPartition(key: SharePartitionKey): boolean
}

/** A null record: nothing is to be written. */
export interface StateDecision<Answer> {
  readonly answer: Answer
  readonly record: ShareStateRecord | null
}

const SUCCESS: StateFailure = { errorCode: ErrorCode.NONE, errorMessage: null }
const NEW_LEADER_EPOCH = 0

const MESSAGES: Readonly<Partial<Record<ErrorCode, string>>> = {
  [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]: 'This server does not host this topic-partition.',
  [ErrorCode.FENCED_LEADER_EPOCH]: 'The leader epoch in the request is older than the epoch on the broker.',
  [ErrorCode.FENCED_STATE_EPOCH]:
    'The share coordinator rejected the request because the share-group state epoch did not match.',
}

function failure(errorCode: ErrorCode, errorMessage: string | null = MESSAGES[errorCode] ?? null): StateFailure {
  return { errorCode, errorMessage }
}

/** What is wrong with the key, whatever is known of it. */
function checkKey(key: SharePartitionKey): StateFailure | null {
  if (key.partition >= 0) return null
  return failure(ErrorCode.INVALID_REQUEST, 'The partition id cannot be a negative number.')
}

function checkPartition(key: SharePartitionKey, context: StateDecisionContext): StateFailure | null {
  return context.hasPartition(key) ? null : failure(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
}

export function initializeState(
  known: ShareState | undefined,
  key: SharePartitionKey,
  { stateEpoch, startOffset }: { readonly stateEpoch: number; readonly startOffset: number },
  context: StateDecisionContext,
): StateDecision<StateFailure> {
  const isFenced = stateEpoch !== -1 && known !== undefined && known.stateEpoch > stateEpoch
  const problem =
    checkKey(key) ?? (isFenced ? failure(ErrorCode.FENCED_STATE_EPOCH) : null) ?? checkPartition(key, context)
  if (problem !== null) return { answer: problem, record: null }
  const value = {
    snapshotEpoch: known === undefined ? 0 : known.snapshotEpoch + 1,
    stateEpoch,
    leaderEpoch: NEW_LEADER_EPOCH,
    startOffset,
    deliveryCompleteCount: startOffset === NO_START_OFFSET ? NO_DELIVERY_COUNT : 0,
    createTimestamp: context.nowMs,
    writeTimestamp: context.nowMs,
    stateBatches: [],
  }
  return { answer: SUCCESS, record: { type: 'snapshot', key, value } }
}

export function writeState(
  known: ShareState | undefined,
  key: SharePartitionKey,
  write: StateWrite,
  context: StateDecisionContext,
): StateDecision<StateFailure> {
  const { leaderEpoch, stateEpoch } = write
  const problem = checkKey(key)
  if (problem !== null) return { answer: problem, record: null }
  if (known === undefined) {
    const message = 'Write operation on uninitialized share partition not allowed.'
    return { answer: failure(ErrorCode.INVALID_REQUEST, message), record: null }
  }
  if (leaderEpoch !== -1 && known.leaderEpoch > leaderEpoch) {
    return { answer: failure(ErrorCode.FENCED_LEADER_EPOCH), record: null }
  }
  if (stateEpoch !== -1 && known.stateEpoch > stateEpoch) {
    return { answer: failure(ErrorCode.FENCED_STATE_EPOCH), record: null }
  }
  const unknown = checkPartition(key, context)
  if (unknown !== null) return { answer: unknown, record: null }
  return { answer: SUCCESS, record: nextRecord(known, key, { ...write, leaderEpoch: known.leaderEpoch }, context) }
}

/** A read by a new leader is where it takes over: from then on the old one is refused. */
export function readState(
  known: ShareState | undefined,
  key: SharePartitionKey,
  leaderEpoch: number,
  context: StateDecisionContext,
): StateDecision<ReadState> {
  const nothing = { stateEpoch: 0, startOffset: 0, batches: [] }
  const problem = checkKey(key)
  if (problem !== null) return { answer: { ...problem, ...nothing }, record: null }
  if (known === undefined) {
    const message = 'Read operation on uninitialized share partition not allowed.'
    return { answer: { ...failure(ErrorCode.INVALID_REQUEST, message), ...nothing }, record: null }
  }
  const isFenced = leaderEpoch !== -1 && known.leaderEpoch > leaderEpoch
  const refusal = isFenced ? failure(ErrorCode.FENCED_LEADER_EPOCH) : checkPartition(key, context)
  if (refusal !== null) return { answer: { ...refusal, ...nothing }, record: null }
  const { stateEpoch, startOffset, batches, deliveryCompleteCount } = known
  const answer = { ...SUCCESS, stateEpoch, startOffset, batches }
  if (leaderEpoch === -1 || leaderEpoch === known.leaderEpoch) return { answer, record: null }
  const write = { stateEpoch, leaderEpoch, startOffset, deliveryCompleteCount, batches: [] }
  return { answer, record: nextRecord(known, key, write, context) }
}

/** A partition without a state is one that nobody has begun to read. */
export function summarizeState(
  known: ShareState | undefined,
  key: SharePartitionKey,
  context: StateDecisionContext,
): StateSummary {
  const problem = checkKey(key) ?? checkPartition(key, context)
  const nothing = { stateEpoch: 0, leaderEpoch: 0, startOffset: -1, deliveryCompleteCount: NO_DELIVERY_COUNT }
  if (problem !== null) return { ...problem, ...nothing, startOffset: 0 }
  if (known === undefined) return { ...SUCCESS, ...nothing }
  const { stateEpoch, leaderEpoch, startOffset, deliveryCompleteCount } = known
  return { ...SUCCESS, stateEpoch, leaderEpoch, startOffset, deliveryCompleteCount }
}

export function deleteState(
  known: ShareState | undefined,
  key: SharePartitionKey,
  context: StateDecisionContext,
): StateDecision<StateFailure> {
  const problem = checkKey(key) ?? checkPartition(key, context)
  if (problem !== null) return { answer: problem, record: null }
  return { answer: SUCCESS, record: known === undefined ? null : { type: 'snapshot', key, value: null } }
}

/** What a state that was not written to for long becomes: the log before it can go then. */
export function coldSnapshot(known: ShareState, key: SharePartitionKey, nowMs: number): ShareStateRecord {
  return { type: 'snapshot', key, value: snapshotOf({ ...known, snapshotEpoch: known.snapshotEpoch + 1 }, nowMs) }
}

function snapshotOf(state: ShareState, writeTimestamp: number) {
  const { snapshotEpoch, stateEpoch, leaderEpoch, startOffset, deliveryCompleteCount, createTimestampMs } = state
  return {
    snapshotEpoch,
    stateEpoch,
    leaderEpoch,
    startOffset,
    deliveryCompleteCount,
    createTimestamp: createTimestampMs,
    writeTimestamp,
    stateBatches: [...state.batches],
  }
}

/** An update, or a snapshot when there are enough of those. */
function nextRecord(
  known: ShareState,
  key: SharePartitionKey,
  write: StateWrite,
  { nowMs, updatesPerSnapshot }: StateDecisionContext,
): ShareStateRecord {
  const { leaderEpoch, startOffset, deliveryCompleteCount, batches } = write
  if (known.updates < updatesPerSnapshot) {
    const { snapshotEpoch } = known
    const stateBatches = combineBatches([], batches, startOffset)
    const value = { snapshotEpoch, leaderEpoch, startOffset, deliveryCompleteCount, stateBatches }
    return { type: 'update', key, value }
  }
  const next = { ...applied(known, { ...write, leaderEpoch }), snapshotEpoch: known.snapshotEpoch + 1 }
  return { type: 'snapshot', key, value: snapshotOf({ ...next, createTimestampMs: nowMs }, nowMs) }
}

function applied(known: ShareState, write: Omit<StateWrite, 'stateEpoch'>): ShareState {
  const startOffset = write.startOffset === NO_START_OFFSET ? known.startOffset : write.startOffset
  return {
    ...known,
    startOffset,
    leaderEpoch: write.leaderEpoch === -1 ? known.leaderEpoch : write.leaderEpoch,
    deliveryCompleteCount: write.deliveryCompleteCount,
    batches: combineBatches(known.batches, write.batches, startOffset),
  }
}

/** The state after the record; undefined: there is none. `known` is what the log said before. */
export function replayShareState(known: ShareState | undefined, record: ShareStateRecord): ShareState | undefined {
  const { value } = record
  if (value === null) return undefined
  const { snapshotEpoch, leaderEpoch, startOffset, deliveryCompleteCount, stateBatches } = value
  if (record.type === 'update') {
    // Of a snapshot that was cut off with the log: there is nothing that it could change.
    if (known === undefined) return undefined
    const update = { leaderEpoch, startOffset, deliveryCompleteCount, batches: stateBatches }
    return { ...applied(known, update), updates: known.updates + 1 }
  }
  const { stateEpoch, createTimestamp, writeTimestamp } = record.value!
  const counted = { startOffset, deliveryCompleteCount, batches: stateBatches, updates: 0 }
  const times = { createTimestampMs: createTimestamp, writeTimestampMs: writeTimestamp }
  return { snapshotEpoch, stateEpoch, leaderEpoch, ...counted, ...times }
}
