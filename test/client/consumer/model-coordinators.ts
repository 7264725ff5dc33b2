/**
 * Two coordinators small enough to be seen to be right: who is a member, who has what, and nothing else. They answer what Kafka's
 * answer in the cases that the model test brings about.
 */

import { decodeAssignment } from '../../../src/client/consumer/group/consumer-protocol.ts'
import type { GroupRequest, GroupResponse } from '../../../src/client/consumer/group/engine.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'

export type Reply = (response: GroupResponse) => void

export interface ModelCoordinator {
  receive(request: GroupRequest, reply: Reply, nowMs: number): void
  /** Takes away members that were not heard of for a session timeout, and ends joins that take too long. */
  pass(nowMs: number): void
}

interface ClassicMember {
  metadata: Buffer
  join: Reply | null
  sync: Reply | null
  seenMs: number
  assignment: Buffer
}

type JoinBody = Extract<GroupRequest, { api: 'join' }>['body']
type SyncBody = Extract<GroupRequest, { api: 'sync' }>['body']

const NOTHING = Buffer.alloc(0)

export class ClassicCoordinator implements ModelCoordinator {
  private readonly members = new Map<string, ClassicMember>()
  private readonly promised = new Set<string>()
  private generation = 0
  private state: 'empty' | 'preparing' | 'completing' | 'stable' = 'empty'
  private joinUntilMs = 0
  private nextId = 1
  private readonly sessionMs: number
  private readonly rebalanceMs: number

  constructor(sessionMs: number, rebalanceMs: number) {
    this.sessionMs = sessionMs
    this.rebalanceMs = rebalanceMs
  }

  get size(): number {
    return this.members.size
  }

  receive(request: GroupRequest, reply: Reply, nowMs: number): void {
    switch (request.api) {
      case 'join':
        this.join(request.body, reply, nowMs)
        break
      case 'sync':
        this.sync(request.body, reply, nowMs)
        break
      case 'heartbeat': {
        const member = this.members.get(request.body.memberId)
        let errorCode = 0
        if (member === undefined) errorCode = ErrorCode.UNKNOWN_MEMBER_ID
        else if (request.body.generationId !== this.generation) errorCode = ErrorCode.ILLEGAL_GENERATION
        else {
          member.seenMs = nowMs
          if (this.state === 'preparing') errorCode = ErrorCode.REBALANCE_IN_PROGRESS
        }
        reply({ api: 'heartbeat', body: { errorCode } })
        break
      }
      case 'leave':
        if (this.members.delete(request.body.memberId ?? '')) this.prepare(nowMs)
        reply({ api: 'leave', body: { errorCode: 0 } })
        break
      case 'consumerHeartbeat':
        throw new Error('not of this protocol')
    }
  }

  pass(nowMs: number): void {
    for (const [id, member] of this.members) {
      if (member.join === null && nowMs - member.seenMs >= this.sessionMs) {
        this.members.delete(id)
        this.prepare(nowMs)
      }
    }
    if (this.state !== 'preparing') return
    if (nowMs >= this.joinUntilMs) {
      for (const [id, { join }] of this.members) if (join === null) this.members.delete(id)
    }
    this.completeIfAll(nowMs)
  }

  private join({ memberId, protocols }: JoinBody, reply: Reply, nowMs: number): void {
    if (memberId === '') {
      const id = `m${this.nextId++}`
      this.promised.add(id)
      this.answerJoin(reply, ErrorCode.MEMBER_ID_REQUIRED, id)
      return
    }
    if (!this.members.has(memberId) && !this.promised.delete(memberId)) {
      this.answerJoin(reply, ErrorCode.UNKNOWN_MEMBER_ID, memberId)
      return
    }
    const metadata = Buffer.from(protocols[0]!.metadata)
    this.members.set(memberId, { metadata, join: reply, sync: null, seenMs: nowMs, assignment: NOTHING })
    this.prepare(nowMs)
    this.completeIfAll(nowMs)
  }

  private answerJoin(reply: Reply, errorCode: number, memberId: string): void {
    const [leader] = this.members.keys()
    const isLeader = leader === memberId && errorCode === 0
    reply({
      api: 'join',
      body: {
        throttleTimeMs: 0,
        errorCode,
        generationId: this.generation,
        protocolType: 'consumer',
        protocolName: 'cooperative-sticky',
        leader: leader ?? '',
        skipAssignment: false,
        memberId,
        members: isLeader
          ? [...this.members].map(([id, { metadata }]) => ({ memberId: id, groupInstanceId: null, metadata }))
          : [],
      },
    })
  }

  private prepare(nowMs: number): void {
    if (this.members.size === 0) {
      this.state = 'empty'
      return
    }
    if (this.state === 'preparing') return
    this.state = 'preparing'
    this.joinUntilMs = nowMs + this.rebalanceMs
    for (const member of this.members.values()) this.answerSync(member, ErrorCode.REBALANCE_IN_PROGRESS)
  }

  private completeIfAll(nowMs: number): void {
    if (this.state !== 'preparing') return
    if (this.members.size === 0) this.state = 'empty'
    else if ([...this.members.values()].every(({ join }) => join !== null)) {
      this.generation += 1
      this.state = 'completing'
      for (const [id, member] of this.members) {
        const reply = member.join!
        member.join = null
        member.seenMs = nowMs
        this.answerJoin(reply, 0, id)
      }
    }
  }

  private sync({ memberId, generationId, assignments }: SyncBody, reply: Reply, nowMs: number): void {
    const member = this.members.get(memberId)
    const refuse = (errorCode: number): void =>
      reply({
        api: 'sync',
        body: { throttleTimeMs: 0, errorCode, protocolType: null, protocolName: null, assignment: NOTHING },
      })
    if (member === undefined) refuse(ErrorCode.UNKNOWN_MEMBER_ID)
    else if (generationId !== this.generation) refuse(ErrorCode.ILLEGAL_GENERATION)
    else if (this.state === 'preparing') refuse(ErrorCode.REBALANCE_IN_PROGRESS)
    else {
      member.seenMs = nowMs
      member.sync = reply
      const [leader] = this.members.keys()
      if (memberId === leader && this.state === 'completing') {
        for (const { memberId: id, assignment } of assignments) {
          const given = this.members.get(id)
          if (given !== undefined) given.assignment = Buffer.from(assignment)
        }
        this.state = 'stable'
        this.checkDisjoint()
      }
      if (this.state !== 'stable') return
      for (const each of this.members.values()) {
        each.seenMs = nowMs
        this.answerSync(each, 0)
      }
    }
  }

  private answerSync(member: ClassicMember, errorCode: number): void {
    const { sync: reply, assignment } = member
    member.sync = null
    reply?.({ api: 'sync', body: { throttleTimeMs: 0, errorCode, protocolType: null, protocolName: null, assignment } })
  }

  private checkDisjoint(): void {
    const all = [...this.members.values()].flatMap(({ assignment }) => decodeAssignment(assignment))
    const names = all.map(({ topic, partition }) => `${topic}:${partition}`)
    if (new Set(names).size !== names.length) throw new Error(`the leader dealt a partition out twice: ${names}`)
  }
}

interface ModernMember {
  epoch: number
  /** What it has or may have, as far as this coordinator knows. */
  held: Set<number>
  seenMs: number
}

const HEARTBEAT_MS = 100

/** One topic; partitions are dealt out round robin by member id, and are given only when nobody holds them. */
export class ModernCoordinator implements ModelCoordinator {
  static readonly TOPIC_ID = 'abcdefghijklmnopqrstuw'
  private readonly members = new Map<string, ModernMember>()
  private epoch = 0
  private readonly sessionMs: number
  private readonly partitionCount: number

  constructor(sessionMs: number, partitionCount: number) {
    this.sessionMs = sessionMs
    this.partitionCount = partitionCount
  }

  get size(): number {
    return this.members.size
  }

  receive(request: GroupRequest, reply: Reply, nowMs: number): void {
    if (request.api !== 'consumerHeartbeat') throw new Error('not of this protocol')
    const { memberId, memberEpoch, topicPartitions } = request.body
    const answer = (errorCode: number, epoch: number, partitions: number[] | null): void =>
      reply({
        api: 'consumerHeartbeat',
        body: {
          throttleTimeMs: 0,
          errorCode,
          errorMessage: null,
          memberId,
          memberEpoch: epoch,
          heartbeatIntervalMs: HEARTBEAT_MS,
          assignment:
            partitions === null ? null : { topicPartitions: [{ topicId: ModernCoordinator.TOPIC_ID, partitions }] },
        },
      })
    if (memberEpoch < 0) {
      if (this.members.delete(memberId)) this.epoch += 1
      answer(0, memberEpoch, null)
      return
    }
    let member = this.members.get(memberId)
    if (memberEpoch === 0) {
      // Who joins says by it that it has nothing.
      member = { epoch: 0, held: new Set(), seenMs: nowMs }
      this.members.set(memberId, member)
      this.epoch += 1
    } else if (member === undefined) {
      answer(ErrorCode.UNKNOWN_MEMBER_ID, 0, null)
      return
    }
    member.seenMs = nowMs
    const owned = topicPartitions?.flatMap(({ partitions }) => partitions) ?? null
    const changed = this.reconcile(memberId, member, owned)
    answer(
      0,
      member.epoch,
      changed || owned !== null ? [...member.held].filter((each) => this.isTarget(memberId, each)) : null,
    )
  }

  pass(nowMs: number): void {
    for (const [id, { seenMs }] of this.members) {
      if (nowMs - seenMs < this.sessionMs) continue
      this.members.delete(id)
      this.epoch += 1
    }
  }

  private isTarget(memberId: string, partition: number): boolean {
    const ids = [...this.members.keys()].sort()
    return ids[partition % ids.length] === memberId
  }

  /** True if what the member shall have is different from before. */
  private reconcile(memberId: string, member: ModernMember, owned: readonly number[] | null): boolean {
    const surplus = [...member.held].filter((each) => !this.isTarget(memberId, each))
    if (owned !== null) {
      for (const each of surplus) if (!owned.includes(each)) member.held.delete(each)
    }
    if ([...member.held].some((each) => !this.isTarget(memberId, each))) return true
    let changed = false
    const others = [...this.members].filter(([id]) => id !== memberId)
    for (let partition = 0; partition < this.partitionCount; partition++) {
      if (!this.isTarget(memberId, partition) || member.held.has(partition)) continue
      if (others.some(([, { held }]) => held.has(partition))) continue
      member.held.add(partition)
      changed = true
    }
    member.epoch = this.epoch
    return changed
  }
}
