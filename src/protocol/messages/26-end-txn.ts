// EndTxn (26): commits or aborts a transaction.

import { bool, type Infer, int16, int32, int64, request, response, string } from '../schema.ts'

export const EndTxnRequest = request(
  { key: 26, name: 'EndTxnRequest', versions: '0-5', flexible: '3+' },
  {
    transactionalId: string(),
    producerId: int64(),
    producerEpoch: int16(),
    committed: bool(),
  },
)

export type EndTxnRequest = Infer<typeof EndTxnRequest>

export const EndTxnResponse = response(
  { key: 26, name: 'EndTxnResponse', versions: '0-5', flexible: '3+' },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    producerId: int64('5+', { default: -1 }),
    producerEpoch: int16('5+', { default: -1 }),
  },
)

export type EndTxnResponse = Infer<typeof EndTxnResponse>
