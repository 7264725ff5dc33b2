// AddPartitionsToTxn (24): partitions become part of a transaction.

import { array, bool, type Infer, int16, int32, int64, request, response, string } from '../schema.ts'

const AddPartitionsToTxnTopic = {
  name: string(),
  partitions: array(int32),
}

export const AddPartitionsToTxnRequest = request(
  { key: 24, name: 'AddPartitionsToTxnRequest', versions: '0-5', flexible: '3+' },
  {
    transactions: array(
      {
        transactionalId: string(),
        producerId: int64(),
        producerEpoch: int16(),
        verifyOnly: bool({ default: false }),
        topics: array(AddPartitionsToTxnTopic),
      },
      '4+',
    ),
    v3AndBelowTransactionalId: string('0-3'),
    v3AndBelowProducerId: int64('0-3'),
    v3AndBelowProducerEpoch: int16('0-3'),
    v3AndBelowTopics: array(AddPartitionsToTxnTopic, '0-3'),
  },
)

export type AddPartitionsToTxnRequest = Infer<typeof AddPartitionsToTxnRequest>

const AddPartitionsToTxnPartitionResult = {
  partitionIndex: int32(),
  partitionErrorCode: int16(),
}

const AddPartitionsToTxnTopicResult = {
  name: string(),
  resultsByPartition: array(AddPartitionsToTxnPartitionResult),
}

export const AddPartitionsToTxnResponse = response(
  { key: 24, name: 'AddPartitionsToTxnResponse', versions: '0-5', flexible: '3+' },
  {
    throttleTimeMs: int32(),
    errorCode: int16('4+'),
    resultsByTransaction: array(
      {
        transactionalId: string(),
        topicResults: array(AddPartitionsToTxnTopicResult),
      },
      '4+',
    ),
    resultsByTopicV3AndBelow: array(AddPartitionsToTxnTopicResult, '0-3'),
  },
)

export type AddPartitionsToTxnResponse = Infer<typeof AddPartitionsToTxnResponse>
