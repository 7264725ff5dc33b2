// ListTransactions (66): the transactions a broker coordinates.

import { array, type Infer, int16, int32, int64, request, response, string } from '../schema.ts'

export const ListTransactionsRequest = request(
  { key: 66, name: 'ListTransactionsRequest', versions: '0-2', flexible: '0+' },
  {
    stateFilters: array(string),
    producerIdFilters: array(int64),
    durationFilter: int64('1+', { default: -1 }),
    transactionalIdPattern: string('2+', { nullable: true, default: null }),
  },
)

export type ListTransactionsRequest = Infer<typeof ListTransactionsRequest>

export const ListTransactionsResponse = response(
  { key: 66, name: 'ListTransactionsResponse', versions: '0-2', flexible: '0+' },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    unknownStateFilters: array(string),
    transactionStates: array({
      transactionalId: string(),
      producerId: int64(),
      transactionState: string(),
    }),
  },
)

export type ListTransactionsResponse = Infer<typeof ListTransactionsResponse>
