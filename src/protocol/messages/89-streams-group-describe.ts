// StreamsGroupDescribe (89): state and members of streams groups.

import { array, bool, type Infer, int16, int32, int64, request, response, string, struct, uint16 } from '../schema.ts'

export const StreamsGroupDescribeRequest = request(
  { key: 89, name: 'StreamsGroupDescribeRequest', versions: '0', flexible: '0+' },
  {
    groupIds: array(string),
    includeAuthorizedOperations: bool(),
  },
)

export type StreamsGroupDescribeRequest = Infer<typeof StreamsGroupDescribeRequest>

const Endpoint = {
  host: string(),
  port: uint16(),
}

const TaskOffset = {
  subtopologyId: string(),
  partition: int32(),
  offset: int64(),
}

const TaskIds = {
  subtopologyId: string(),
  partitions: array(int32),
}

const Assignment = {
  activeTasks: array(TaskIds),
  standbyTasks: array(TaskIds),
  warmupTasks: array(TaskIds),
}

const KeyValue = {
  key: string(),
  value: string(),
}

const TopicInfo = {
  name: string(),
  partitions: int32(),
  replicationFactor: int16(),
  topicConfigs: array(KeyValue),
}

export const StreamsGroupDescribeResponse = response(
  { key: 89, name: 'StreamsGroupDescribeResponse', versions: '0', flexible: '0+' },
  {
    throttleTimeMs: int32(),
    groups: array({
      errorCode: int16(),
      errorMessage: string({ nullable: true, default: null }),
      groupId: string(),
      groupState: string(),
      groupEpoch: int32(),
      assignmentEpoch: int32(),
      topology: struct(
        {
          epoch: int32(),
          subtopologies: array(
            {
              subtopologyId: string(),
              sourceTopics: array(string),
              repartitionSinkTopics: array(string),
              stateChangelogTopics: array(TopicInfo),
              repartitionSourceTopics: array(TopicInfo),
            },
            { nullable: true, default: null },
          ),
        },
        { nullable: true, default: null },
      ),
      members: array({
        memberId: string(),
        memberEpoch: int32(),
        instanceId: string({ nullable: true, default: null }),
        rackId: string({ nullable: true, default: null }),
        clientId: string(),
        clientHost: string(),
        topologyEpoch: int32(),
        processId: string(),
        userEndpoint: struct(Endpoint, { nullable: true, default: null }),
        clientTags: array(KeyValue),
        taskOffsets: array(TaskOffset),
        taskEndOffsets: array(TaskOffset),
        assignment: struct(Assignment),
        targetAssignment: struct(Assignment),
        isClassic: bool(),
      }),
      authorizedOperations: int32({ default: -2147483648 }),
    }),
  },
)

export type StreamsGroupDescribeResponse = Infer<typeof StreamsGroupDescribeResponse>
