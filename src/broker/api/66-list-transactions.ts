/**
 * ListTransactions: the transactional ids that this broker coordinates.
 *
 * Versions: 1 filters by how long a transaction is open, 2 by a pattern that the whole id must match.
 */
import { RE2JS, RE2JSSyntaxException } from 're2js'
import { knownStateNames } from '../../coordinator/txn/inspect.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import { ListTransactionsRequest, ListTransactionsResponse } from '../../protocol/messages/66-list-transactions.ts'
import { defineApi } from '../api.ts'

export default defineApi({
  key: 66,
  name: 'ListTransactions',
  request: ListTransactionsRequest,
  response: ListTransactionsResponse,
  versions: [0, 2],
  handle(context, request) {
    const { known, unknown } = knownStateNames(request.stateFilters)
    const failed = (errorCode: ErrorCode) => ({
      throttleTimeMs: 0,
      errorCode,
      unknownStateFilters: unknown,
      transactionStates: [],
    })
    const matchesId = matcherFor(request.transactionalIdPattern)
    if (matchesId === null) return failed(ErrorCode.INVALID_REGULAR_EXPRESSION)
    // Only names that do not exist: nothing can match, where no names at all would match everything.
    if (request.stateFilters.length > 0 && known.size === 0) return failed(ErrorCode.NONE)
    const listed = context.broker.transactions.list({
      states: known,
      producerIds: new Set(request.producerIdFilters),
      durationMs: request.durationFilter,
      matchesId,
    })
    if (typeof listed === 'number') return failed(listed)
    const transactionStates = listed
      .filter(({ transactionalId }) => context.allowed('DESCRIBE', 'TRANSACTIONAL_ID', transactionalId))
      .map(({ transactionalId, producerId, status }) => ({ transactionalId, producerId, transactionState: status }))
    return { throttleTimeMs: 0, errorCode: ErrorCode.NONE, unknownStateFilters: unknown, transactionStates }
  },
})

/** Null: the pattern cannot be read. Patterns come from outside, so they are matched in linear time. */
function matcherFor(pattern: string | null): ((transactionalId: string) => boolean) | null {
  if (pattern === null || pattern === '') return () => true
  try {
    const compiled = RE2JS.compile(pattern)
    return (transactionalId) => compiled.matches(transactionalId)
  } catch (error) {
    if (error instanceof RE2JSSyntaxException) return null
    throw error
  }
}
