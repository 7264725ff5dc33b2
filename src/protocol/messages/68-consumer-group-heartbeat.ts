// ConsumerGroupHeartbeat (68): everything a member of a consumer group says and hears in the new group protocol.

import { array, type Infer, int16, int32, request, response, string, struct, uuid } from '../schema.ts'

export const ConsumerGroupHeartbeatRequest = request(
  { key: 68, name: 'ConsumerGroupHeartbeatRequest', versions: '0-1', flexible: '0+' },
  {
    groupId: string(),
    memberId: string(),
    memberEpoch: int32(),
    instanceId: string({ nullable: true, default: null }),
    rackId: string({ nullable: true, default: null }),
    rebalanceTimeoutMs: int32({ default: -1 }),
    subscribedTopicNames: array(string, { nullable: true, default: null }),
    subscribedTopicRegex: string('1+', { nullable: true, default: null }),
    serverAssignor: string({ nullable: true, default: null }),
    topicPartitions: array(
      {
        topicId: uuid(),
        partitions: array(int32),
      },
      { nullable: true, default: null },
    ),
  },
)

export type ConsumerGroupHeartbeatRequest = Infer<typeof ConsumerGroupHeartbeatRequest>

const TopicPartitions = {
  topicId: uuid(),
  partitions: array(int32),
}

export const ConsumerGroupHeartbeatResponse = response(
  { key: 68, name: 'ConsumerGroupHeartbeatResponse', versions: '0-1', flexible: '0+' },
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

export type ConsumerGroupHeartbeatResponse = Infer<typeof ConsumerGroupHeartbeatResponse>
