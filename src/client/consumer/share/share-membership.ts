/**
 * A member of a share group (KIP-932): one heartbeat says what it subscribes to and hears which partitions it may take records from.
 * Partitions are shared, so nothing has to be given up before others get it.
 */
import { ErrorCode } from '../../../protocol/errors.ts'
import {
  ShareGroupHeartbeatRequest,
  ShareGroupHeartbeatResponse,
} from '../../../protocol/messages/76-share-group-heartbeat.ts'
import type { Cluster } from '../../cluster.ts'
import { asKafkaError, brokerError, isConnectionLoss, type KafkaError } from '../../errors.ts'
import { sleep } from '../../retry.ts'
import type { CoordinatorLink } from '../coordinator-link.ts'
import type { TopicPartition } from '../topic-partition.ts'

const LEAVE_EPOCH = -1
const LEAVE_TIMEOUT_MS = 5_000

export interface ShareMembershipHooks {
  assigned(partitions: readonly TopicPartition[]): void
  fatal(error: KafkaError): void
}

export class ShareMembership {
  readonly memberId: string
  private readonly cluster: Cluster
  private readonly groupId: string
  private readonly rack: string | null
  private readonly link: CoordinatorLink
  private readonly hooks: ShareMembershipHooks
  private topics: readonly string[] = []
  private epoch = 0
  private saySubscription = true
  private hasPartitions = false
  /** Heartbeats in a row whose answers left this member without partitions. */
  private idleBeats = 0
  private readonly stopped = new AbortController()
  private wakeUp = new AbortController()
  private running: Promise<void> | null = null

  constructor(
    cluster: Cluster,
    group: { readonly groupId: string; readonly memberId: string; readonly rack: string | null },
    link: CoordinatorLink,
    hooks: ShareMembershipHooks,
  ) {
    this.cluster = cluster
    this.groupId = group.groupId
    this.memberId = group.memberId
    this.rack = group.rack
    this.link = link
    this.hooks = hooks
  }

  subscribe(topics: readonly string[]): void {
    this.topics = topics
    this.saySubscription = true
    this.wakeUp.abort()
    this.running ??= this.run()
  }

  async leave(): Promise<void> {
    this.stopped.abort()
    this.wakeUp.abort()
    await this.running
    if (this.epoch <= 0) return
    const body = { groupId: this.groupId, memberId: this.memberId, memberEpoch: LEAVE_EPOCH }
    const options = { timeoutMs: LEAVE_TIMEOUT_MS }
    // A broker that does not hear it finds out by itself.
    await this.link.send(ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse, body, options).catch(() => undefined)
  }

  private async run(): Promise<void> {
    while (!this.stopped.signal.aborted) {
      this.wakeUp = new AbortController()
      let waitMs = this.cluster.retry.backoffMs
      try {
        waitMs = await this.beat()
      } catch (error) {
        if (this.stopped.signal.aborted) return
        const failure = asKafkaError(error, 'ERR_BAD_RESPONSE', `member of share group '${this.groupId}'`)
        if (!failure.retriable && !isConnectionLoss(failure)) {
          this.hooks.fatal(failure)
          return
        }
        this.link.forget()
        this.saySubscription = true
      }
      await sleep(waitMs, this.wakeUp.signal).catch(() => undefined)
    }
  }

  /** Answers when the next one is due. */
  private async beat(): Promise<number> {
    const everything = this.epoch === 0 || this.saySubscription
    this.saySubscription = false
    const answer = await this.link.send(
      ShareGroupHeartbeatRequest,
      ShareGroupHeartbeatResponse,
      {
        groupId: this.groupId,
        memberId: this.memberId,
        memberEpoch: this.epoch,
        rackId: everything ? this.rack : null,
        subscribedTopicNames: everything ? this.topics : null,
      },
      { signal: this.stopped.signal },
    )
    if (answer.errorCode === ErrorCode.UNKNOWN_MEMBER_ID || answer.errorCode === ErrorCode.FENCED_MEMBER_EPOCH) {
      this.epoch = 0
      this.hasPartitions = false
      this.hooks.assigned([])
      return 0
    }
    if (answer.errorCode !== 0)
      throw brokerError(answer.errorCode, `share group '${this.groupId}'`, answer.errorMessage)
    this.epoch = answer.memberEpoch
    if (answer.assignment !== null) await this.take(answer.assignment.topicPartitions)
    // A group that has just begun may need a moment to have something to give.
    this.idleBeats = this.hasPartitions || this.topics.length === 0 ? 0 : this.idleBeats + 1
    if (this.idleBeats === 0) return answer.heartbeatIntervalMs
    return Math.min(answer.heartbeatIntervalMs, this.cluster.retry.backoffMs * 2 ** this.idleBeats)
  }

  private async take(rows: readonly { topicId: string; partitions: readonly number[] }[]): Promise<void> {
    if (rows.some(({ topicId }) => this.cluster.topicName(topicId) === undefined))
      await this.cluster.update(this.topics)
    const partitions = rows.flatMap(({ topicId, partitions: numbers }) => {
      const topic = this.cluster.topicName(topicId)
      return topic === undefined ? [] : numbers.map((partition) => ({ topic, partition }))
    })
    // A topic that no broker has told of yet: the whole assignment is asked for again.
    if (rows.some(({ topicId }) => this.cluster.topicName(topicId) === undefined)) this.saySubscription = true
    this.hasPartitions = partitions.length > 0
    this.hooks.assigned(partitions)
  }
}
