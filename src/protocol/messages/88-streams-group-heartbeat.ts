// StreamsGroupHeartbeat (88): everything a member of a streams group says and hears.

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
  uint16,
} from '../schema.ts'

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

export const StreamsGroupHeartbeatRequest = request(
  { key: 88, name: 'StreamsGroupHeartbeatRequest', versions: '0', flexible: '0+' },
  {
    groupId: string(),
    memberId: string(),
    memberEpoch: int32(),
    endpointInformationEpoch: int32(),
    instanceId: string({ nullable: true, default: null }),
    rackId: string({ nullable: true, default: null }),
    rebalanceTimeoutMs: int32({ default: -1 }),
    topology: struct(
      {
        epoch: int32(),
        subtopologies: array({
          subtopologyId: string(),
          sourceTopics: array(string),
          sourceTopicRegex: array(string),
          stateChangelogTopics: array(TopicInfo),
          repartitionSinkTopics: array(string),
          repartitionSourceTopics: array(TopicInfo),
          copartitionGroups: array({
            sourceTopics: array(int16),
            sourceTopicRegex: array(int16),
            repartitionSourceTopics: array(int16),
          }),
        }),
      },
      { nullable: true, default: null },
    ),
    activeTasks: array(TaskIds, { nullable: true, default: null }),
    standbyTasks: array(TaskIds, { nullable: true, default: null }),
    warmupTasks: array(TaskIds, { nullable: true, default: null }),
    processId: string({ nullable: true, default: null }),
    userEndpoint: struct(Endpoint, { nullable: true, default: null }),
    clientTags: array(KeyValue, { nullable: true, default: null }),
    taskOffsets: array(TaskOffset, { nullable: true, default: null }),
    taskEndOffsets: array(TaskOffset, { nullable: true, default: null }),
    shutdownApplication: bool({ default: false }),
  },
)

export type StreamsGroupHeartbeatRequest = Infer<typeof StreamsGroupHeartbeatRequest>

const Status = {
  statusCode: int8(),
  statusDetail: string(),
}

const TopicPartition = {
  topic: string(),
  partitions: array(int32),
}

export const StreamsGroupHeartbeatResponse = response(
  { key: 88, name: 'StreamsGroupHeartbeatResponse', versions: '0', flexible: '0+' },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string({ nullable: true, default: null }),
    memberId: string(),
    memberEpoch: int32(),
    heartbeatIntervalMs: int32(),
    acceptableRecoveryLag: int32(),
    taskOffsetIntervalMs: int32(),
    status: array(Status, { nullable: true }),
    activeTasks: array(TaskIds, { nullable: true, default: null }),
    standbyTasks: array(TaskIds, { nullable: true, default: null }),
    warmupTasks: array(TaskIds, { nullable: true, default: null }),
    endpointInformationEpoch: int32(),
    partitionsByUserEndpoint: array(
      {
        userEndpoint: struct(Endpoint),
        activePartitions: array(TopicPartition),
        standbyPartitions: array(TopicPartition),
      },
      { nullable: true, default: null },
    ),
  },
)

export type StreamsGroupHeartbeatResponse = Infer<typeof StreamsGroupHeartbeatResponse>
