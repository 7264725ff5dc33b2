/**
 * Acknowledgements of a request, checked as far as the request alone can be wrong, handed to the partitions, and answered when what
 * they say is written down. Used by ShareAcknowledge, and by ShareFetch, which may bring some along.
 */

import { Gather } from '../../coordinator/replies.ts'
import type { AcknowledgedBatch } from '../../coordinator/share-delivery/acknowledgement.ts'
import type { AcknowledgeType } from '../../coordinator/share-delivery/record-states.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import type { RequestContext } from '../api.ts'
import type { SharedTopicPartition } from './sessions.ts'

/** Of both requests. */
export interface AcknowledgeTopic {
  readonly topicId: string
  readonly partitions: readonly {
    readonly partitionIndex: number
    readonly acknowledgementBatches: readonly {
      readonly firstOffset: number
      readonly lastOffset: number
      readonly acknowledgeTypes: readonly number[]
    }[]
  }[]
}

export interface AcknowledgeInput {
  readonly groupId: string
  readonly memberId: string
  readonly topics: readonly AcknowledgeTopic[]
  readonly isRenewAck: boolean
}

export interface AcknowledgedPartition extends SharedTopicPartition {
  readonly errorCode: ErrorCode
  readonly errorMessage: string | null
}

const TYPES: readonly AcknowledgeType[] = ['gap', 'accept', 'release', 'reject', 'renew']
const RENEW = 4
const RENEW_SINCE = 2

type Outcome = Pick<AcknowledgedPartition, 'errorCode' | 'errorMessage'>

function failed(errorCode: ErrorCode, errorMessage: string | null = null): Outcome {
  return { errorCode, errorMessage }
}

/** `acknowledged` gets a row for each partition of which something is said, in the order of the request. */
export function acknowledge(
  context: RequestContext,
  input: AcknowledgeInput,
  acknowledged: (rows: AcknowledgedPartition[]) => void,
): void {
  const asked = input.topics.flatMap(({ topicId, partitions }) => {
    return partitions.map(({ partitionIndex, acknowledgementBatches }) => ({
      topicId,
      index: partitionIndex,
      batches: acknowledgementBatches,
    }))
  })
  const said = asked.filter(({ batches }) => batches.length > 0)
  const gather = new Gather<AcknowledgedPartition>(said.length, acknowledged)
  for (const [index, { batches, ...partition }] of said.entries()) {
    const done = (outcome: Outcome) => gather.put(index, { ...partition, ...outcome })
    const refusal = check(context, partition, batches, input.isRenewAck)
    if (refusal !== null) done(refusal)
    else apply(context, input, partition, batches.map(batchOf), done)
  }
}

type Batches = AcknowledgeTopic['partitions'][number]['acknowledgementBatches']

function batchOf({ firstOffset, lastOffset, acknowledgeTypes }: Batches[number]): AcknowledgedBatch {
  return { firstOffset, lastOffset, types: acknowledgeTypes.map((type) => TYPES[type]!) }
}

function check(
  context: RequestContext,
  { topicId, index }: SharedTopicPartition,
  batches: Batches,
  isRenewAck: boolean,
): Outcome | null {
  const topic = context.broker.image.topicById(topicId)
  if (topic === undefined) return failed(ErrorCode.UNKNOWN_TOPIC_ID)
  if (!areWellFormed(batches, context.apiVersion >= RENEW_SINCE ? RENEW : RENEW - 1, isRenewAck)) {
    return failed(ErrorCode.INVALID_REQUEST)
  }
  if (!context.allowed('READ', 'TOPIC', topic.name)) return failed(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
  return topic.partitions[index] === undefined ? failed(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION) : null
}

/** In order, without overlaps, each with a type for all of it or one for each record. */
function areWellFormed(batches: Batches, typeMax: number, isRenewAck: boolean): boolean {
  let previous = -1
  for (const { firstOffset, lastOffset, acknowledgeTypes } of batches) {
    if (firstOffset > lastOffset || firstOffset < previous || acknowledgeTypes.length === 0) return false
    if (acknowledgeTypes.length > 1 && acknowledgeTypes.length !== lastOffset - firstOffset + 1) return false
    if (acknowledgeTypes.some((type) => type < 0 || type > typeMax)) return false
    if (!isRenewAck && acknowledgeTypes.includes(RENEW)) return false
    previous = lastOffset
  }
  return true
}

function apply(
  context: RequestContext,
  { groupId, memberId }: AcknowledgeInput,
  { topicId, index }: SharedTopicPartition,
  batches: readonly AcknowledgedBatch[],
  done: (outcome: Outcome) => void,
): void {
  const { broker } = context
  const shared = broker.sharedPartitions.get(groupId, topicId, index)
  const records = shared?.records ?? null
  // Nothing has been handed out here that could be acknowledged.
  if (shared === undefined || records === null) {
    done(failed(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, 'This server does not host this topic-partition.'))
    return
  }
  const { deliveryLimit, lockDurationMs, mayRenew } = shared.settings
  const lockedUntilMs = broker.clock.monotonic() + lockDurationMs
  const change = records.acknowledge(memberId, batches, { deliveryLimit, lockedUntilMs, mayRenew })
  if ('message' in change) done(failed(change.errorCode, change.message))
  else shared.write(change, done)
}
