// Members of share groups (KIP-932) in a few words. Their ids are made here, so that both brokers assign to the same ones.
import {
  ShareGroupHeartbeatRequest,
  ShareGroupHeartbeatResponse,
} from '../../src/protocol/messages/76-share-group-heartbeat.ts'
import {
  ShareGroupDescribeRequest,
  ShareGroupDescribeResponse,
} from '../../src/protocol/messages/77-share-group-describe.ts'
import { ShareFetchRequest, ShareFetchResponse } from '../../src/protocol/messages/78-share-fetch.ts'
import { ShareAcknowledgeRequest, ShareAcknowledgeResponse } from '../../src/protocol/messages/79-share-acknowledge.ts'
import type { Infer, Input } from '../../src/protocol/schema.ts'
import type { DifferentialBroker } from './broker.ts'

export type ShareBeat = Infer<typeof ShareGroupHeartbeatResponse>
type BeatInput = Input<typeof ShareGroupHeartbeatRequest>
type FetchInput = Input<typeof ShareFetchRequest>
type AcknowledgeBatches = Input<
  typeof ShareAcknowledgeRequest
>['topics'][number]['partitions'][number]['acknowledgementBatches']

export const ACCEPT = 1
export const RELEASE = 2
export const REJECT = 3
export const RENEW = 4

export function range(
  firstOffset: number,
  lastOffset: number,
  ...acknowledgeTypes: number[]
): AcknowledgeBatches[number] {
  return { firstOffset, lastOffset, acknowledgeTypes }
}

export interface ShareFetchOptions {
  readonly version?: number
  readonly epoch?: number
  readonly partition?: number
  readonly maxRecords?: number
  readonly maxWaitMs?: number
  readonly minBytes?: number
  readonly batchSize?: number
  readonly mode?: number
  readonly acknowledgements?: AcknowledgeBatches
  readonly more?: Partial<FetchInput>
}

/** One client of a share group, in a connection of its own: remembers its epochs. */
export class ShareClient {
  readonly #broker: DifferentialBroker
  readonly groupId: string
  readonly memberId: string
  readonly topic: string
  memberEpoch = 0
  sessionEpoch = 0

  constructor(broker: DifferentialBroker, groupId: string, memberId: string, topic: string) {
    this.#broker = broker
    this.groupId = groupId
    this.memberId = memberId
    this.topic = topic
  }

  get connectionName(): string {
    return `${this.groupId} ${this.memberId}`
  }

  async beat(more: Partial<BeatInput> = {}): Promise<ShareBeat> {
    const { groupId, memberId, memberEpoch } = this
    const connection = await this.#broker.connection(this.connectionName)
    const value = { groupId, memberId, memberEpoch, rackId: null, subscribedTopicNames: null, ...more }
    const answer = await connection.send(ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse, value, { version: 1 })
    if (answer.errorCode === 0) this.memberEpoch = answer.memberEpoch
    return answer
  }

  join(topics: readonly string[] = [this.topic]): Promise<ShareBeat> {
    return this.beat({ memberEpoch: 0, subscribedTopicNames: [...topics] })
  }

  leave(): Promise<ShareBeat> {
    return this.beat({ memberEpoch: -1 })
  }

  /** Until the member has so many partitions; the answer that brought them. */
  async untilAssigned(count: number): Promise<ShareBeat> {
    let answer = await this.beat()
    await this.#broker.until(`${this.memberId} has ${count} partitions`, async () => {
      const held = answer.assignment?.topicPartitions.flatMap(({ partitions }) => [...partitions]).length ?? -1
      if (held === count) return true
      answer = await this.beat({ subscribedTopicNames: [this.topic] })
      return false
    })
    return answer
  }

  async fetch(options: ShareFetchOptions = {}): Promise<Infer<typeof ShareFetchResponse>> {
    const { version = 2, epoch = this.sessionEpoch, partition = 0, maxRecords = 500, maxWaitMs = 500 } = options
    const connection = await this.#broker.connection(this.connectionName)
    const acknowledgementBatches = options.acknowledgements ?? []
    const asked = { partitionIndex: partition, acknowledgementBatches }
    const names = epoch === 0 || acknowledgementBatches.length > 0
    const value: FetchInput = {
      groupId: this.groupId,
      memberId: this.memberId,
      shareSessionEpoch: epoch,
      maxWaitMs,
      minBytes: options.minBytes ?? 1,
      maxBytes: 1_000_000,
      maxRecords,
      batchSize: options.batchSize ?? 500,
      ...(version >= 2 ? { shareAcquireMode: options.mode ?? 0, isRenewAck: false } : {}),
      topics: names ? [{ topicId: this.#broker.topicId(this.topic), partitions: [asked] }] : [],
      forgottenTopicsData: [],
      ...options.more,
    }
    const answer = await connection.send(ShareFetchRequest, ShareFetchResponse, value, { version })
    if (answer.errorCode === 0) this.sessionEpoch = epoch < 0 ? 0 : epoch + 1
    return answer
  }

  /** Fetches again until something is acquired: what is written down, or loaded, may take a moment. */
  async fetchSome(options: ShareFetchOptions = {}): Promise<Infer<typeof ShareFetchResponse>> {
    let answer = await this.fetch(options)
    await this.#broker.until(`${this.memberId} gets records`, async () => {
      if (acquiredOf(answer).length > 0) return true
      const { epoch: _, ...again } = options
      answer = await this.fetch(again)
      return false
    })
    return answer
  }

  async acknowledge(
    batches: AcknowledgeBatches,
    options: { version?: number; epoch?: number; partition?: number; isRenewAck?: boolean; topicId?: string } = {},
  ): Promise<Infer<typeof ShareAcknowledgeResponse>> {
    const { version = 2, epoch = this.sessionEpoch, partition = 0, isRenewAck = false } = options
    const connection = await this.#broker.connection(this.connectionName)
    const topicId = options.topicId ?? this.#broker.topicId(this.topic)
    const value = {
      groupId: this.groupId,
      memberId: this.memberId,
      shareSessionEpoch: epoch,
      ...(version >= 2 ? { isRenewAck } : {}),
      topics: [{ topicId, partitions: [{ partitionIndex: partition, acknowledgementBatches: batches }] }],
    }
    const answer = await connection.send(ShareAcknowledgeRequest, ShareAcknowledgeResponse, value, { version })
    if (answer.errorCode === 0) this.sessionEpoch = epoch < 0 ? 0 : epoch + 1
    return answer
  }
}

/** What the member has got, without the bytes. */
export function acquiredOf(answer: Infer<typeof ShareFetchResponse>): number[][] {
  return answer.responses
    .flatMap(({ partitions }) => partitions)
    .flatMap(({ partitionIndex, acquiredRecords }) =>
      acquiredRecords.map(({ firstOffset, lastOffset, deliveryCount }) => {
        return [partitionIndex, firstOffset, lastOffset, deliveryCount]
      }),
    )
}

export async function describeShareGroups(broker: DifferentialBroker, ...groupIds: string[]): Promise<unknown> {
  const connection = await broker.connection('share')
  const value = { groupIds, includeAuthorizedOperations: false }
  const answer = await connection.send(ShareGroupDescribeRequest, ShareGroupDescribeResponse, value, { version: 1 })
  return answer.groups
}
