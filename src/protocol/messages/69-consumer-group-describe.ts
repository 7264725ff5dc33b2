// ConsumerGroupDescribe (69): state and members of consumer groups.

import { array, bool, type Infer, int8, int16, int32, request, response, string, struct, uuid } from '../schema.ts'

export const ConsumerGroupDescribeRequest = request(
  { key: 69, name: 'ConsumerGroupDescribeRequest', versions: '0-1', flexible: '0+' },
  {
    groupIds: array(string),
    includeAuthorizedOperations: bool(),
  },
)

export type ConsumerGroupDescribeRequest = Infer<typeof ConsumerGroupDescribeRequest>

const TopicPartitions = {
  topicId: uuid(),
  topicName: string(),
  partitions: array(int32),
}

const Assignment = {
  topicPartitions: array(TopicPartitions),
}

export const ConsumerGroupDescribeResponse = response(
  { key: 69, name: 'ConsumerGroupDescribeResponse', versions: '0-1', flexible: '0+' },
  {
    throttleTimeMs: int32(),
    groups: array({
      errorCode: int16(),
      errorMessage: string({ nullable: true, default: null }),
      groupId: string(),
      groupState: string(),
      groupEpoch: int32(),
      assignmentEpoch: int32(),
      assignorName: string(),
      members: array({
        memberId: string(),
        instanceId: string({ nullable: true, default: null }),
        rackId: string({ nullable: true, default: null }),
        memberEpoch: int32(),
        clientId: string(),
        clientHost: string(),
        subscribedTopicNames: array(string),
        subscribedTopicRegex: string({ nullable: true, default: null }),
        assignment: struct(Assignment),
        targetAssignment: struct(Assignment),
        memberType: int8('1+', { default: -1 }),
      }),
      authorizedOperations: int32({ default: -2147483648 }),
    }),
  },
)

export type ConsumerGroupDescribeResponse = Infer<typeof ConsumerGroupDescribeResponse>
