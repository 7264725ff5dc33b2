/**
 * TxnOffsetCommit: the positions a group will have reached when the producer's transaction commits.
 *
 * Versions: 3 names the member of the group, which is checked then. Up to 4 the offsets partition must have been added to the
 * transaction (AddOffsetsToTxn); 4 knows TRANSACTION_ABORTABLE; 5 adds the partition itself (KIP-890).
 */
import { OFFSETS_TOPIC } from '../../coordinator/config.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import { TxnOffsetCommitRequest, TxnOffsetCommitResponse } from '../../protocol/messages/28-txn-offset-commit.ts'
import type { Input } from '../../protocol/schema.ts'
import { defineApi, type RequestContext } from '../api.ts'
import { type Verified, verificationFailure } from '../transaction-verifier.ts'

const LOADING_SINCE = 2
const ABORTABLE_SINCE = 4
const IMPLICIT_ADD_SINCE = 5
const NO_SEQUENCE = -1

export default defineApi({
  key: 28,
  name: 'TxnOffsetCommit',
  request: TxnOffsetCommitRequest,
  response: TxnOffsetCommitResponse,
  versions: [0, 5],
  notes: ['Unknown topics and partitions fail one by one; the others are stored.'],
  authorize(context, request) {
    if (!context.allowed('WRITE', 'TRANSACTIONAL_ID', request.transactionalId)) {
      return failed(request, ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    }
    if (context.allowed('READ', 'GROUP', request.groupId)) return null
    return failed(request, ErrorCode.GROUP_AUTHORIZATION_FAILED)
  },
  handleLater(context, request, reply) {
    const verify = (partition: number, verified: Verified) => verifyTransaction(context, request, partition, verified)
    context.broker.groups.txnOffsetCommit(context, request, verify, ({ topics }) => {
      reply({ throttleTimeMs: 0, topics: topics.map((topic) => asKnown(topic, context.apiVersion)) })
    })
  },
})

type TopicAnswer = Input<typeof TxnOffsetCommitResponse>['topics'][number]

function asKnown(
  { name = '', partitions }: { readonly name?: string | undefined; readonly partitions: TopicAnswer['partitions'] },
  version: number,
): TopicAnswer {
  const rows = partitions.map(({ partitionIndex, errorCode }) => {
    const isUnknown = errorCode === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS && version < LOADING_SINCE
    return { partitionIndex, errorCode: isUnknown ? ErrorCode.COORDINATOR_NOT_AVAILABLE : errorCode }
  })
  return { name, partitions: rows }
}

function verifyTransaction(
  { broker, apiVersion }: RequestContext,
  { transactionalId, producerId, producerEpoch }: TxnOffsetCommitRequest,
  index: number,
  verified: Verified,
): void {
  const partition = broker.partitions.get(OFFSETS_TOPIC, index)
  if (partition?.isLeader !== true || partition.log === null) {
    verified(ErrorCode.NOT_COORDINATOR)
    return
  }
  const terms = { adds: apiVersion >= IMPLICIT_ADD_SINCE, knowsAbortable: apiVersion >= ABORTABLE_SINCE }
  const producer = { producerId, producerEpoch, baseSequence: NO_SEQUENCE }
  broker.transactionVerifier.verify(
    partition,
    { transactionalId, adds: terms.adds, ...producer },
    (errorCode, guard) => {
      const failure = verificationFailure(errorCode, terms)
      if (failure === null) verified(ErrorCode.NONE, guard)
      else verified(coordinatorErrorFor(failure.errorCode))
    },
  )
}

/** "Come back" in the words of coordinators. */
function coordinatorErrorFor(errorCode: ErrorCode): ErrorCode {
  return errorCode === ErrorCode.NOT_ENOUGH_REPLICAS ? ErrorCode.COORDINATOR_NOT_AVAILABLE : errorCode
}

function failed(request: TxnOffsetCommitRequest, errorCode: ErrorCode): Input<typeof TxnOffsetCommitResponse> {
  const topics = request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
  }))
  return { throttleTimeMs: 0, topics }
}
