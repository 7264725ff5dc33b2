// ShareAcknowledge (79): what became of records acquired by a member of a share group.

import {
  array,
  bool,
  type Infer,
  int8,
  int16,
  int32,
  int64,
  request,
  response,
  string,
  struct,
  uuid,
} from '../schema.ts'

export const ShareAcknowledgeRequest = request(
  { key: 79, name: 'ShareAcknowledgeRequest', versions: '1-2', flexible: '0+' },
  {
    groupId: string({ nullable: true, default: null }),
    memberId: string({ nullable: true }),
    shareSessionEpoch: int32(),
    isRenewAck: bool('2+', { default: false }),
    topics: array({
      topicId: uuid(),
      partitions: array({
        partitionIndex: int32(),
        acknowledgementBatches: array({
          firstOffset: int64(),
          lastOffset: int64(),
          acknowledgeTypes: array(int8),
        }),
      }),
    }),
  },
)

export type ShareAcknowledgeRequest = Infer<typeof ShareAcknowledgeRequest>

export const ShareAcknowledgeResponse = response(
  { key: 79, name: 'ShareAcknowledgeResponse', versions: '1-2', flexible: '0+' },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string({ nullable: true, default: null }),
    acquisitionLockTimeoutMs: int32('2+'),
    responses: array({
      topicId: uuid(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: true, default: null }),
        currentLeader: struct({
          leaderId: int32(),
          leaderEpoch: int32(),
        }),
      }),
    }),
    nodeEndpoints: array({
      nodeId: int32(),
      host: string(),
      port: int32(),
      rack: string({ nullable: true, default: null }),
    }),
  },
)

export type ShareAcknowledgeResponse = Infer<typeof ShareAcknowledgeResponse>
