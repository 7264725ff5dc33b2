// InitProducerId (22): gives a producer its id and epoch.

import { bool, type Infer, int16, int32, int64, request, response, string } from '../schema.ts'

export const InitProducerIdRequest = request(
  { key: 22, name: 'InitProducerIdRequest', versions: '0-6', flexible: '2+', latestVersionUnstable: true },
  {
    transactionalId: string({ nullable: true }),
    transactionTimeoutMs: int32(),
    producerId: int64('3+', { default: -1 }),
    producerEpoch: int16('3+', { default: -1 }),
    enable2Pc: bool('6+', { default: false }),
    keepPreparedTxn: bool('6+', { default: false }),
  },
)

export type InitProducerIdRequest = Infer<typeof InitProducerIdRequest>

export const InitProducerIdResponse = response(
  { key: 22, name: 'InitProducerIdResponse', versions: '0-6', flexible: '2+', latestVersionUnstable: true },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    producerId: int64({ default: -1 }),
    producerEpoch: int16(),
    ongoingTxnProducerId: int64('6+', { default: -1 }),
    ongoingTxnProducerEpoch: int16('6+', { default: -1 }),
  },
)

export type InitProducerIdResponse = Infer<typeof InitProducerIdResponse>
