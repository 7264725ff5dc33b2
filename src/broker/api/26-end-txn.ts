/**
 * EndTxn: commits or aborts a transaction. Answered when the outcome is durable; the markers in the partitions follow.
 *
 * Versions: from 2 on a fenced producer is told PRODUCER_FENCED, before INVALID_PRODUCER_EPOCH. 5 is transaction version 2: the epoch
 * goes up with every transaction, and the answer brings the one to go on with (KIP-890).
 */
import { ErrorCode } from '../../protocol/errors.ts'
import { EndTxnRequest, EndTxnResponse } from '../../protocol/messages/26-end-txn.ts'
import { defineApi } from '../api.ts'
import { fencedErrorFor } from '../transaction-errors.ts'

const PRODUCER_FENCED_SINCE = 2
const TRANSACTION_VERSION_2_SINCE = 5

export default defineApi({
  key: 26,
  name: 'EndTxn',
  request: EndTxnRequest,
  response: EndTxnResponse,
  versions: [0, 5],
  authorize(context, { transactionalId }) {
    if (context.allowed('WRITE', 'TRANSACTIONAL_ID', transactionalId)) return null
    return { throttleTimeMs: 0, errorCode: ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED }
  },
  handleLater(context, request, reply) {
    const { apiVersion, broker } = context
    const { transactionalId, producerId, producerEpoch, committed } = request
    const clientVersion = apiVersion >= TRANSACTION_VERSION_2_SINCE ? 2 : 0
    const input = { producerId, producerEpoch, committed, clientVersion } as const
    broker.transactions.endTransaction(transactionalId, input, (answer) =>
      reply({
        throttleTimeMs: 0,
        errorCode: fencedErrorFor(answer.errorCode, apiVersion >= PRODUCER_FENCED_SINCE),
        producerId: answer.producerId,
        producerEpoch: answer.producerEpoch,
      }),
    )
  },
})
