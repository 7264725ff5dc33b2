/** DescribeTransactions: the state of transactional ids that this broker coordinates. */
import type { DescribedTransaction } from '../../coordinator/txn/coordinator.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import {
  DescribeTransactionsRequest,
  DescribeTransactionsResponse,
} from '../../protocol/messages/65-describe-transactions.ts'
import type { Input } from '../../protocol/schema.ts'
import { defineApi, type RequestContext } from '../api.ts'

type Row = Input<typeof DescribeTransactionsResponse>['transactionStates'][number]

export default defineApi({
  key: 65,
  name: 'DescribeTransactions',
  request: DescribeTransactionsRequest,
  response: DescribeTransactionsResponse,
  versions: [0, 0],
  handle(context, { transactionalIds }) {
    const transactionStates = transactionalIds.map((transactionalId) => {
      const isAllowed = context.allowed('DESCRIBE', 'TRANSACTIONAL_ID', transactionalId)
      const described = isAllowed
        ? context.broker.transactions.describe(transactionalId)
        : ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
      return rowFor(context, transactionalId, described)
    })
    return { throttleTimeMs: 0, transactionStates }
  },
})

function rowFor(context: RequestContext, transactionalId: string, described: DescribedTransaction): Row {
  if (typeof described === 'number') {
    const nothing = { transactionState: '', transactionTimeoutMs: 0, transactionStartTimeMs: 0, topics: [] }
    return { errorCode: described, transactionalId, ...nothing, producerId: 0, producerEpoch: 0 }
  }
  const { producerId, producerEpoch, status, timeoutMs, startMs, partitions } = described
  const topics = Array.from(partitions, ([topic, indexes]) => ({ topic, partitions: [...indexes] }))
  return {
    errorCode: ErrorCode.NONE,
    transactionalId,
    transactionState: status,
    transactionTimeoutMs: timeoutMs,
    transactionStartTimeMs: startMs,
    producerId,
    producerEpoch,
    // What the asker may not know of is left out.
    topics: topics.filter(({ topic }) => context.allowed('DESCRIBE', 'TOPIC', topic)),
  }
}
