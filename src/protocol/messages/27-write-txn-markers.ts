// WriteTxnMarkers (27): the transaction coordinator has the outcome written into the partitions.

import { array, bool, type Infer, int8, int16, int32, int64, request, response, string } from '../schema.ts'

export const WriteTxnMarkersRequest = request(
  { key: 27, name: 'WriteTxnMarkersRequest', versions: '1-2', flexible: '1+' },
  {
    markers: array({
      producerId: int64(),
      producerEpoch: int16(),
      transactionResult: bool(),
      topics: array({
        name: string(),
        partitionIndexes: array(int32),
      }),
      coordinatorEpoch: int32(),
      transactionVersion: int8('2+', { default: 0, ignorable: true }),
    }),
  },
)

export type WriteTxnMarkersRequest = Infer<typeof WriteTxnMarkersRequest>

export const WriteTxnMarkersResponse = response(
  { key: 27, name: 'WriteTxnMarkersResponse', versions: '1-2', flexible: '1+' },
  {
    markers: array({
      producerId: int64(),
      topics: array({
        name: string(),
        partitions: array({
          partitionIndex: int32(),
          errorCode: int16(),
        }),
      }),
    }),
  },
)

export type WriteTxnMarkersResponse = Infer<typeof WriteTxnMarkersResponse>
