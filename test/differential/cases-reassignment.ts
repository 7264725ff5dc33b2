// Elections, reassignments, folders of replicas, and the list of what has configs.
import {
  AlterReplicaLogDirsRequest,
  AlterReplicaLogDirsResponse,
} from '../../src/protocol/messages/34-alter-replica-log-dirs.ts'
import { DescribeLogDirsRequest, DescribeLogDirsResponse } from '../../src/protocol/messages/35-describe-log-dirs.ts'
import { ElectLeadersRequest, ElectLeadersResponse } from '../../src/protocol/messages/43-elect-leaders.ts'
import {
  AlterPartitionReassignmentsRequest,
  AlterPartitionReassignmentsResponse,
} from '../../src/protocol/messages/45-alter-partition-reassignments.ts'
import {
  ListPartitionReassignmentsRequest,
  ListPartitionReassignmentsResponse,
} from '../../src/protocol/messages/46-list-partition-reassignments.ts'
import {
  ListConfigResourcesRequest,
  ListConfigResourcesResponse,
} from '../../src/protocol/messages/74-list-config-resources.ts'
import type { DifferentialBroker } from './broker.ts'
import { asks, type CaseGroup, type DifferentialCase } from './case.ts'

const elect = asks(ElectLeadersRequest, ElectLeadersResponse)
const reassign = asks(AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse)
const listReassignments = asks(ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse)
const alterLogDirs = asks(AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse)
const listConfigs = asks(ListConfigResourcesRequest, ListConfigResourcesResponse)

const PREFERRED = 0
const UNCLEAN = 1
const TIMEOUT = { timeoutMs: 10_000 }

const election = (topic: string, ...partitions: number[]) => ({ topic, partitions })

/** Results of topics and partitions come in no particular order. */
const sortedElections = {
  only: (answer: {
    replicaElectionResults: readonly { topic: string; partitionResult: readonly { partitionId: number }[] }[]
  }) => ({
    ...answer,
    replicaElectionResults: answer.replicaElectionResults
      .filter(({ topic }) => topic.startsWith('elected'))
      .map(({ topic, partitionResult }) => ({
        topic,
        partitionResult: [...partitionResult].sort((a, b) => a.partitionId - b.partitionId),
      }))
      .sort((a, b) => (a.topic < b.topic ? -1 : 1)),
  }),
}

const ELECT: CaseGroup = {
  api: 'ElectLeaders',
  prepare: (broker) => broker.createTopic('elected', { partitions: 2 }),
  cases: [
    elect(
      'the preferred leader leads',
      2,
      { electionType: PREFERRED, topicPartitions: [election('elected', 0, 1)], ...TIMEOUT },
      sortedElections,
    ),
    elect('an unclean election with a leader', 2, {
      electionType: UNCLEAN,
      topicPartitions: [election('elected', 0)],
      ...TIMEOUT,
    }),
    elect('in version 0', 0, { topicPartitions: [election('elected', 0)], ...TIMEOUT }),
    elect('in version 1', 1, { electionType: PREFERRED, topicPartitions: [election('elected', 0)], ...TIMEOUT }),
    elect('everything', 2, { electionType: PREFERRED, topicPartitions: null, ...TIMEOUT }, sortedElections),
    elect('everything, unclean', 2, { electionType: UNCLEAN, topicPartitions: null, ...TIMEOUT }, sortedElections),
    elect('nothing', 2, { electionType: PREFERRED, topicPartitions: [], ...TIMEOUT }),
    elect('no partitions of a topic', 2, {
      electionType: PREFERRED,
      topicPartitions: [election('elected')],
      ...TIMEOUT,
    }),
    elect('an unknown topic', 2, {
      electionType: PREFERRED,
      topicPartitions: [election('elected-none', 0)],
      ...TIMEOUT,
    }),
    elect(
      'an unknown partition',
      2,
      { electionType: PREFERRED, topicPartitions: [election('elected', 7, -1)], ...TIMEOUT },
      sortedElections,
    ),
    elect('an unknown type', 2, { electionType: 5, topicPartitions: [election('elected', 0)], ...TIMEOUT }),
    elect('an unknown type for everything', 1, { electionType: -1, topicPartitions: null, ...TIMEOUT }),
    elect(
      'known and unknown ones together',
      2,
      {
        electionType: PREFERRED,
        topicPartitions: [election('elected', 0, 9), election('elected-none', 0)],
        ...TIMEOUT,
      },
      sortedElections,
    ),
  ],
}

function reassigns(
  name: string,
  partitions: [index: number, replicas: number[] | null][],
  topic = 'reassigned',
  version = 1,
): DifferentialCase {
  const rows = partitions.map(([partitionIndex, replicas]) => ({ partitionIndex, replicas }))
  return reassign(name, version, { topics: [{ name: topic, partitions: rows }], ...TIMEOUT })
}

const REASSIGN: CaseGroup = {
  api: 'AlterPartitionReassignments',
  prepare: (broker) => broker.createTopic('reassigned', { partitions: 2 }),
  cases: [
    reassigns('to where it is', [[0, [1]]]),
    reassigns('to where it is, version 0', [[0, [1]]], 'reassigned', 0),
    reassigns('cancelling what was never begun', [[0, null]]),
    reassigns('no replicas', [[0, []]]),
    reassigns('a broker twice', [[0, [1, 1]]]),
    reassigns('an unknown broker', [[0, [2]]]),
    reassigns('a known and an unknown broker', [[0, [1, 2]]]),
    reassigns('a negative broker', [[0, [-1]]]),
    reassigns('an unknown topic', [[0, [1]]], 'reassigned-none'),
    reassigns('an unknown partition', [[5, [1]]]),
    reassigns('cancelling for an unknown partition', [[5, null]]),
    reassigns('a negative partition', [[-1, [1]]]),
    reassigns('several with different outcomes', [
      [0, [1]],
      [1, null],
      [2, [1]],
    ]),
    reassign('nothing', 1, { topics: [], ...TIMEOUT }),
    reassign('another replication factor where that is not allowed', 1, {
      allowReplicationFactorChange: false,
      topics: [{ name: 'reassigned', partitions: [{ partitionIndex: 0, replicas: [1, 2] }] }],
      ...TIMEOUT,
    }),
    reassign('the same replication factor where that is asked for', 1, {
      allowReplicationFactorChange: false,
      topics: [{ name: 'reassigned', partitions: [{ partitionIndex: 0, replicas: [1] }] }],
      ...TIMEOUT,
    }),
  ],
}

const LIST_REASSIGNMENTS: CaseGroup = {
  api: 'ListPartitionReassignments',
  cases: [
    listReassignments('everything', 0, { topics: null, ...TIMEOUT }),
    listReassignments('nothing', 0, { topics: [], ...TIMEOUT }),
    listReassignments('a topic that stays', 0, { topics: [{ name: 'reassigned', partitionIndexes: [0] }], ...TIMEOUT }),
    listReassignments('an unknown topic', 0, { topics: [{ name: 'none-such', partitionIndexes: [0] }], ...TIMEOUT }),
    listReassignments('an unknown partition', 0, {
      topics: [{ name: 'reassigned', partitionIndexes: [9] }],
      ...TIMEOUT,
    }),
  ],
}

/** The folder in which the broker keeps its replicas. */
async function folderOf(broker: DifferentialBroker): Promise<string> {
  const connection = await broker.connection('setup')
  const answer = await connection.send(DescribeLogDirsRequest, DescribeLogDirsResponse, { topics: [] }, { version: 4 })
  return answer.results[0]?.logDir ?? ''
}

const moves = (path: string, topic: string, ...partitions: number[]) => ({
  dirs: [{ path, topics: [{ name: topic, partitions }] }],
})

const LOG_DIRS: CaseGroup = {
  api: 'AlterReplicaLogDirs',
  prepare: async (broker) => {
    await broker.createTopic('moved-replica', { partitions: 2 })
    broker.remember('folder', await folderOf(broker))
  },
  cases: [
    alterLogDirs('to the folder where it is', 2, (broker) => moves(broker.recall('folder'), 'moved-replica', 0, 1)),
    alterLogDirs('in version 1', 1, (broker) => moves(broker.recall('folder'), 'moved-replica', 0)),
    alterLogDirs('to an unknown folder', 2, moves('/no/such/folder', 'moved-replica', 0)),
    alterLogDirs('to a relative folder', 2, moves('data', 'moved-replica', 0)),
    alterLogDirs('an unknown topic', 2, (broker) => moves(broker.recall('folder'), 'moved-none', 0)),
    alterLogDirs('an unknown partition', 2, (broker) => moves(broker.recall('folder'), 'moved-replica', 0, 9)),
    alterLogDirs('an unknown topic to an unknown folder', 2, moves('/no/such/folder', 'moved-none', 0)),
    alterLogDirs('nothing', 2, { dirs: [] }),
    alterLogDirs('a folder without topics', 2, (broker) => ({
      dirs: [{ path: broker.recall<string>('folder'), topics: [] }],
    })),
    alterLogDirs('one partition to two folders', 2, (broker) => ({
      dirs: [
        { path: '/no/such/folder', topics: [{ name: 'moved-replica', partitions: [0] }] },
        { path: broker.recall<string>('folder'), topics: [{ name: 'moved-replica', partitions: [0] }] },
      ],
    })),
  ],
}

/** Topics of other cases are left out. */
const ownResources = {
  only: (answer: {
    errorCode: number
    configResources: readonly { resourceName: string; resourceType: number }[]
  }) => ({
    errorCode: answer.errorCode,
    resources: answer.configResources
      .filter(({ resourceName, resourceType }) => resourceType !== 2 || resourceName === 'elected')
      .filter(
        ({ resourceName, resourceType }) =>
          (resourceType !== 32 && resourceType !== 16) || resourceName.startsWith('listed'),
      )
      .map(({ resourceName, resourceType }) => `${resourceType} ${resourceName}`)
      .sort(),
  }),
}

const LIST_CONFIGS: CaseGroup = {
  api: 'ListConfigResources',
  cases: [
    ...[0, 1].map((version) => listConfigs('without types', version, { resourceTypes: [] }, ownResources)),
    ...[2, 4, 8, 16, 32].map((type) => listConfigs(`type ${type}`, 1, { resourceTypes: [type] }, ownResources)),
    listConfigs('topics and groups', 1, { resourceTypes: [2, 32] }, ownResources),
    listConfigs('a type twice', 1, { resourceTypes: [4, 4] }, ownResources),
    ...[0, 1, 3, 64, -1].map((type) =>
      listConfigs(`a type that is none: ${type}`, 1, { resourceTypes: [type] }, ownResources),
    ),
    listConfigs('a type that is none beside one that is', 1, { resourceTypes: [2, 3] }, ownResources),
  ],
}

export const REASSIGNMENT_CASES: readonly CaseGroup[] = [ELECT, REASSIGN, LIST_REASSIGNMENTS, LOG_DIRS, LIST_CONFIGS]
