/**
 * WriteTxnMarkers: has end markers written into partitions of this broker. Sent by transaction coordinators of other brokers, and by
 * an operator's `kafka-transactions abort` to end what no coordinator knows any more.
 *
 * Versions: 2 says under which transaction version the marker was made; before, an epoch that data has is taken, too.
 */
import { ErrorCode } from '../../protocol/errors.ts'
import { WriteTxnMarkersRequest, WriteTxnMarkersResponse } from '../../protocol/messages/27-write-txn-markers.ts'
import type { Input } from '../../protocol/schema.ts'
import { defineApi } from '../api.ts'

type Row = { partitionIndex: number; errorCode: ErrorCode }
type Asked = WriteTxnMarkersRequest['markers'][number]
type Answer = Input<typeof WriteTxnMarkersResponse>

export default defineApi({
  key: 27,
  name: 'WriteTxnMarkers',
  request: WriteTxnMarkersRequest,
  response: WriteTxnMarkersResponse,
  versions: [1, 2],
  authorize(context, request) {
    const isAllowed =
      context.allowed('ALTER', 'CLUSTER', 'kafka-cluster') ||
      context.allowed('CLUSTER_ACTION', 'CLUSTER', 'kafka-cluster')
    return isAllowed ? null : answerFor(request.markers, ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
  },
  handleLater(context, { markers }, reply) {
    const answer = answerFor(markers, ErrorCode.NONE)
    let missing = 1
    const countDown = () => {
      if (--missing === 0) reply(answer)
    }
    for (const [position, asked] of markers.entries()) {
      const { producerId, producerEpoch, coordinatorEpoch, transactionVersion } = asked
      const committed = asked.transactionResult
      const marker = { producerId, producerEpoch, committed, coordinatorEpoch, transactionVersion }
      for (const { name, partitions } of answer.markers[position]!.topics) {
        for (const row of partitions as Row[]) {
          missing++
          context.broker.markers.write(marker, name, row.partitionIndex, (errorCode) => {
            row.errorCode = errorCode
            countDown()
          })
        }
      }
    }
    countDown()
  },
})

function answerFor(markers: readonly Asked[], errorCode: ErrorCode): Answer {
  return {
    markers: markers.map(({ producerId, topics }) => ({
      producerId,
      topics: topics.map(({ name, partitionIndexes }) => ({
        name,
        partitions: partitionIndexes.map((partitionIndex) => ({ partitionIndex, errorCode })),
      })),
    })),
  }
}
