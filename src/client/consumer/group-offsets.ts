/**
 * The offsets that a group has committed: reading and writing them, in the name of the member that the group knows.
 *
 * What must hold: a commit is sent under the generation (or epoch) that the member has at that moment, never while a generation is being
 * made, and only for partitions that the member still has. One commit is under way at a time; what is asked for meanwhile goes together
 * in the next.
 */
import { ErrorCode, isRetriable } from '../../protocol/errors.ts'
import { OffsetCommitRequest, OffsetCommitResponse } from '../../protocol/messages/08-offset-commit.ts'
import { OffsetFetchRequest, OffsetFetchResponse } from '../../protocol/messages/09-offset-fetch.ts'
import { ZERO_UUID } from '../../protocol/schema.ts'
import type { Cluster } from '../cluster.ts'
import { brokerError, isConnectionLoss, KafkaError } from '../errors.ts'
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
  ErrorCode.REBALANCE_IN_PROGRESS,
  ErrorCode.STALE_MEMBER_EPOCH,
  ErrorCode.FENCED_MEMBER_EPOCH,
])

export class GroupOffsets {
  private readonly cluster: Cluster
  private readonly groupId: string
  private readonly link: CoordinatorLink
  private readonly guard: CommitGuard
  private waiting: Map<string, OffsetToCommit> = new Map()
  private next: Promise<void> | null = null
  private current: Promise<void> = Promise.resolve()
  private readonly abort = new AbortController()
  /** Fires when the group has taken away what the member had. */
  private lost = new AbortController()

  constructor(cluster: Cluster, groupId: string, link: CoordinatorLink, guard: CommitGuard) {
    this.cluster = cluster
    this.groupId = groupId
    this.link = link
    this.guard = guard
  }

  /** Resolves when the broker has all of them; rejects with the first that it refused. */
  commit(offsets: readonly OffsetToCommit[]): Promise<void> {
    if (offsets.length === 0) return Promise.resolve()
    for (const each of offsets) this.waiting.set(partitionKey(each.topic, each.partition), each)
    if (this.next !== null) return this.next
    const before = this.current.catch(() => undefined)
    const next = before.then(() => {
      const rows = [...this.waiting.values()]
      this.waiting = new Map()
      this.next = null
      this.current = this.commitAll(rows)
      return this.current
    })
    this.next = next
    return next
  }

  /** The member has lost everything: what waits to be committed for it never will be. */
  lose(): void {
    this.lost.abort()
    this.lost = new AbortController()
  }

  /** Ends what waits for the group or for a broker. */
  close(): void {
    this.abort.abort()
  }

  private async commitAll(offsets: readonly OffsetToCommit[]): Promise<void> {
    const deadlineMs = performance.now() + this.cluster.timeoutMs
    let left = offsets
    const lost = this.lost.signal
    const signal = AbortSignal.any([this.abort.signal, lost])
    for (let attempt = 0; ; attempt++) {
      const identity = await this.guard.whenCommittable(signal).catch((error: unknown) => {
        if (!lost.aborted) throw error
        throw brokerError(
          ErrorCode.ILLEGAL_GENERATION,
          `commit in group '${this.groupId}'`,
          'the member has lost its partitions',
        )
      })
      const gone = identity === null ? undefined : left.find((each) => !this.guard.mayCommit(each))
      if (gone !== undefined) {
        const what = `commit ${gone.topic}-${gone.partition} at offset ${gone.offset}`
        throw brokerError(ErrorCode.ILLEGAL_GENERATION, what, 'the partition is no longer assigned to this member')
      }
      const refused = await this.send(left, identity ?? NO_MEMBER)
      if (refused.length === 0) return
      const { topic, partition, errorCode } = refused[0]!
      const again = isRetriable(errorCode) || (identity !== null && IDENTITY_ERRORS.has(errorCode))
      if (!again || performance.now() > deadlineMs) {
        throw brokerError(errorCode, `commit ${topic}-${partition} of group '${this.groupId}'`)
      }
      if (isRetriable(errorCode)) this.link.forget()
      const keys = new Set(refused.map((row) => partitionKey(row.topic, row.partition)))
      left = left.filter((each) => keys.has(partitionKey(each.topic, each.partition)))
      await sleep(backoffMs(this.cluster.retry, attempt), this.abort.signal)
    }
  }

  /** The rows that were not taken. */
  private async send(
    offsets: readonly OffsetToCommit[],
    identity: MemberIdentity,
  ): Promise<(TopicPartition & { errorCode: number })[]> {
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
      return answer.topics.flatMap((topic) => {
        const name = byId ? (this.cluster.topicName(topic.topicId) ?? '') : topic.name
        const refused = topic.partitions.filter(({ errorCode }) => errorCode !== 0)
        return refused.map(({ partitionIndex, errorCode }) => ({ topic: name, partition: partitionIndex, errorCode }))
      })
    } catch (error) {
      if (!isConnectionLoss(error)) throw error
      this.link.forget()
      return offsets.map(({ topic, partition }) => ({ topic, partition, errorCode: ErrorCode.NETWORK_EXCEPTION }))
    }
  }

  /** What is committed of these partitions; those without a commit are left out. */
  async fetch(partitions: readonly TopicPartition[], signal?: AbortSignal): Promise<CommittedPosition[]> {
    const deadlineMs = performance.now() + this.cluster.timeoutMs
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.fetchOnce(partitions, signal)
      } catch (error) {
        if (!(error instanceof KafkaError) || performance.now() > deadlineMs) throw error
        const again = error.retriable || IDENTITY_ERRORS.has(error.errorCode)
        if (!again) throw error
        // A commit of a transaction that is still open is no reason to look for another coordinator.
        if (error.errorCode !== ErrorCode.UNSTABLE_OFFSET_COMMIT) this.link.forget()
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
