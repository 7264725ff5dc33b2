// ShareGroupDescribe (77): state and members of share groups.

import { array, bool, type Infer, int16, int32, request, response, string, struct, uuid } from '../schema.ts'

export const ShareGroupDescribeRequest = request(
  { key: 77, name: 'ShareGroupDescribeRequest', versions: '1', flexible: '0+' },
  {
    groupIds: array(string),
    includeAuthorizedOperations: bool(),
  },
)

export type ShareGroupDescribeRequest = Infer<typeof ShareGroupDescribeRequest>

const TopicPartitions = {
  topicId: uuid(),
  topicName: string(),
  partitions: array(int32),
}

const Assignment = {
  topicPartitions: array(TopicPartitions),
}

export const ShareGroupDescribeResponse = response(
  { key: 77, name: 'ShareGroupDescribeResponse', versions: '1', flexible: '0+' },
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
        rackId: string({ nullable: true, default: null }),
        memberEpoch: int32(),
        clientId: string(),
        clientHost: string(),
        subscribedTopicNames: array(string),
        assignment: struct(Assignment),
      }),
      authorizedOperations: int32({ default: -2147483648 }),
    }),
  },
)

export type ShareGroupDescribeResponse = Infer<typeof ShareGroupDescribeResponse>
