/**
 * InitProducerId: a producer id and epoch. Without a transactional id for an idempotent producer, with one for the transactional
 * producer of that name, which fences all earlier ones.
 *
 * Versions: 3 brings the id and epoch that the producer has (KIP-360); from 4 on a fenced producer is told PRODUCER_FENCED, before
 * INVALID_PRODUCER_EPOCH.
 */
import { ErrorCode } from '../../protocol/errors.ts'
import { InitProducerIdRequest, InitProducerIdResponse } from '../../protocol/messages/22-init-producer-id.ts'
import type { Input } from '../../protocol/schema.ts'
import { defineApi, type Reply, type RequestContext } from '../api.ts'
import { fencedErrorFor } from '../transaction-errors.ts'

type Request = InitProducerIdRequest
const NONE = -1
const PRODUCER_FENCED_SINCE = 4

export default defineApi({
  key: 22,
  name: 'InitProducerId',
  request: InitProducerIdRequest,
  response: InitProducerIdResponse,
  versions: [0, 5],
  notes: [
    'A transaction that is still open is aborted; the answer is CONCURRENT_TRANSACTIONS then, and the repeated request succeeds.',
    'Two-phase commit (version 6, not stable in Kafka) is not served.',
  ],
  handleLater(context, request, reply) {
    const { transactionalId, producerId, producerEpoch } = request
    if (transactionalId !== null) {
      if (!context.allowed('WRITE', 'TRANSACTIONAL_ID', transactionalId)) {
        reply(failed(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED))
        return
      }
    } else if (!context.allowed('IDEMPOTENT_WRITE', 'CLUSTER', 'kafka-cluster')) {
      reply(failed(ErrorCode.CLUSTER_AUTHORIZATION_FAILED))
      return
    }
    if ((producerId === NONE) !== (producerEpoch === NONE)) reply(failed(ErrorCode.INVALID_REQUEST))
    else if (transactionalId === null) giveFreshId(context, reply)
    else giveEpoch(context, transactionalId, request, reply)
  },
})

function giveFreshId(context: RequestContext, reply: Reply<typeof InitProducerIdResponse>): void {
  const give = (producerId: number) =>
    reply({ throttleTimeMs: 0, errorCode: ErrorCode.NONE, producerId, producerEpoch: 0 })
  const next = context.broker.producerIds.next()
  if (typeof next === 'number') {
    give(next)
    return
  }
  next.then(give, (error: unknown) => {
    context.broker.logger.error('no producer id could be taken from the metadata store', { error })
    // Retriable: the store may be back in a moment.
    reply(failed(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS))
  })
}

function giveEpoch(
  context: RequestContext,
  transactionalId: string,
  { producerId, producerEpoch, transactionTimeoutMs }: Request,
  reply: Reply<typeof InitProducerIdResponse>,
): void {
  const expected = producerId === NONE ? null : { producerId, producerEpoch }
  const input = { transactionalId, timeoutMs: transactionTimeoutMs, expected }
  context.broker.transactions.initProducerId(input, (answer) => {
    const errorCode = fencedErrorFor(answer.errorCode, context.apiVersion >= PRODUCER_FENCED_SINCE)
    reply({ ...answer, throttleTimeMs: 0, errorCode })
  })
}

function failed(errorCode: ErrorCode): Input<typeof InitProducerIdResponse> {
  return { throttleTimeMs: 0, errorCode, producerId: NONE, producerEpoch: NONE }
}
