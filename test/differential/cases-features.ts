// Feature levels, the quorum, and what changes the brokers of a cluster.
import { DescribeQuorumRequest, DescribeQuorumResponse } from '../../src/protocol/messages/55-describe-quorum.ts'
import { UpdateFeaturesRequest, UpdateFeaturesResponse } from '../../src/protocol/messages/57-update-features.ts'
import { UnregisterBrokerRequest, UnregisterBrokerResponse } from '../../src/protocol/messages/64-unregister-broker.ts'
import { AddRaftVoterRequest, AddRaftVoterResponse } from '../../src/protocol/messages/80-add-raft-voter.ts'
import { RemoveRaftVoterRequest, RemoveRaftVoterResponse } from '../../src/protocol/messages/81-remove-raft-voter.ts'
import type { Infer } from '../../src/protocol/schema.ts'
import { accepting, asks, type CaseGroup, type DifferentialCase } from './case.ts'

const update = asks(UpdateFeaturesRequest, UpdateFeaturesResponse)
const quorum = asks(DescribeQuorumRequest, DescribeQuorumResponse)
const unregister = asks(UnregisterBrokerRequest, UnregisterBrokerResponse)
const addVoter = asks(AddRaftVoterRequest, AddRaftVoterResponse)
const removeVoter = asks(RemoveRaftVoterRequest, RemoveRaftVoterResponse)

const UPGRADE = 1
const SAFE_DOWNGRADE = 2
const UNSAFE_DOWNGRADE = 3

interface Update {
  version?: number
  validateOnly?: boolean
}

function updates(
  name: string,
  features: [feature: string, level: number, type?: number][],
  more: Update = {},
): DifferentialCase {
  const version = more.version ?? 2
  const featureUpdates = features.map(([feature, maxVersionLevel, upgradeType = UPGRADE]) => ({
    feature,
    maxVersionLevel,
    ...(version === 0 ? { allowDowngrade: upgradeType !== UPGRADE } : { upgradeType }),
  }))
  return update(name, version, {
    timeoutMs: 10_000,
    featureUpdates,
    ...(version === 0 ? {} : { validateOnly: more.validateOnly ?? false }),
  })
}

/** Only validated where it would succeed: the features of this broker are needed by other cases. */
const VALIDATE = { validateOnly: true }

const FEATURES: CaseGroup = {
  api: 'UpdateFeatures',
  cases: [
    updates('nothing', []),
    updates('the level that it has', [['eligible.leader.replicas.version', 1]]),
    updates('the level that it has, version 0', [['eligible.leader.replicas.version', 1]], { version: 0 }),
    updates('the level that it has, version 1', [['eligible.leader.replicas.version', 1]], { version: 1 }),
    updates('metadata.version as it is', [['metadata.version', 30]]),
    updates('a level that is too high', [['eligible.leader.replicas.version', 2]]),
    updates('a level that is too high, version 0', [['eligible.leader.replicas.version', 2]], { version: 0 }),
    updates('a level that is too high, version 1', [['eligible.leader.replicas.version', 2]], { version: 1 }),
    updates('a negative level', [['eligible.leader.replicas.version', -1]]),
    updates('a metadata.version that is too high', [['metadata.version', 31]]),
    updates('a metadata.version that is too low', [['metadata.version', 3, SAFE_DOWNGRADE]]),
    updates('metadata.version 0', [['metadata.version', 0, SAFE_DOWNGRADE]]),
    updates('an unknown feature', [['no.such.version', 1]]),
    updates('an unknown feature, version 1', [['no.such.version', 1]], { version: 1 }),
    updates('an empty name', [['', 1]]),
    updates('down without saying so', [['eligible.leader.replicas.version', 0]]),
    updates('down, safely', [['eligible.leader.replicas.version', 0, SAFE_DOWNGRADE]], VALIDATE),
    updates('down, safely, version 1', [['eligible.leader.replicas.version', 0, SAFE_DOWNGRADE]], {
      ...VALIDATE,
      version: 1,
    }),
    updates('down, unsafely', [['eligible.leader.replicas.version', 0, UNSAFE_DOWNGRADE]], VALIDATE),
    updates('up, called down', [['eligible.leader.replicas.version', 1, SAFE_DOWNGRADE]], VALIDATE),
    updates('an unknown type of update', [['eligible.leader.replicas.version', 1, 9]]),
    updates('type 0', [['eligible.leader.replicas.version', 1, 0]]),
    updates('metadata.version down, safely', [['metadata.version', 29, SAFE_DOWNGRADE]], VALIDATE),
    updates('metadata.version far down, safely', [['metadata.version', 8, SAFE_DOWNGRADE]], VALIDATE),
    updates('metadata.version down, unsafely', [['metadata.version', 29, UNSAFE_DOWNGRADE]], VALIDATE),
    updates('metadata.version down without saying so', [['metadata.version', 29]], VALIDATE),
    accepting(updates('kraft.version up', [['kraft.version', 1]], VALIDATE), 'the metadata has one voter', {
      throttleTimeMs: 0,
      errorCode: 95,
      errorMessage: '<text>',
      results: [],
    }),
    updates('kraft.version too high', [['kraft.version', 2]], VALIDATE),
    updates(
      'a good and a bad one, version 1',
      [
        ['eligible.leader.replicas.version', 1],
        ['no.such.version', 1],
      ],
      { version: 1 },
    ),
    updates(
      'a feature twice',
      [
        ['eligible.leader.replicas.version', 1],
        ['eligible.leader.replicas.version', 0, SAFE_DOWNGRADE],
      ],
      VALIDATE,
    ),
  ],
}

/** Offsets and times grow by themselves; which id the folder has is each broker's own. */
function quorumShape(answer: Infer<typeof DescribeQuorumResponse>): unknown {
  const replica = ({
    replicaId,
    logEndOffset,
    lastFetchTimestamp,
    lastCaughtUpTimestamp,
  }: {
    replicaId: number
    logEndOffset: number
    lastFetchTimestamp: number
    lastCaughtUpTimestamp: number
  }) => ({
    replicaId,
    grows: logEndOffset > 0,
    fetched: lastFetchTimestamp > 0,
    caughtUp: lastCaughtUpTimestamp > 0,
  })
  return {
    errorCode: answer.errorCode,
    errorMessage: answer.errorMessage,
    topics: answer.topics.map(({ topicName, partitions }) => ({
      topicName,
      partitions: partitions.map((partition) => ({
        ...partition,
        leaderEpoch: partition.leaderEpoch > 0,
        highWatermark: partition.highWatermark > 0,
        currentVoters: partition.currentVoters.map(replica),
        observers: partition.observers.map(replica),
      })),
    })),
    nodes: answer.nodes.map(({ nodeId, listeners }) => ({ nodeId, listeners: listeners.length })),
  }
}

const asksQuorum = (name: string, version: number, topicName: string, ...indexes: number[]): DifferentialCase =>
  quorum(
    name,
    version,
    { topics: [{ topicName, partitions: indexes.map((partitionIndex) => ({ partitionIndex })) }] },
    { only: quorumShape },
  )

const QUORUM: CaseGroup = {
  api: 'DescribeQuorum',
  cases: [
    ...[0, 1, 2].map((version) => asksQuorum('of the metadata', version, '__cluster_metadata', 0)),
    asksQuorum('another partition', 2, '__cluster_metadata', 1),
    asksQuorum('two partitions', 2, '__cluster_metadata', 0, 1),
    asksQuorum('another topic', 2, 'some-topic', 0),
    asksQuorum('another topic, version 0', 0, 'some-topic', 0),
    quorum('nothing', 2, { topics: [] }, { only: quorumShape }),
  ],
}

const OTHER_ID = 'AAAAAAAAAAAAAAAAAAAABQ'
const voter = (voterId: number, clusterId: string | null = null) => ({
  clusterId,
  timeoutMs: 1000,
  voterId,
  voterDirectoryId: OTHER_ID,
  listeners: [{ name: 'CONTROLLER', host: 'localhost', port: 9093 }],
})

const BROKERS: CaseGroup = {
  api: 'brokers and voters of the cluster',
  cases: [
    unregister('a broker that never was', 0, { brokerId: 99 }),
    unregister('a negative id', 0, { brokerId: -1 }),
    ...[0, 1].map((version) => addVoter('another voter', version, voter(2))),
    addVoter('a voter of another cluster', 1, voter(2, OTHER_ID)),
    addVoter('the voter that it has', 1, voter(1)),
    addVoter('a voter without listeners', 1, { ...voter(2), listeners: [] }),
    addVoter('a negative voter', 1, voter(-1)),
    removeVoter('a voter that never was', 0, voter(2)),
    removeVoter('a voter of another cluster', 0, voter(2, OTHER_ID)),
    removeVoter('the only voter', 0, voter(1)),
  ],
}

export const FEATURE_CASES: readonly CaseGroup[] = [FEATURES, QUORUM, BROKERS]
