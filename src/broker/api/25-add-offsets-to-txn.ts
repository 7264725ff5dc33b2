/**
 * AddOffsetsToTxn: the group's partition of `__consumer_offsets` becomes part of a producer's transaction, before it commits offsets
 * there. Clients of transaction version 2 leave it out: TxnOffsetCommit v5 does it.
 *
 * Versions: from 2 on a fenced producer is told PRODUCER_FENCED, before INVALID_PRODUCER_EPOCH.
 */
import { OFFSETS_TOPIC } from '../../coordinator/config.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import { AddOffsetsToTxnRequest, AddOffsetsToTxnResponse } from '../../protocol/messages/25-add-offsets-to-txn.ts'
import { defineApi } from '../api.ts'
import { fencedErrorFor } from '../transaction-errors.ts'

const PRODUCER_FENCED_SINCE = 2

export default defineApi({
  key: 25,
  name: 'AddOffsetsToTxn',
  request: AddOffsetsToTxnRequest,
  response: AddOffsetsToTxnResponse,
  versions: [0, 4],
  authorize(context, { transactionalId, groupId }) {
    if (!context.allowed('WRITE', 'TRANSACTIONAL_ID', transactionalId)) {
      return { throttleTimeMs: 0, errorCode: ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED }
    }
    if (context.allowed('READ', 'GROUP', groupId)) return null
    return { throttleTimeMs: 0, errorCode: ErrorCode.GROUP_AUTHORIZATION_FAILED }
  },
  handleLater(context, request, reply) {
    const { transactionalId, producerId, producerEpoch, groupId } = request
    const { groups, transactions } = context.broker
    const partitions = new Map([[OFFSETS_TOPIC, [groups.partitionFor(groupId)]]])
    const input = { producerId, producerEpoch, partitions, clientVersion: 0 } as const
    transactions.addPartitions(transactionalId, input, (errorCode) =>
      reply({
        throttleTimeMs: 0,
        errorCode: fencedErrorFor(errorCode, context.apiVersion >= PRODUCER_FENCED_SINCE),
      }),
    )
  },
})
