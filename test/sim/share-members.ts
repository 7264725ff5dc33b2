/**
 * Members of a share group: they join, fetch, acknowledge in all ways, by a request of its own or along with the next fetch, renew locks, let
 * them run out, vanish with what they have, and come back. What the broker answers goes into a ledger before anybody can have lost it.
 */
import { ErrorCode } from '../../src/protocol/errors.ts'
import {
  ShareGroupHeartbeatRequest,
  ShareGroupHeartbeatResponse,
} from '../../src/protocol/messages/76-share-group-heartbeat.ts'
import { ShareFetchRequest, ShareFetchResponse } from '../../src/protocol/messages/78-share-fetch.ts'
import { ShareAcknowledgeRequest, ShareAcknowledgeResponse } from '../../src/protocol/messages/79-share-acknowledge.ts'
import {
  DescribeShareGroupOffsetsRequest,
  DescribeShareGroupOffsetsResponse,
} from '../../src/protocol/messages/90-describe-share-group-offsets.ts'
import { readRecords } from '../support/fetched-records.ts'
import { partitionById, Refused, type SimClient, split, topicIdOf } from './client.ts'
import type { ShareLedger, Verdict } from './share-ledger.ts'
import { ConnectionLost, type Wire } from './wire.ts'

export const SHARE_LOCK_MS = 2000
const GAP = 0
const RENEW = 4
const TYPES: Readonly<Record<Verdict, number>> = { accept: 1, release: 2, reject: 3 }

const NOT_NOW: ReadonlySet<number> = new Set([
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.NOT_COORDINATOR,
])

/** What happens to members that are slow, or whose group, broker or topic is not what it was. */
const PART_OF_LIFE: ReadonlySet<number> = new Set([
  ErrorCode.NONE,
  ErrorCode.INVALID_RECORD_STATE,
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.UNKNOWN_TOPIC_ID,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.KAFKA_STORAGE_ERROR,
  ErrorCode.OFFSET_OUT_OF_RANGE,
  ErrorCode.GROUP_ID_NOT_FOUND,
  // A state that could not be written.
  ErrorCode.UNKNOWN_SERVER_ERROR,
  // The partition was loaded anew since the records were acquired, and knows nothing of them.
  ErrorCode.INVALID_REQUEST,
])

/** A record in hand. Of markers and the like there is an offset and nothing else. */
interface Held {
  readonly partition: string
  readonly offset: number
  readonly deliveryCount: number
  readonly isRecord: boolean
}

interface Said extends Held {
  readonly type: number
  readonly verdict: Verdict | null
}

export interface SharingSetup {
  readonly ledger: ShareLedger
  readonly topics: readonly string[]
  readonly isCommitted: boolean
}

export async function runShareMember(client: SimClient, setup: SharingSetup): Promise<void> {
  while (!client.isEnding()) {
    const member = new ShareMember(client, setup)
    try {
      await client.findCoordinator(0, setup.ledger.group)
      await member.run()
    } catch (error) {
      if (error instanceof Refused) client.model.problems.push(`${client.name}: ${error.message}`)
      else if (!(error instanceof ConnectionLost)) throw error
    }
    client.leave()
    await client.rest()
  }
}

/** Takes and accepts everything that the group has left; these are its partitions. */
export async function drainShares(
  client: SimClient,
  setup: SharingSetup,
  partitions: ReadonlySet<string>,
): Promise<void> {
  await new ShareMember(client, setup).drain(partitions)
}

/** Where the group is in its partitions, as an administrator is told: it never goes back. */
export class ShareStarts {
  readonly #starts = new Map<string, number>()
  readonly #problems: string[]

  constructor(problems: string[]) {
    this.#problems = problems
  }

  saw(partition: string, startOffset: number): void {
    const before = this.#starts.get(partition) ?? -1
    if (startOffset < before)
      this.#problems.push(`the start of ${partition} went back from ${before} to ${startOffset}`)
    this.#starts.set(partition, Math.max(before, startOffset))
  }
}

/** Asks now and then where the group is. */
export async function runShareObserver(client: SimClient, groupId: string, starts: ShareStarts): Promise<void> {
  const call = [DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsResponse, 1] as const
  while (!client.isEnding()) {
    await client.rest()
    try {
      await client.findCoordinator(0, groupId)
      const { value } = await client.wire.ask(...call, { groups: [{ groupId, topics: null }] })
      for (const { topicId, partitions } of value.groups[0]?.topics ?? []) {
        for (const { partitionIndex, errorCode, startOffset } of partitions) {
          // Without an offset it was never read, or nobody can say now.
          if (errorCode === ErrorCode.NONE && startOffset >= 0) {
            starts.saw(partitionById(topicId, partitionIndex), startOffset)
          }
        }
      }
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error
    }
  }
}

type Assignment = readonly { readonly topicId: string; readonly partitions: readonly number[] }[]

class ShareMember {
  readonly #client: SimClient
  readonly #setup: SharingSetup
  readonly #memberId: string
  #epoch = 0
  #assigned: readonly string[] = []
  /** Of the share session; -1: there is none. */
  #sessionEpoch = -1
  #sessionWire: Wire | null = null
  #held: Held[] = []

  constructor(client: SimClient, setup: SharingSetup) {
    this.#client = client
    this.#setup = setup
    this.#memberId = client.random.uuid()
  }

  async run(): Promise<void> {
    const client = this.#client
    while (!client.isEnding()) {
      if (!(await this.#heartbeat())) return
      for (let rounds = client.random.below(4); rounds > 0 && this.#assigned.length > 0; rounds--) {
        await this.#fetch(this.#assigned, client.chance(0.5) ? this.#chooseSome() : [])
        if (client.chance(0.4)) await this.#acknowledge(this.#chooseSome())
        if (client.chance(0.1)) await this.#renew()
        if (client.chance(0.3)) await client.rest()
      }
      if (client.chance(0.04)) return
      if (client.chance(0.04)) return this.#leave()
      await client.rest()
    }
    if (client.chance(0.5)) await this.#leave()
  }

  async drain(partitions: ReadonlySet<string>): Promise<void> {
    const { clock } = this.#client.world
    // Others' locks run out in that time.
    let untilMs = clock.monotonic() + 2 * SHARE_LOCK_MS
    while (clock.monotonic() < untilMs || this.#held.length > 0) {
      const isComplete =
        this.#assigned.length >= partitions.size && this.#assigned.every((name) => partitions.has(name))
      if (!isComplete) {
        if (!(await this.#heartbeat())) this.#epoch = 0
        untilMs = clock.monotonic() + 2 * SHARE_LOCK_MS
      }
      const said = this.#held.map((held) => this.#say(held, 'accept'))
      await this.#fetch(this.#assigned, said)
      await this.#client.rest()
    }
    await this.#closeSession([])
    await this.#leave()
  }

  // Membership

  /** False: it is no member any more. */
  async #heartbeat(): Promise<boolean> {
    const { ledger, topics } = this.#setup
    const identity = { groupId: ledger.group, memberId: this.#memberId, memberEpoch: this.#epoch }
    const subscribedTopicNames = this.#epoch === 0 ? [...topics] : null
    const { errorCode, memberEpoch, assignment } = await this.#beat({ ...identity, subscribedTopicNames })
    if (NOT_NOW.has(errorCode)) return true
    if (errorCode === ErrorCode.FENCED_MEMBER_EPOCH || errorCode === ErrorCode.UNKNOWN_MEMBER_ID) return false
    // The group's first member may be told that there is none, if the record of it was never written.
    if (errorCode === ErrorCode.GROUP_ID_NOT_FOUND) return false
    if (errorCode !== ErrorCode.NONE) throw new Refused('ShareGroupHeartbeat', errorCode)
    if (memberEpoch < this.#epoch) {
      this.#client.model.problems.push(`${this.#client.name}: epoch ${memberEpoch} after ${this.#epoch}`)
    }
    this.#epoch = memberEpoch
    if (assignment !== null) this.#assigned = namesOf(assignment.topicPartitions)
    return true
  }

  async #beat(request: {
    groupId: string
    memberId: string
    memberEpoch: number
    subscribedTopicNames: string[] | null
  }) {
    const answer = await this.#client.wire.ask(ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse, 1, request)
    return answer.value
  }

  async #leave(): Promise<void> {
    await this.#closeSession(this.#client.chance(0.5) ? this.#chooseSome() : [])
    const identity = { groupId: this.#setup.ledger.group, memberId: this.#memberId, memberEpoch: -1 }
    await this.#beat({ ...identity, subscribedTopicNames: null })
  }

  // Sessions

  /** A session belongs to a connection, and what was acquired in it goes with it. */
  #checkSession(): void {
    const { wire } = this.#client
    if (this.#sessionWire === wire) return
    this.#sessionWire = wire
    this.#sessionEpoch = -1
    this.#held = []
  }

  get #nextEpoch(): number {
    return this.#sessionEpoch + 1
  }

  #sessionFailed(errorCode: number): boolean {
    if (errorCode === ErrorCode.NONE) return false
    const isLost =
      errorCode === ErrorCode.SHARE_SESSION_NOT_FOUND || errorCode === ErrorCode.INVALID_SHARE_SESSION_EPOCH
    if (!isLost) throw new Refused('share session', errorCode)
    this.#sessionEpoch = -1
    return true
  }

  // Records

  async #fetch(partitions: readonly string[], said: readonly Said[]): Promise<void> {
    this.#checkSession()
    const client = this.#client
    const isFirst = this.#sessionEpoch === -1
    const along = isFirst ? [] : this.#letGo(said)
    const { ledger } = this.#setup
    const request = {
      groupId: ledger.group,
      memberId: this.#memberId,
      shareSessionEpoch: this.#nextEpoch,
      maxWaitMs: 20,
      minBytes: 1,
      maxBytes: 1000 + client.random.below(8000),
      maxRecords: 1 + client.random.below(20),
      batchSize: 1 + client.random.below(20),
      shareAcquireMode: client.chance(0.3) ? 1 : 0,
      topics: requestTopics(partitions, along),
      forgottenTopicsData: [],
    }
    const { clock } = client.world
    const { wire } = client
    const untilMs = clock.monotonic() + SHARE_LOCK_MS
    const claim = () => ({ member: this, untilMs, isAlive: () => !wire.isBroken })
    const acquired: Held[] = []
    const answer = await wire.ask(ShareFetchRequest, ShareFetchResponse, 2, request, ({ responses }) => {
      for (const { topicId, partitions: rows } of responses) {
        for (const { partitionIndex, records, acquiredRecords } of rows) {
          const partition = partitionById(topicId, partitionIndex)
          for (const range of acquiredRecords) ledger.delivered(partition, range, claim(), clock.monotonic())
          acquired.push(...this.#take(partition, Buffer.concat(records ?? []), acquiredRecords))
        }
      }
    })
    if (this.#sessionFailed(answer.value.errorCode)) return
    this.#sessionEpoch++
    this.#held.push(...acquired)
    for (const { topicId, partitions: rows } of answer.value.responses) {
      for (const { partitionIndex, errorCode, acknowledgeErrorCode } of rows) {
        this.#expect('ShareFetch', errorCode)
        this.#settle(partitionById(topicId, partitionIndex), along, acknowledgeErrorCode)
      }
    }
  }

  /** What is in hand now. Batches may hold more than was acquired. */
  #take(
    partition: string,
    bytes: Buffer,
    ranges: readonly { firstOffset: number; lastOffset: number; deliveryCount: number }[],
  ): Held[] {
    const { model } = this.#client
    const records = new Map<number, string>()
    for (const { offset, value, headers } of readRecords(bytes, 0, null)) {
      records.set(offset, value === null ? headers[0]!.key : String(value))
    }
    return ranges.flatMap(({ firstOffset, lastOffset, deliveryCount }) =>
      Array.from({ length: lastOffset - firstOffset + 1 }, (_, index): Held => {
        const offset = firstOffset + index
        const value = records.get(offset)
        if (value !== undefined) {
          model.saw(this.#client.nameOf(partition), { offset, value }, this.#setup.isCommitted)
        }
        return { partition, offset, deliveryCount, isRecord: value !== undefined }
      }),
    )
  }

  async #acknowledge(said: readonly Said[]): Promise<void> {
    this.#checkSession()
    if (this.#sessionEpoch === -1 || said.length === 0) return
    const { value, letGo } = await this.#sendAcknowledgement(said, this.#nextEpoch, false)
    if (this.#sessionFailed(value.errorCode)) return
    this.#sessionEpoch++
    this.#settleAll(value, letGo)
  }

  /** The last word of a session: what is in hand is free. */
  async #closeSession(said: readonly Said[]): Promise<void> {
    this.#checkSession()
    if (this.#sessionEpoch === -1) return
    const rest = this.#held.filter(({ partition, offset }) => {
      return !said.some((other) => other.partition === partition && other.offset === offset)
    })
    for (const { partition, offset } of rest) this.#setup.ledger.giveUp(partition, [offset])
    const { value, letGo } = await this.#sendAcknowledgement(said, -1, false)
    this.#sessionEpoch = -1
    this.#held = []
    if (value.errorCode === ErrorCode.NONE) this.#settleAll(value, letGo)
  }

  async #renew(): Promise<void> {
    this.#checkSession()
    const { partition } = this.#held[0] ?? {}
    if (this.#sessionEpoch === -1 || partition === undefined) return
    const renewed = this.#held.filter((held) => held.partition === partition)
    const said = renewed.map((held): Said => ({ ...held, type: RENEW, verdict: null }))
    const { clock } = this.#client.world
    const untilMs = clock.monotonic() + SHARE_LOCK_MS
    const { value } = await this.#sendAcknowledgement(said, this.#nextEpoch, true)
    if (this.#sessionFailed(value.errorCode)) return
    this.#sessionEpoch++
    const errorCode = value.responses[0]?.partitions[0]?.errorCode ?? ErrorCode.NONE
    this.#expect('ShareAcknowledge', errorCode)
    if (errorCode !== ErrorCode.NONE) return
    for (const { offset } of renewed) this.#setup.ledger.renewed(partition, offset, this, untilMs)
  }

  async #sendAcknowledgement(said: readonly Said[], shareSessionEpoch: number, isRenewAck: boolean) {
    const letGo = isRenewAck ? said : this.#letGo(said)
    const { ledger } = this.#setup
    const request = {
      groupId: ledger.group,
      memberId: this.#memberId,
      shareSessionEpoch,
      isRenewAck,
      topics: requestTopics([], letGo),
    }
    const answer = await this.#client.wire.ask(ShareAcknowledgeRequest, ShareAcknowledgeResponse, 2, request)
    return { value: answer.value, letGo }
  }

  // Verdicts

  #chooseSome(): Said[] {
    const { random } = this.#client
    const share = random.next()
    return this.#held
      .filter(() => random.next() < share)
      .map((held) => {
        const dice = random.next()
        return this.#say(held, dice < 0.6 ? 'accept' : dice < 0.9 ? 'release' : 'reject')
      })
  }

  #say(held: Held, verdict: Verdict): Said {
    return held.isRecord ? { ...held, type: TYPES[verdict], verdict } : { ...held, type: GAP, verdict: null }
  }

  /** Once it is said, others may get them. */
  #letGo(said: readonly Said[]): readonly Said[] {
    for (const { partition, offset } of said) this.#setup.ledger.giveUp(partition, [offset])
    this.#held = this.#held.filter(({ partition, offset }) => {
      return !said.some((other) => other.partition === partition && other.offset === offset)
    })
    return said
  }

  #settleAll(
    {
      responses,
    }: {
      responses: readonly { topicId: string; partitions: readonly { partitionIndex: number; errorCode: number }[] }[]
    },
    said: readonly Said[],
  ): void {
    for (const { topicId, partitions } of responses) {
      for (const { partitionIndex, errorCode } of partitions) {
        this.#settle(partitionById(topicId, partitionIndex), said, errorCode)
      }
    }
  }

  #settle(partition: string, said: readonly Said[], errorCode: number): void {
    this.#expect('acknowledgement', errorCode)
    if (errorCode !== ErrorCode.NONE) {
      // All or nothing; why it was nothing may hold for what is still in hand, too.
      const isMeant = (held: Held) => held.partition === partition
      this.#setup.ledger.giveUp(
        partition,
        this.#held.filter(isMeant).map(({ offset }) => offset),
      )
      this.#held = this.#held.filter((held) => !isMeant(held))
      return
    }
    for (const { partition: where, offset, verdict, deliveryCount } of said) {
      if (where === partition && verdict !== null) this.#setup.ledger.acknowledge(where, offset, verdict, deliveryCount)
    }
  }

  #expect(what: string, errorCode: number): void {
    if (!PART_OF_LIFE.has(errorCode)) throw new Refused(what, errorCode)
  }
}

function namesOf(assignment: Assignment): string[] {
  return assignment.flatMap(({ topicId, partitions }) => partitions.map((index) => partitionById(topicId, index)))
}

/** All partitions that are read, each with what is said of its records. */
function requestTopics(partitions: readonly string[], said: readonly Said[]) {
  const names = new Set([...partitions, ...said.map(({ partition }) => partition)])
  return Array.from(names, (name) => ({
    topicId: topicIdOf(name),
    partitions: [
      {
        partitionIndex: split(name).index,
        acknowledgementBatches: batchesOf(said.filter(({ partition }) => partition === name)),
      },
    ],
  }))
}

/** Neighbours go into one batch, with one type for all if they agree. */
function batchesOf(said: readonly Said[]) {
  const batches: { firstOffset: number; lastOffset: number; acknowledgeTypes: number[] }[] = []
  for (const { offset, type } of [...said].sort((one, other) => one.offset - other.offset)) {
    const last = batches.at(-1)
    if (last !== undefined && last.lastOffset + 1 === offset) {
      last.lastOffset = offset
      last.acknowledgeTypes.push(type)
    } else batches.push({ firstOffset: offset, lastOffset: offset, acknowledgeTypes: [type] })
  }
  return batches.map(({ acknowledgeTypes: types, ...range }) => {
    return { ...range, acknowledgeTypes: types.every((type) => type === types[0]) ? [types[0]!] : types }
  })
}
