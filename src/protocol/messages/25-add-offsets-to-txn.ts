// AddOffsetsToTxn (25): a group's offsets become part of a transaction.

import { type Infer, int16, int32, int64, request, response, string } from '../schema.ts'

export const AddOffsetsToTxnRequest = request(
  { key: 25, name: 'AddOffsetsToTxnRequest', versions: '0-4', flexible: '3+' },
  {
    transactionalId: string(),
    producerId: int64(),
    producerEpoch: int16(),
    groupId: string(),
  },
)

export type AddOffsetsToTxnRequest = Infer<typeof AddOffsetsToTxnRequest>

export const AddOffsetsToTxnResponse = response(
  { key: 25, name: 'AddOffsetsToTxnResponse', versions: '0-4', flexible: '3+' },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
  },
)

export type AddOffsetsToTxnResponse = Infer<typeof AddOffsetsToTxnResponse>
