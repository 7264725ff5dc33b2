/**
 * Members of groups of both protocols. They believe in what they are told for as long as their session lasts, give up what they must, lose
 * answers, vanish and come back. Whatever happens no two of them believe at the same time that a partition is theirs, epochs and generations
 * do not go back, and neither do committed positions.
 */
import { ErrorCode } from '../../src/protocol/errors.ts'
import { OffsetCommitRequest, OffsetCommitResponse } from '../../src/protocol/messages/08-offset-commit.ts'
import { JoinGroupRequest, JoinGroupResponse } from '../../src/protocol/messages/11-join-group.ts'
import { HeartbeatRequest, HeartbeatResponse } from '../../src/protocol/messages/12-heartbeat.ts'
import { LeaveGroupRequest, LeaveGroupResponse } from '../../src/protocol/messages/13-leave-group.ts'
import { SyncGroupRequest, SyncGroupResponse } from '../../src/protocol/messages/14-sync-group.ts'
import {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponse,
} from '../../src/protocol/messages/68-consumer-group-heartbeat.ts'
import { isById, partitionById, Refused, type SimClient, split, topicIdOf } from './client.ts'
import { ConnectionLost } from './wire.ts'

const SESSION_TIMEOUT_MS = 10_000
const REBALANCE_TIMEOUT_MS = 120_000

interface Belief {
  /** The end of the session, as far as the member knows. */
  untilMs: number
  partitions: readonly string[]
}

/** Who believes in what, in one group. */
export class Beliefs {
  readonly group: string
  readonly #problems: string[]
  readonly #beliefs = new Map<object, Belief>()
  /** Position of each partition: numbers that only grow, and what was acknowledged of them. */
  readonly committed = new Map<string, number>()
  /** All that was tried to commit. */
  readonly tried = new Map<string, Set<number>>()
  #epoch = -1
  nextOffset = 1
  handedOut = 0

  constructor(group: string, problems: string[]) {
    this.group = group
    this.#problems = problems
  }

  /** The member was told that these partitions are its own. */
  believe(member: object, partitions: readonly string[], nowMs: number, untilMs: number): void {
    for (const [other, belief] of this.#beliefs) {
      if (other === member || belief.untilMs <= nowMs) continue
      for (const partition of partitions) {
        if (belief.partitions.includes(partition)) this.#problems.push(`${this.group}: ${partition} has two owners`)
      }
    }
    this.handedOut += partitions.length
    this.#beliefs.set(member, { untilMs, partitions })
  }

  extend(member: object, untilMs: number): void {
    const belief = this.#beliefs.get(member)
    if (belief !== undefined) belief.untilMs = untilMs
  }

  giveUp(member: object): void {
    this.#beliefs.delete(member)
  }

  owned(member: object): readonly string[] {
    return this.#beliefs.get(member)?.partitions ?? []
  }

  /** The epoch or generation of an answer, in the order of the answers. */
  sawEpoch(epoch: number): void {
    if (epoch < this.#epoch) this.#problems.push(`${this.group}: epoch ${epoch} after ${this.#epoch}`)
    this.#epoch = Math.max(epoch, this.#epoch)
  }
}

interface Membership {
  readonly memberId: string
  readonly generation: number
}

/** Commits a position of a partition of its own that nobody has committed before; numbers only grow. */
export async function commit(
  client: SimClient,
  beliefs: Beliefs,
  { memberId, generation }: Membership,
): Promise<number> {
  const owned = beliefs.owned(client)
  const owns = owned[client.random.below(owned.length)]
  if (owns === undefined) return ErrorCode.NONE
  const offset = beliefs.nextOffset++
  beliefs.tried.set(owns, (beliefs.tried.get(owns) ?? new Set()).add(offset))
  const { topic, index } = split(owns)
  const partitions = [{ partitionIndex: index, committedOffset: offset, committedMetadata: '' }]
  const name = isById(owns) ? { topicId: topicIdOf(owns) } : { name: topic }
  const request = {
    groupId: beliefs.group,
    memberId,
    generationIdOrMemberEpoch: generation,
    topics: [{ ...name, partitions }],
  }
  const version = 'topicId' in name ? 10 : 7
  const answer = await client.wire.ask(OffsetCommitRequest, OffsetCommitResponse, version, request)
  const code = answer.value.topics[0]?.partitions[0]?.errorCode ?? ErrorCode.NONE
  if (code === ErrorCode.NONE) beliefs.committed.set(owns, Math.max(offset, beliefs.committed.get(owns) ?? 0))
  return code
}

// The classic protocol

const NOT_NOW: ReadonlySet<number> = new Set([
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.NOT_COORDINATOR,
])

export async function runClassicMember(
  client: SimClient,
  beliefs: Beliefs,
  partitions: readonly string[],
): Promise<void> {
  client.dropsLate = true
  let memberId = ''
  while (!client.isEnding()) {
    try {
      await client.findCoordinator(0, beliefs.group)
      memberId = await classicSession(client, beliefs, partitions, memberId)
    } catch (error) {
      if (error instanceof Refused) client.model.problems.push(`${client.name}: ${error.message}`)
      else if (!(error instanceof ConnectionLost)) throw error
      // Sometimes the process itself is gone, and with it who it was.
      if (client.chance(0.3)) {
        beliefs.giveUp(client)
        memberId = ''
      }
    }
    client.leave()
    await client.rest()
  }
  beliefs.giveUp(client)
}

/** Joins, and stays until it is told to join anew. Returns its id, or '' if that is not known any more. */
async function classicSession(
  client: SimClient,
  beliefs: Beliefs,
  partitions: readonly string[],
  knownId: string,
): Promise<string> {
  const { world } = client
  const groupId = beliefs.group
  // Eager: whoever joins anew has given up everything.
  beliefs.giveUp(client)
  const joined = await client.wire.ask(JoinGroupRequest, JoinGroupResponse, 6, {
    groupId,
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
    rebalanceTimeoutMs: REBALANCE_TIMEOUT_MS,
    memberId: knownId,
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: Buffer.from('sim') }],
  })
  const { errorCode, memberId, generationId, leader, members } = joined.value
  if (errorCode === ErrorCode.MEMBER_ID_REQUIRED) return memberId
  if (errorCode === ErrorCode.UNKNOWN_MEMBER_ID) return ''
  if (errorCode !== ErrorCode.NONE) return expected(client, 'JoinGroup', errorCode, knownId)
  const assignments =
    leader === memberId
      ? assign(
          members.map((member) => member.memberId),
          partitions,
        )
      : []
  const askedMs = world.clock.now()
  const member = { groupId, generationId, memberId }
  const synced = await client.wire.ask(SyncGroupRequest, SyncGroupResponse, 3, { ...member, assignments })
  if (synced.value.errorCode !== ErrorCode.NONE) return expected(client, 'SyncGroup', synced.value.errorCode, memberId)
  // Before that a generation is not in the log, and after a crash its number comes again.
  beliefs.sawEpoch(generationId)
  const own = synced.value.assignment
    .toString()
    .split(',')
    .filter((name) => name !== '')
  beliefs.believe(client, own, world.clock.now(), askedMs + SESSION_TIMEOUT_MS)
  while (!client.isEnding()) {
    const sentMs = world.clock.now()
    const isCommit = client.chance(0.4)
    const code = isCommit
      ? await commit(client, beliefs, { memberId, generation: generationId })
      : (await client.wire.ask(HeartbeatRequest, HeartbeatResponse, 3, member)).value.errorCode
    if (code !== ErrorCode.NONE) return expected(client, isCommit ? 'OffsetCommit' : 'Heartbeat', code, memberId)
    beliefs.extend(client, sentMs + SESSION_TIMEOUT_MS)
    if (client.chance(0.03)) {
      beliefs.giveUp(client)
      const leaving = { groupId, memberId: '', members: [{ memberId }] }
      await client.wire.ask(LeaveGroupRequest, LeaveGroupResponse, 3, leaving)
      return ''
    }
    await client.rest()
  }
  return memberId
}

function assign(members: readonly string[], partitions: readonly string[]): { memberId: string; assignment: Buffer }[] {
  return members.map((memberId, index) => ({
    memberId,
    assignment: Buffer.from(partitions.filter((_name, at) => at % members.length === index).join(',')),
  }))
}

function expected(client: SimClient, what: string, code: number, memberId: string): string {
  if (code === ErrorCode.UNKNOWN_MEMBER_ID) return ''
  const isPartOfLife =
    NOT_NOW.has(code) || code === ErrorCode.REBALANCE_IN_PROGRESS || code === ErrorCode.ILLEGAL_GENERATION
  if (!isPartOfLife) client.model.problems.push(`${client.name}: ${new Refused(what, code).message}`)
  return memberId
}

// The consumer protocol (KIP-848)

export const CONSUMER_SESSION_TIMEOUT_MS = 10_000

export async function runConsumerMember(client: SimClient, beliefs: Beliefs, topics: readonly string[]): Promise<void> {
  client.dropsLate = true
  while (!client.isEnding()) {
    const memberId = client.random.uuid()
    try {
      await client.findCoordinator(0, beliefs.group)
      await consumerSession(client, beliefs, topics, memberId)
    } catch (error) {
      if (error instanceof Refused) client.model.problems.push(`${client.name}: ${error.message}`)
      else if (!(error instanceof ConnectionLost)) throw error
    }
    beliefs.giveUp(client)
    client.leave()
    await client.rest()
  }
}

/** From joining to leaving, being fenced, or vanishing. */
async function consumerSession(
  client: SimClient,
  beliefs: Beliefs,
  topics: readonly string[],
  memberId: string,
): Promise<void> {
  const { world } = client
  let epoch = 0
  let saysEverything = true
  const everything = () => ({
    rebalanceTimeoutMs: REBALANCE_TIMEOUT_MS,
    subscribedTopicNames: [...topics],
    topicPartitions: topicPartitionsOf(epoch === 0 ? [] : beliefs.owned(client)),
  })
  while (!client.isEnding()) {
    const identity = { groupId: beliefs.group, memberId, memberEpoch: epoch }
    const sentMs = world.clock.now()
    const request = saysEverything ? { ...identity, ...everything() } : identity
    let answer: Awaited<ReturnType<typeof heartbeat>>
    try {
      answer = await heartbeat(client, request)
    } catch (error) {
      if (!(error instanceof ConnectionLost) || client.chance(0.3)) throw error
      // Its session goes on; it says everything again.
      saysEverything = true
      await client.rest()
      continue
    }
    const { errorCode, memberEpoch, assignment } = answer
    if (NOT_NOW.has(errorCode)) {
      await client.rest()
      continue
    }
    if (errorCode === ErrorCode.FENCED_MEMBER_EPOCH || errorCode === ErrorCode.UNKNOWN_MEMBER_ID) return
    if (errorCode !== ErrorCode.NONE) throw new Refused('ConsumerGroupHeartbeat', errorCode)
    if (memberEpoch < epoch) client.model.problems.push(`${client.name}: epoch ${memberEpoch} after ${epoch}`)
    epoch = memberEpoch
    const untilMs = sentMs + CONSUMER_SESSION_TIMEOUT_MS
    beliefs.extend(client, untilMs)
    saysEverything = false
    if (assignment !== null) {
      const own = assignment.topicPartitions.flatMap(({ topicId, partitions }) =>
        partitions.map((index) => partitionById(topicId, index)),
      )
      beliefs.believe(client, own, world.clock.now(), untilMs)
      saysEverything = true
    }
    if (client.chance(0.2)) await commit(client, beliefs, { memberId, generation: epoch })
    if (client.chance(0.03)) {
      beliefs.giveUp(client)
      await heartbeat(client, { ...identity, memberEpoch: -1 })
      return
    }
    await client.rest()
  }
}

async function heartbeat(
  client: SimClient,
  request: Parameters<
    typeof client.wire.ask<typeof ConsumerGroupHeartbeatRequest, typeof ConsumerGroupHeartbeatResponse>
  >[3],
) {
  const answer = await client.wire.ask(ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, 1, request)
  return answer.value
}

function topicPartitionsOf(names: readonly string[]): { topicId: string; partitions: number[] }[] {
  const byTopic = new Map<string, number[]>()
  for (const name of names) {
    const topicId = topicIdOf(name)
    byTopic.set(topicId, [...(byTopic.get(topicId) ?? []), split(name).index])
  }
  return [...byTopic].map(([topicId, partitions]) => ({ topicId, partitions }))
}
