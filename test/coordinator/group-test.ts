/**
 * Drives a group coordinator in tests: requests with defaults, answers to look at, a log in memory whose writes can be held
 * back, lost or refused, and time that passes only in `sleep`.
 */

import { compileTopicPattern } from '../../src/broker/topic-patterns.ts'
import {
  CONSUMER_GROUP_SETTINGS,
  type ConsumerGroupSettings,
  GROUP_COORDINATOR_DEFAULTS,
  type GroupCoordinatorConfig,
  OFFSETS_TOPIC,
  STREAMS_GROUP_SETTINGS,
  type StreamsGroupSettings,
} from '../../src/coordinator/config.ts'
import type { CoordinatorLog, LoadSink } from '../../src/coordinator/coordinator-log.ts'
import type { ClassicGroup } from '../../src/coordinator/group/classic/group.ts'
import type { ConsumerGroup } from '../../src/coordinator/group/consumer/group.ts'
import { hashTopic } from '../../src/coordinator/group/consumer/metadata-hash.ts'
import { decodeRecord, type GroupRecord, type KeyValue } from '../../src/coordinator/group/records.ts'
import type { ClusterTopics, GroupRequestContext } from '../../src/coordinator/request-context.ts'
import { GroupCoordinator } from '../../src/coordinator/runtime.ts'
import type { GroupShard } from '../../src/coordinator/shard.ts'
import type {
  ReadState,
  SharePartitionKey,
  SharePersister,
  StateFailure,
  StateSummary,
} from '../../src/coordinator/share-state/persister.ts'
import { shareKeyName } from '../../src/coordinator/share-state/shard.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import type { OffsetCommitRequest } from '../../src/protocol/messages/08-offset-commit.ts'
import type { OffsetFetchRequest } from '../../src/protocol/messages/09-offset-fetch.ts'
import type { JoinGroupRequest } from '../../src/protocol/messages/11-join-group.ts'
import { ZERO_UUID } from '../../src/protocol/schema.ts'
import { ManualClock } from '../../src/storage/clock-manual.ts'
import { type Logger, silentLogger } from '../../src/storage/logger.ts'
import { SeededRandom } from '../../src/storage/random-seeded.ts'
import { ManualTimers } from '../../src/storage/timers-manual.ts'

type Done = (errorCode: ErrorCode) => void

interface Pending {
  readonly partition: number
  readonly records: readonly KeyValue[]
  readonly done: Done
}

export class TestLog implements CoordinatorLog {
  readonly partitions = new Map<number, (readonly KeyValue[])[]>()
  /** Appends wait for `settle` instead of being written at the next `flush`. */
  isHeld = false
  areLoadsHeld = false
  refuseWith: ErrorCode = ErrorCode.NONE
  bytesMax = 1_000_000
  loads = 0
  readonly #pending: Pending[] = []
  readonly #heldLoads: (() => void)[] = []

  append(partition: number, records: readonly KeyValue[], options: { nowMs: number; done: Done }): ErrorCode {
    if (this.refuseWith !== ErrorCode.NONE) return this.refuseWith
    const bytes = records.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 61)
    if (bytes > this.bytesMax) return ErrorCode.MESSAGE_TOO_LARGE
    this.#pending.push({ partition, records, done: options.done })
    return ErrorCode.NONE
  }

  leaderEpoch(): number {
    return 0
  }

  batchBytesMax(): number {
    return this.bytesMax
  }

  load(partition: number, sink: LoadSink): () => void {
    this.loads++
    let live = true
    const run = () => {
      if (!live) return
      let offset = 0
      for (const batch of this.partitions.get(partition) ?? []) {
        sink.records(batch, null, offset)
        offset += batch.length
      }
      sink.ended(null)
    }
    if (this.areLoadsHeld) this.#heldLoads.push(run)
    else run()
    return () => {
      live = false
    }
  }

  get pendingCount(): number {
    return this.#pending.length
  }

  flush(): void {
    while (!this.isHeld && this.#pending.length > 0) this.settle()
  }

  /** Settles the oldest pending append. A failed one is not in the log. */
  settle(errorCode: ErrorCode = ErrorCode.NONE): void {
    const pending = this.#pending.shift()
    if (pending === undefined) throw new Error('nothing is pending')
    if (errorCode === ErrorCode.NONE) this.write(pending.partition, pending.records)
    pending.done(errorCode)
  }

  write(partition: number, records: readonly KeyValue[]): void {
    const batches = this.partitions.get(partition) ?? []
    batches.push(records)
    this.partitions.set(partition, batches)
  }

  /** The process is gone: what was not written never will be, and nobody hears of it. */
  losePending(): void {
    this.#pending.length = 0
    this.#heldLoads.length = 0
  }

  releaseLoads(): void {
    for (const load of this.#heldLoads.splice(0)) load()
  }

  batches(partition = 0): GroupRecord[][] {
    return (this.partitions.get(partition) ?? []).map((batch) =>
      batch.map(({ key, value }) => {
        const record = decodeRecord(key, value)
        if (record.type === 'skipped') throw new Error(record.reason)
        return record
      }),
    )
  }
}

/** A call whose answer may come later. */
export class Call<Answer> {
  readonly answers: Answer[] = []
  #then: ((answer: Answer) => void) | null = null

  readonly reply = (answer: Answer): void => {
    this.answers.push(answer)
    this.#then?.(answer)
  }

  /** Calls back with the answer, now or when it comes. */
  whenAnswered(look: (answer: Answer) => void): void {
    if (this.isParked) this.#then = look
    else look(this.answer)
  }

  get isParked(): boolean {
    return this.answers.length === 0
  }

  get answer(): Answer {
    const [answer, second] = this.answers
    if (answer === undefined) throw new Error('the call has not been answered')
    if (second !== undefined) throw new Error('the call has been answered twice')
    return answer
  }
}

export interface Member {
  readonly memberId: string
  readonly generation: number
  readonly groupInstanceId?: string | null
}

type JoinFields = Partial<Omit<JoinGroupRequest, 'protocols'>> & {
  readonly version?: number
  readonly clientId?: string
  readonly protocols?: Readonly<Record<string, string | Buffer>>
}

type CommitFields = Partial<Omit<OffsetCommitRequest, 'topics'>> & {
  readonly version?: number
  readonly generation?: number
  /** `topic/partition` -> offset, or offset and metadata. */
  readonly offsets?: Readonly<Record<string, number | readonly [offset: number, metadata: string | null]>>
}

export const TOPICS: Readonly<Record<string, { id: string; partitions: number }>> = {
  orders: { id: '4_6AKg3nTUq32P4R-HNrNA', partitions: 3 },
  payments: { id: 'Zm9vYmFyYmF6cXV4MTIzNA', partitions: 2 },
}

export const UNKNOWN_TOPIC_ID = 'AQIDBAUGBwgJCgsMDQ4PEA'

interface GroupTestOptions {
  readonly config?: Partial<GroupCoordinatorConfig>
  readonly seed?: number
  readonly partitions?: number
  readonly logger?: Logger
}

const ACCEPTED: StateFailure = { errorCode: ErrorCode.NONE, errorMessage: null }

/** A share coordinator that never fails, unless told to: what it was asked for, by group, topic and partition. */
export class TestPersister implements SharePersister {
  readonly startOffsets = new Map<string, number>()
  /** What the next questions are answered with. */
  outcome: StateFailure = ACCEPTED

  initialize(key: SharePartitionKey, state: { startOffset: number }, done: (result: StateFailure) => void): void {
    if (this.outcome.errorCode === ErrorCode.NONE) this.startOffsets.set(shareKeyName(key), state.startOffset)
    done(this.outcome)
  }

  delete(key: SharePartitionKey, done: (result: StateFailure) => void): void {
    if (this.outcome.errorCode === ErrorCode.NONE) this.startOffsets.delete(shareKeyName(key))
    done(this.outcome)
  }

  summarize(key: SharePartitionKey, done: (result: StateSummary) => void): void {
    const startOffset = this.startOffsets.get(shareKeyName(key)) ?? -1
    done({ ...this.outcome, stateEpoch: 0, leaderEpoch: 0, startOffset, deliveryCompleteCount: 0 })
  }

  read(key: SharePartitionKey, _leaderEpoch: number, done: (result: ReadState) => void): void {
    const startOffset = this.startOffsets.get(shareKeyName(key)) ?? -1
    done({ ...this.outcome, stateEpoch: 0, startOffset, batches: [] })
  }

  write(_key: SharePartitionKey, _state: unknown, done: (result: StateFailure) => void): void {
    done(this.outcome)
  }
}

export class GroupTest {
  readonly clock = new ManualClock()
  readonly timers = new ManualTimers(this.clock)
  readonly random: SeededRandom
  readonly log = new TestLog()
  readonly topics = new Map(Object.entries(TOPICS))
  readonly #options: GroupTestOptions
  /** What is set for single groups. */
  readonly settings = new Map<string, Partial<ConsumerGroupSettings>>()
  readonly streamsSettings = new Map<string, Partial<StreamsGroupSettings>>()
  topicsVersion = 1
  /** Takes every state of share partitions and answers at once. */
  readonly persister = new TestPersister()
  coordinator: GroupCoordinator
  /** Topics and groups that the principal may not use. */
  readonly forbidden = new Set<string>()

  constructor(options: GroupTestOptions = {}) {
    this.#options = options
    this.random = new SeededRandom(options.seed ?? 1)
    this.coordinator = this.#start()
  }

  #start(): GroupCoordinator {
    const partitionCount = this.#options.partitions ?? 1
    const coordinator = new GroupCoordinator({
      config: { ...GROUP_COORDINATOR_DEFAULTS, ...this.#options.config },
      log: this.log,
      timers: this.timers,
      clock: this.clock,
      random: this.random,
      metadata: this.#clusterTopics(partitionCount),
      compilePattern: compileTopicPattern,
      consumerSettings: (groupId) => ({ ...CONSUMER_GROUP_SETTINGS, ...this.settings.get(groupId) }),
      shareSettings: (groupId) => ({ ...CONSUMER_GROUP_SETTINGS, ...this.settings.get(groupId) }),
      shareServices: { persister: this.persister, latestOffset: () => null, forgetDeliveries: () => {} },
      streamsSettings: (groupId) => ({ ...STREAMS_GROUP_SETTINGS, ...this.streamsSettings.get(groupId) }),
      logger: this.#options.logger ?? silentLogger,
    })
    for (let partition = 0; partition < partitionCount; partition++) coordinator.load(partition)
    return coordinator
  }

  #clusterTopics(offsetsPartitions: number): ClusterTopics {
    const { topics } = this
    const version = () => this.topicsVersion
    return {
      get version() {
        return version()
      },
      get newestTopicVersion() {
        return version()
      },
      topicId: (name) => topics.get(name)?.id,
      topicName: (id) => [...topics].find(([, topic]) => topic.id === id)?.[0],
      partitionCount: (name) => (name === OFFSETS_TOPIC ? offsetsPartitions : topics.get(name)?.partitions),
      topicNames: () => topics.keys(),
      metadataHash: (name) => {
        const topic = topics.get(name)
        if (topic === undefined) return undefined
        return hashTopic({ topicId: topic.id, name, racks: Array.from({ length: topic.partitions }, () => []) })
      },
    }
  }

  /** Creates the topic, or changes its partitions; 0 deletes it. */
  setTopic(name: string, partitions: number): void {
    const known = this.topics.get(name)
    if (partitions === 0) this.topics.delete(name)
    else this.topics.set(name, { id: known?.id ?? this.random.uuid(), partitions })
    this.topicsVersion++
    this.coordinator.topicsChanged(new Set([name]))
  }

  classicGroup(groupId = 'group'): ClassicGroup | undefined {
    const group = this.shardOf(groupId).groups.get(groupId)
    return group?.type === 'classic' ? group : undefined
  }

  consumerGroup(groupId = 'group'): ConsumerGroup | undefined {
    const group = this.shardOf(groupId).groups.get(groupId)
    return group?.type === 'consumer' ? group : undefined
  }

  /** The process dies and starts again over the same log. */
  crash(): void {
    for (const name of this.timers.names()) this.timers.cancel(name)
    this.log.losePending()
    this.coordinator = this.#start()
    this.log.flush()
  }

  /** The shard of the default group, and of every other where there is one partition. */
  get shard(): GroupShard {
    return this.shardOf('group')
  }

  shardOf(groupId: string): GroupShard {
    const shard = this.coordinator.shard(this.coordinator.partitionFor(groupId))
    if (shard === undefined) throw new Error(`the partition of group ${groupId} is not loaded`)
    return shard
  }

  /** Time passes; what it sets off is written. */
  sleep(ms: number): void {
    for (let left = ms; left > 0; ) {
      const due = this.timers.names().map((name) => (this.timers.dueMs(name) ?? 0) - this.clock.now())
      const step = Math.min(left, Math.max(1, due[0] ?? left))
      this.timers.advance(step)
      this.log.flush()
      left -= step
    }
  }

  context(version: number, clientId: string | null = 'client'): GroupRequestContext {
    return {
      clientId,
      clientHost: '/127.0.0.1',
      apiVersion: version,
      allowed: (_operation, _resource, name) => !this.forbidden.has(name),
    }
  }

  call<Request, Answer>(
    run: (context: GroupRequestContext, request: Request, reply: (answer: Answer) => void) => void,
    version: number,
    request: Request,
    clientId?: string,
  ): Call<Answer> {
    const call = new Call<Answer>()
    run.call(this.coordinator, this.context(version, clientId), request, call.reply)
    this.log.flush()
    return call
  }

  join(fields: JoinFields = {}) {
    const { version = 5, clientId, protocols = { range: 'metadata' }, ...rest } = fields
    const request: JoinGroupRequest = {
      groupId: 'group',
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 60_000,
      memberId: '',
      groupInstanceId: null,
      protocolType: 'consumer',
      reason: null,
      ...rest,
      protocols: Object.entries(protocols).map(([name, metadata]) => ({ name, metadata: Buffer.from(metadata) })),
    }
    return this.call(this.coordinator.joinGroup, version, request, clientId)
  }

  /** Joins as clients of v4+ do: fetches an id first. */
  joinWithId(fields: JoinFields = {}) {
    const { answer } = this.join(fields)
    if (answer.errorCode !== ErrorCode.MEMBER_ID_REQUIRED) throw new Error(`no member id but error ${answer.errorCode}`)
    return this.join({ ...fields, memberId: answer.memberId })
  }

  sync(
    member: Member,
    assignments: Readonly<Record<string, string | Buffer>> = {},
    fields: { groupId?: string; version?: number; protocolType?: string | null; protocolName?: string | null } = {},
  ) {
    const { version = 3, ...rest } = fields
    return this.call(this.coordinator.syncGroup, version, {
      groupId: 'group',
      generationId: member.generation,
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId ?? null,
      protocolType: null,
      protocolName: null,
      ...rest,
      assignments: Object.entries(assignments).map(([memberId, assignment]) => ({
        memberId,
        assignment: Buffer.from(assignment),
      })),
    })
  }

  heartbeat(member: Member, groupId = 'group'): ErrorCode {
    return this.call(this.coordinator.heartbeat, 3, {
      groupId,
      generationId: member.generation,
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId ?? null,
    }).answer.errorCode as ErrorCode
  }

  leave(members: readonly { memberId?: string; groupInstanceId?: string | null }[], version = 3, groupId = 'group') {
    return this.call(this.coordinator.leaveGroup, version, {
      groupId,
      memberId: members[0]?.memberId ?? '',
      members: members.map(({ memberId = '', groupInstanceId = null }) => ({
        memberId,
        groupInstanceId,
        reason: null,
      })),
    })
  }

  commit(fields: CommitFields = {}) {
    const { version = 7, generation = -1, offsets = { 'orders/0': 7 }, ...rest } = fields
    const topics = new Map<string, OffsetCommitRequest['topics'][number]['partitions'][number][]>()
    for (const [key, value] of Object.entries(offsets)) {
      const [topic = '', partition = ''] = key.split('/')
      const [committedOffset, committedMetadata] = typeof value === 'number' ? [value, ''] : value
      const row = { partitionIndex: Number(partition), committedOffset, committedLeaderEpoch: 3, committedMetadata }
      topics.set(topic, [...(topics.get(topic) ?? []), row])
    }
    const byId = version >= 10
    return this.call(this.coordinator.offsetCommit, version, {
      groupId: 'group',
      generationIdOrMemberEpoch: generation,
      memberId: '',
      groupInstanceId: null,
      retentionTimeMs: -1,
      ...rest,
      topics: Array.from(topics, ([name, partitions]) => ({
        name: byId ? '' : name,
        topicId: byId ? (TOPICS[name]?.id ?? UNKNOWN_TOPIC_ID) : ZERO_UUID,
        partitions: [...partitions],
      })),
    })
  }

  /** Codes of a commit's rows, in order. */
  commitCodes(fields: CommitFields = {}): number[] {
    return this.commit(fields).answer.topics.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode))
  }

  fetch(request: Partial<OffsetFetchRequest>, version = 7) {
    return this.call(this.coordinator.offsetFetch, version, {
      groupId: 'group',
      topics: null,
      groups: [],
      requireStable: false,
      ...request,
    })
  }

  /** `topic/partition` -> offset of everything stored for the group. */
  committed(groupId = 'group'): Record<string, number> {
    const offsets: Record<string, number> = {}
    for (const { name, partitions } of this.fetch({ groupId }).answer.topics ?? []) {
      for (const row of partitions) offsets[`${name}/${row.partitionIndex}`] = row.committedOffset
    }
    return offsets
  }

  describe(groupId = 'group', version = 5) {
    const call = new Call<Parameters<Parameters<GroupCoordinator['describeGroups']>[2]>[0]>()
    this.coordinator.describeGroups(this.context(version), [groupId], call.reply)
    const [described] = call.answer
    if (described === undefined) throw new Error('nothing described')
    return described
  }

  state(groupId = 'group'): string {
    return this.describe(groupId).groupState
  }

  /** A stable group of dynamic members; the first one leads. Each is assigned its own index. */
  stableGroup(size: number, fields: JoinFields = {}): Member[] {
    const first = this.joinWithId(fields)
    const ids = [first.answer.memberId]
    for (let index = 1; index < size; index++) ids.push(this.join(fields).answer.memberId)
    if (size > 1) {
      // The first is alone in generation 1 and rejoins with the others.
      const calls = ids.slice(1).map((memberId) => this.join({ ...fields, memberId }))
      calls.push(this.join({ ...fields, memberId: ids[0] ?? '' }))
      for (const call of calls) if (call.isParked) throw new Error('the rebalance did not end')
    }
    const generation = this.classicGroup(fields.groupId)?.generation ?? -1
    const members = ids.map((memberId) => ({ memberId, generation }))
    const assignments = Object.fromEntries(ids.map((memberId, index) => [memberId, String(index)]))
    const group = { groupId: fields.groupId ?? 'group' }
    for (const [index, member] of members.entries()) {
      const { answer } = this.sync(member, index === 0 ? assignments : {}, group)
      if (answer.errorCode !== ErrorCode.NONE) throw new Error(`sync failed: ${answer.errorCode}`)
    }
    return members
  }
}

/** A consumer protocol subscription, version 0. */
export function subscription(...topics: string[]): Buffer {
  const parts: Buffer[] = [Buffer.from([0, 0]), int32(topics.length)]
  for (const topic of topics) parts.push(Buffer.from([0, topic.length]), Buffer.from(topic))
  parts.push(int32(-1))
  return Buffer.concat(parts)
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
