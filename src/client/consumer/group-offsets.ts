/**
 * The offsets that a group has committed: reading and writing them, in the name of the member that the group knows.
 *
 * What must hold: a commit is sent under the generation (or epoch) that the member has at that moment, never while a generation is being
 * made, and only for partitions that the member still has. One commit is under way at a time; what is asked for meanwhile goes together
 * in the next, and each call hears of its own partitions only.
 */

import { ErrorCode, isRetriable } from '../../protocol/errors.ts'
import { OffsetCommitRequest, OffsetCommitResponse } from '../../protocol/messages/08-offset-commit.ts'
import { OffsetFetchRequest, OffsetFetchResponse } from '../../protocol/messages/09-offset-fetch.ts'
import { ZERO_UUID } from '../../protocol/schema.ts'
import { unlessAborted } from '../call.ts'
import type { Cluster } from '../cluster.ts'
import { abortedError, brokerError, isConnectionLoss, KafkaError } from '../errors.ts'
import { backoffMs, sleep } from '../retry.ts'
import type { CoordinatorLink } from './coordinator-link.ts'
import type { MemberIdentity } from './group/engine.ts'
import { byTopic, partitionKey, type TopicPartition } from './topic-partition.ts'

/** A position for the group to remember. */
export interface OffsetToCommit extends TopicPartition {
  /** The next offset to read. */
  readonly offset: number
  /** Of the last record that was read; left out where it is not known. */
  readonly leaderEpoch?: number
  /** A text that is kept with it; empty unless given. */
  readonly metadata?: string
}

/** What the group remembers of a partition. */
export interface CommittedPosition extends TopicPartition {
  /** The next offset to read. */
  readonly offset: number
  /** -1 if the commit did not say. */
  readonly leaderEpoch: number
  /** The text that was committed with it. */
  readonly metadata: string
}

/** What a commit needs of the membership. */
export interface CommitGuard {
  /** Resolves when the group takes commits of this member; null identity: no member, as without subscription. */
  whenCommittable(signal: AbortSignal): Promise<MemberIdentity | null>
  /** Whether this member still has the partition; without membership always. */
  mayCommit(partition: TopicPartition): boolean
}

/** From this version on, topics go by id. */
const FIRST_BY_ID = 10
const FIRST_BATCHED_OFFSET_FETCH = 8
const NO_MEMBER: MemberIdentity = { memberId: '', generation: -1, instanceId: null }

/** The member or its generation is not the group's any more; another identity may have come since. */
const IDENTITY_ERRORS = new Set<number>([
  ErrorCode.ILLEGAL_GENERATION,
  ErrorCode.UNKNOWN_MEMBER_ID,
  // The group is gone with all its members: deleted, or the broker has forgotten everything.
  ErrorCode.GROUP_ID_NOT_FOUND,
  ErrorCode.REBALANCE_IN_PROGRESS,
  ErrorCode.STALE_MEMBER_EPOCH,
  ErrorCode.FENCED_MEMBER_EPOCH,
])

const UNKNOWN_TOPIC = new Set<number>([ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.UNKNOWN_TOPIC_ID])

/** What a call of `commit` waits for: each of its partitions gets an outcome of its own. */
interface Call {
  readonly gather: () => readonly OffsetToCommit[]
  /** Whether the application named the offsets; what is only gathered yields to that. */
  readonly isNamed: boolean
  left: number
  failure: unknown
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** One partition in a round of committing, and who wants to hear of it. */
interface Row {
  offset: OffsetToCommit
  isNamed: boolean
  readonly calls: Call[]
}

export class GroupOffsets {
  private readonly cluster: Cluster
  private readonly groupId: string
  private readonly link: CoordinatorLink
  private readonly guard: CommitGuard
  private waiting: Call[] = []
  private committing = false
  private readonly abort = new AbortController()
  /** Fires when the group is not to be waited for any more. */
  private readonly impatient = new AbortController()
  private impatience: ReturnType<typeof setTimeout> | null = null
  /** Fires when the group has taken away what the member had. */
  private lost = new AbortController()
  /** From then until the member has let go of it. */
  private isLost = false

  constructor(cluster: Cluster, groupId: string, link: CoordinatorLink, guard: CommitGuard) {
    this.cluster = cluster
    this.groupId = groupId
    this.link = link
    this.guard = guard
  }

  /** Resolves when the broker has all of them; rejects with the first that was refused, whatever becomes of other calls' partitions. */
  commit(offsets: readonly OffsetToCommit[], signal?: AbortSignal): Promise<void> {
    return offsets.length === 0 ? Promise.resolve() : this.call(() => offsets, true, signal)
  }

  /** The same for what these are when the request is made: later than now, where a commit is under way. */
  commitLatest(gather: () => readonly OffsetToCommit[], signal?: AbortSignal): Promise<void> {
    return this.call(gather, false, signal)
  }

  /** The member has lost everything: what waits to be committed for it never will be, until `regain`. */
  lose(): void {
    this.isLost = true
    this.lost.abort()
    this.lost = new AbortController()
  }

  regain(): void {
    this.isLost = false
  }

  /** From so many milliseconds on nothing waits for a rebalance to end: the member is about to leave. */
  hurry(afterMs: number): void {
    this.impatience ??= setTimeout(() => this.impatient.abort(), afterMs)
  }

  /** Ends what waits for the group or for a broker. */
  close(): void {
    if (this.impatience !== null) clearTimeout(this.impatience)
    this.abort.abort()
  }

  private call(gather: Call['gather'], isNamed: boolean, signal: AbortSignal | undefined): Promise<void> {
    const what = `commit in group '${this.groupId}'`
    // Nobody may wait for the group here: letting go of the partitions may wait for this.
    if (this.isLost) return Promise.reject(this.lostError())
    if (signal?.aborted === true) return Promise.reject(abortedError(what, signal))
    return unlessAborted(
      new Promise((resolve, reject) => {
        this.waiting.push({ gather, isNamed, left: 0, failure: null, resolve, reject })
        if (this.committing) return
        this.committing = true
        // Together with what else is committed in this turn.
        void Promise.resolve().then(() => this.run())
      }),
      signal,
      what,
    )
  }

  private lostError(): KafkaError {
    const what = `commit in group '${this.groupId}'`
    return brokerError(ErrorCode.ILLEGAL_GENERATION, what, 'the member has lost its partitions')
  }

  private async run(): Promise<void> {
    while (this.waiting.length > 0) {
      const calls = this.waiting
      this.waiting = []
      await this.commitAll(merge(calls))
    }
    this.committing = false
  }

  /** Every row is settled when this is over; it never rejects. */
  private async commitAll(rows: Map<string, Row>): Promise<void> {
    const deadlineMs = performance.now() + this.cluster.timeoutMs
    const lost = this.lost.signal
    const signal = AbortSignal.any([this.abort.signal, this.impatient.signal, lost])
    try {
      for (let attempt = 0; rows.size > 0; attempt++) {
        const identity = await this.guard.whenCommittable(signal)
        if (identity !== null) this.refuseUnowned(rows)
        if (rows.size === 0) return
        const outcome = await this.send(
          [...rows.values()].map(({ offset }) => offset),
          identity ?? NO_MEMBER,
        )
        const inTime = performance.now() <= deadlineMs
        const mayRetry = (errorCode: number): boolean =>
          inTime && (isRetriable(errorCode) || (identity !== null && IDENTITY_ERRORS.has(errorCode)))
        if (!(await this.settleAll(rows, outcome, mayRetry))) return
        await sleep(backoffMs(this.cluster.retry, attempt), signal)
      }
    } catch (error) {
      const failure = lost.aborted ? this.lostError() : error
      for (const key of [...rows.keys()]) settle(rows, key, failure)
    }
  }

  private refuseUnowned(rows: Map<string, Row>): void {
    for (const [key, { offset: each }] of rows) {
      if (this.guard.mayCommit(each)) continue
      const what = `commit ${each.topic}-${each.partition} at offset ${each.offset}`
      settle(
        rows,
        key,
        brokerError(ErrorCode.ILLEGAL_GENERATION, what, 'the partition is no longer assigned to this member'),
      )
    }
  }

  /** Rows that were taken, or that nothing can be done for, are settled; true if the rest is worth another attempt. */
  private async settleAll(
    rows: Map<string, Row>,
    refused: ReadonlyMap<string, number>,
    mayRetry: (errorCode: number) => boolean,
  ): Promise<boolean> {
    const unknown = new Set<string>()
    for (const [key, { offset }] of rows) if (UNKNOWN_TOPIC.has(refused.get(key) ?? 0)) unknown.add(offset.topic)
    // A topic that was deleted stays unknown; one that is only new to some broker does not.
    if (unknown.size > 0) await this.cluster.update(unknown).catch(() => undefined)
    for (const [key, { offset }] of rows) {
      const errorCode = refused.get(key) ?? 0
      const gone = UNKNOWN_TOPIC.has(errorCode) && this.cluster.knownTopic(offset.topic) === undefined
      if (errorCode !== 0 && mayRetry(errorCode) && !gone) continue
      const what = `commit ${offset.topic}-${offset.partition} of group '${this.groupId}'`
      settle(rows, key, errorCode === 0 ? null : brokerError(errorCode, what))
    }
    if ([...refused.values()].some((code) => isRetriable(code) && !UNKNOWN_TOPIC.has(code))) this.link.forget()
    return rows.size > 0
  }

  /** Error codes by partition; of those that were taken there is none. */
  private async send(
    offsets: readonly OffsetToCommit[],
    identity: MemberIdentity,
  ): Promise<ReadonlyMap<string, number>> {
    try {
      const connection = await this.link.connection()
      const byId =
        connection.versionFor(OffsetCommitRequest) >= FIRST_BY_ID && offsets.every(({ topic }) => this.hasId(topic))
      const answer = await connection.send(
        OffsetCommitRequest,
        OffsetCommitResponse,
        {
          groupId: this.groupId,
          generationIdOrMemberEpoch: identity.generation,
          memberId: identity.memberId,
          ...(identity.instanceId === null ? {} : { groupInstanceId: identity.instanceId }),
          topics: [...Map.groupBy(offsets, ({ topic }) => topic)].map(([topic, rows]) => ({
            ...this.nameOrId(topic, byId),
            partitions: rows.map(({ partition, offset, leaderEpoch, metadata }) => ({
              partitionIndex: partition,
              committedOffset: offset,
              committedLeaderEpoch: leaderEpoch ?? -1,
              committedMetadata: metadata ?? '',
            })),
          })),
        },
        { ...(byId ? {} : { maxVersion: FIRST_BY_ID - 1 }), signal: this.abort.signal },
      )
      const refused = new Map<string, number>()
      for (const topic of answer.topics) {
        const name = byId ? (this.cluster.topicName(topic.topicId) ?? '') : topic.name
        for (const { partitionIndex, errorCode } of topic.partitions) {
          if (errorCode !== 0) refused.set(partitionKey(name, partitionIndex), errorCode)
        }
      }
      return refused
    } catch (error) {
      if (!isConnectionLoss(error)) throw error
      this.link.forget()
      const code = ErrorCode.NETWORK_EXCEPTION
      return new Map(offsets.map(({ topic, partition }) => [partitionKey(topic, partition), code]))
    }
  }

  /** What is committed of these partitions; those without a commit are left out. */
  async fetch(partitions: readonly TopicPartition[], signal?: AbortSignal): Promise<CommittedPosition[]> {
    const deadlineMs = performance.now() + this.cluster.timeoutMs
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.fetchOnce(partitions, signal)
      } catch (error) {
        if (!(error instanceof KafkaError)) throw error
        const again = error.retriable || IDENTITY_ERRORS.has(error.errorCode)
        if (!again) throw error
        // A commit of a transaction that is still open is no reason to look for another coordinator.
        if (error.errorCode !== ErrorCode.UNSTABLE_OFFSET_COMMIT) this.link.forget()
        if (performance.now() > deadlineMs) throw error
      }
      await sleep(
        backoffMs(this.cluster.retry, attempt),
        AbortSignal.any([this.abort.signal, ...(signal ? [signal] : [])]),
      )
    }
  }

  private async fetchOnce(
    partitions: readonly TopicPartition[],
    signal: AbortSignal | undefined,
  ): Promise<CommittedPosition[]> {
    const connection = await this.link.connection()
    const rows = byTopic(partitions)
    const byId =
      connection.versionFor(OffsetFetchRequest) >= FIRST_BY_ID && rows.every(({ topic }) => this.hasId(topic))
    const maxVersion = byId ? Number.MAX_SAFE_INTEGER : FIRST_BY_ID - 1
    const batched = connection.versionFor(OffsetFetchRequest, maxVersion) >= FIRST_BATCHED_OFFSET_FETCH
    const { groupId } = this
    const topics = rows.map(({ topic, partitions: partitionIndexes }) => {
      return { name: topic, ...(byId ? this.nameOrId(topic, true) : {}), partitionIndexes }
    })
    const answer = await connection.send(
      OffsetFetchRequest,
      OffsetFetchResponse,
      // Members are not named: reading is no right of theirs alone, and a name from before a rebalance would only be refused.
      batched ? { groups: [{ groupId, topics }], requireStable: true } : { groupId, topics },
      { maxVersion, signal },
    )
    const group = batched ? answer.groups[0] : answer
    if (group === undefined) {
      throw new KafkaError('ERR_BAD_RESPONSE', `offsets of group '${groupId}': no group in the answer`)
    }
    if (group.errorCode !== 0) throw brokerError(group.errorCode, `offsets of group '${groupId}'`)
    const found: CommittedPosition[] = []
    for (const topic of group.topics) {
      const id = 'topicId' in topic ? topic.topicId : ZERO_UUID
      const name = byId ? (this.cluster.topicName(id) ?? '') : topic.name
      for (const row of topic.partitions) {
        if (row.errorCode !== 0) {
          throw brokerError(row.errorCode, `offset of group '${groupId}' in ${name}-${row.partitionIndex}`)
        }
        if (row.committedOffset < 0) continue
        const { partitionIndex: partition, committedOffset: offset, committedLeaderEpoch: leaderEpoch } = row
        found.push({ topic: name, partition, offset, leaderEpoch, metadata: row.metadata ?? '' })
      }
    }
    return found
  }

  private hasId(topic: string): boolean {
    return (this.cluster.knownTopic(topic)?.topicId ?? ZERO_UUID) !== ZERO_UUID
  }

  private nameOrId(topic: string, byId: boolean): { name?: string; topicId?: string } {
    return byId ? { topicId: this.cluster.knownTopic(topic)!.topicId } : { name: topic }
  }
}

/** By partition; of several calls for one the last counts, and what the application names before what is gathered. */
function merge(calls: readonly Call[]): Map<string, Row> {
  const rows = new Map<string, Row>()
  for (const call of calls) {
    for (const offset of call.gather()) {
      const key = partitionKey(offset.topic, offset.partition)
      const row = rows.get(key)
      call.left += 1
      if (row === undefined) {
        rows.set(key, { offset, isNamed: call.isNamed, calls: [call] })
        continue
      }
      row.calls.push(call)
      if (row.isNamed && !call.isNamed) continue
      row.offset = offset
      row.isNamed = call.isNamed
    }
    if (call.left === 0) call.resolve()
  }
  return rows
}

function settle(rows: Map<string, Row>, key: string, error: unknown): void {
  const { calls = [] } = rows.get(key) ?? {}
  rows.delete(key)
  for (const call of calls) {
    call.left -= 1
    if (error !== null) call.failure ??= error
    if (call.left > 0) continue
    if (call.failure === null) call.resolve()
    else call.reject(call.failure)
  }
}
