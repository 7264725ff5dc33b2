// ShareGroupHeartbeat (76): everything a member of a share group says and hears.

import { array, type Infer, int16, int32, request, response, string, struct, uuid } from '../schema.ts'

export const ShareGroupHeartbeatRequest = request(
  { key: 76, name: 'ShareGroupHeartbeatRequest', versions: '1', flexible: '0+' },
  {
    groupId: string(),
    memberId: string(),
    memberEpoch: int32(),
    rackId: string({ nullable: true, default: null }),
    subscribedTopicNames: array(string, { nullable: true, default: null }),
  },
)

export type ShareGroupHeartbeatRequest = Infer<typeof ShareGroupHeartbeatRequest>

const TopicPartitions = {
  topicId: uuid(),
  partitions: array(int32),
}

export const ShareGroupHeartbeatResponse = response(
  { key: 76, name: 'ShareGroupHeartbeatResponse', versions: '1', flexible: '0+' },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string({ nullable: true, default: null }),
    memberId: string({ nullable: true, default: null }),
    memberEpoch: int32(),
    heartbeatIntervalMs: int32(),
    assignment: struct(
      {
        topicPartitions: array(TopicPartitions),
      },
      { nullable: true, default: null },
    ),
  },
)

export type ShareGroupHeartbeatResponse = Infer<typeof ShareGroupHeartbeatResponse>
