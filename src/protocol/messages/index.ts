// All messages by API key: what dispatch, header parsing and the tests look things up in.

import type { MessageSchema, VersionRange } from '../schema.ts'
import { ProduceRequest, ProduceResponse } from './00-produce.ts'
import { FetchRequest, FetchResponse } from './01-fetch.ts'
import { ListOffsetsRequest, ListOffsetsResponse } from './02-list-offsets.ts'
import { MetadataRequest, MetadataResponse } from './03-metadata.ts'
import { OffsetCommitRequest, OffsetCommitResponse } from './08-offset-commit.ts'
import { OffsetFetchRequest, OffsetFetchResponse } from './09-offset-fetch.ts'
import { FindCoordinatorRequest, FindCoordinatorResponse } from './10-find-coordinator.ts'
import { JoinGroupRequest, JoinGroupResponse } from './11-join-group.ts'
import { HeartbeatRequest, HeartbeatResponse } from './12-heartbeat.ts'
import { LeaveGroupRequest, LeaveGroupResponse } from './13-leave-group.ts'
import { SyncGroupRequest, SyncGroupResponse } from './14-sync-group.ts'
import { DescribeGroupsRequest, DescribeGroupsResponse } from './15-describe-groups.ts'
import { ListGroupsRequest, ListGroupsResponse } from './16-list-groups.ts'
import { SaslHandshakeRequest, SaslHandshakeResponse } from './17-sasl-handshake.ts'
import { ApiVersionsRequest, ApiVersionsResponse } from './18-api-versions.ts'
import { CreateTopicsRequest, CreateTopicsResponse } from './19-create-topics.ts'
import { DeleteTopicsRequest, DeleteTopicsResponse } from './20-delete-topics.ts'
import { DeleteRecordsRequest, DeleteRecordsResponse } from './21-delete-records.ts'
import { InitProducerIdRequest, InitProducerIdResponse } from './22-init-producer-id.ts'
import { OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse } from './23-offset-for-leader-epoch.ts'
import { AddPartitionsToTxnRequest, AddPartitionsToTxnResponse } from './24-add-partitions-to-txn.ts'
import { AddOffsetsToTxnRequest, AddOffsetsToTxnResponse } from './25-add-offsets-to-txn.ts'
import { EndTxnRequest, EndTxnResponse } from './26-end-txn.ts'
import { WriteTxnMarkersRequest, WriteTxnMarkersResponse } from './27-write-txn-markers.ts'
import { TxnOffsetCommitRequest, TxnOffsetCommitResponse } from './28-txn-offset-commit.ts'
import { DescribeAclsRequest, DescribeAclsResponse } from './29-describe-acls.ts'
import { CreateAclsRequest, CreateAclsResponse } from './30-create-acls.ts'
import { DeleteAclsRequest, DeleteAclsResponse } from './31-delete-acls.ts'
import { DescribeConfigsRequest, DescribeConfigsResponse } from './32-describe-configs.ts'
import { AlterConfigsRequest, AlterConfigsResponse } from './33-alter-configs.ts'
import { AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse } from './34-alter-replica-log-dirs.ts'
import { DescribeLogDirsRequest, DescribeLogDirsResponse } from './35-describe-log-dirs.ts'
import { SaslAuthenticateRequest, SaslAuthenticateResponse } from './36-sasl-authenticate.ts'
import { CreatePartitionsRequest, CreatePartitionsResponse } from './37-create-partitions.ts'
import { CreateDelegationTokenRequest, CreateDelegationTokenResponse } from './38-create-delegation-token.ts'
import { RenewDelegationTokenRequest, RenewDelegationTokenResponse } from './39-renew-delegation-token.ts'
import { ExpireDelegationTokenRequest, ExpireDelegationTokenResponse } from './40-expire-delegation-token.ts'
import { DescribeDelegationTokenRequest, DescribeDelegationTokenResponse } from './41-describe-delegation-token.ts'
import { DeleteGroupsRequest, DeleteGroupsResponse } from './42-delete-groups.ts'
import { ElectLeadersRequest, ElectLeadersResponse } from './43-elect-leaders.ts'
import { IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse } from './44-incremental-alter-configs.ts'
import {
  AlterPartitionReassignmentsRequest,
  AlterPartitionReassignmentsResponse,
} from './45-alter-partition-reassignments.ts'
import {
  ListPartitionReassignmentsRequest,
  ListPartitionReassignmentsResponse,
} from './46-list-partition-reassignments.ts'
import { OffsetDeleteRequest, OffsetDeleteResponse } from './47-offset-delete.ts'
import { DescribeClientQuotasRequest, DescribeClientQuotasResponse } from './48-describe-client-quotas.ts'
import { AlterClientQuotasRequest, AlterClientQuotasResponse } from './49-alter-client-quotas.ts'
import {
  DescribeUserScramCredentialsRequest,
  DescribeUserScramCredentialsResponse,
} from './50-describe-user-scram-credentials.ts'
import {
  AlterUserScramCredentialsRequest,
  AlterUserScramCredentialsResponse,
} from './51-alter-user-scram-credentials.ts'
import { DescribeQuorumRequest, DescribeQuorumResponse } from './55-describe-quorum.ts'
import { UpdateFeaturesRequest, UpdateFeaturesResponse } from './57-update-features.ts'
import { DescribeClusterRequest, DescribeClusterResponse } from './60-describe-cluster.ts'
import { DescribeProducersRequest, DescribeProducersResponse } from './61-describe-producers.ts'
import { UnregisterBrokerRequest, UnregisterBrokerResponse } from './64-unregister-broker.ts'
import { DescribeTransactionsRequest, DescribeTransactionsResponse } from './65-describe-transactions.ts'
import { ListTransactionsRequest, ListTransactionsResponse } from './66-list-transactions.ts'
import { ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse } from './68-consumer-group-heartbeat.ts'
import { ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse } from './69-consumer-group-describe.ts'
import {
  GetTelemetrySubscriptionsRequest,
  GetTelemetrySubscriptionsResponse,
} from './71-get-telemetry-subscriptions.ts'
import { PushTelemetryRequest, PushTelemetryResponse } from './72-push-telemetry.ts'
import { ListConfigResourcesRequest, ListConfigResourcesResponse } from './74-list-config-resources.ts'
import { DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse } from './75-describe-topic-partitions.ts'
import { ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse } from './76-share-group-heartbeat.ts'
import { ShareGroupDescribeRequest, ShareGroupDescribeResponse } from './77-share-group-describe.ts'
import { ShareFetchRequest, ShareFetchResponse } from './78-share-fetch.ts'
import { ShareAcknowledgeRequest, ShareAcknowledgeResponse } from './79-share-acknowledge.ts'
import { AddRaftVoterRequest, AddRaftVoterResponse } from './80-add-raft-voter.ts'
import { RemoveRaftVoterRequest, RemoveRaftVoterResponse } from './81-remove-raft-voter.ts'
import {
  InitializeShareGroupStateRequest,
  InitializeShareGroupStateResponse,
} from './83-initialize-share-group-state.ts'
import { ReadShareGroupStateRequest, ReadShareGroupStateResponse } from './84-read-share-group-state.ts'
import { WriteShareGroupStateRequest, WriteShareGroupStateResponse } from './85-write-share-group-state.ts'
import { DeleteShareGroupStateRequest, DeleteShareGroupStateResponse } from './86-delete-share-group-state.ts'
import {
  ReadShareGroupStateSummaryRequest,
  ReadShareGroupStateSummaryResponse,
} from './87-read-share-group-state-summary.ts'
import { StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse } from './88-streams-group-heartbeat.ts'
import { StreamsGroupDescribeRequest, StreamsGroupDescribeResponse } from './89-streams-group-describe.ts'
import {
  DescribeShareGroupOffsetsRequest,
  DescribeShareGroupOffsetsResponse,
} from './90-describe-share-group-offsets.ts'
import { AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse } from './91-alter-share-group-offsets.ts'
import { DeleteShareGroupOffsetsRequest, DeleteShareGroupOffsetsResponse } from './92-delete-share-group-offsets.ts'

export interface MessagePair {
  readonly key: number
  readonly name: string
  readonly versions: VersionRange
  readonly request: MessageSchema
  readonly response: MessageSchema
}

const PAIRS: readonly (readonly [name: string, request: MessageSchema, response: MessageSchema])[] = [
  ['Produce', ProduceRequest, ProduceResponse],
  ['Fetch', FetchRequest, FetchResponse],
  ['ListOffsets', ListOffsetsRequest, ListOffsetsResponse],
  ['Metadata', MetadataRequest, MetadataResponse],
  ['OffsetCommit', OffsetCommitRequest, OffsetCommitResponse],
  ['OffsetFetch', OffsetFetchRequest, OffsetFetchResponse],
  ['FindCoordinator', FindCoordinatorRequest, FindCoordinatorResponse],
  ['JoinGroup', JoinGroupRequest, JoinGroupResponse],
  ['Heartbeat', HeartbeatRequest, HeartbeatResponse],
  ['LeaveGroup', LeaveGroupRequest, LeaveGroupResponse],
  ['SyncGroup', SyncGroupRequest, SyncGroupResponse],
  ['DescribeGroups', DescribeGroupsRequest, DescribeGroupsResponse],
  ['ListGroups', ListGroupsRequest, ListGroupsResponse],
  ['SaslHandshake', SaslHandshakeRequest, SaslHandshakeResponse],
  ['ApiVersions', ApiVersionsRequest, ApiVersionsResponse],
  ['CreateTopics', CreateTopicsRequest, CreateTopicsResponse],
  ['DeleteTopics', DeleteTopicsRequest, DeleteTopicsResponse],
  ['DeleteRecords', DeleteRecordsRequest, DeleteRecordsResponse],
  ['InitProducerId', InitProducerIdRequest, InitProducerIdResponse],
  ['OffsetForLeaderEpoch', OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse],
  ['AddPartitionsToTxn', AddPartitionsToTxnRequest, AddPartitionsToTxnResponse],
  ['AddOffsetsToTxn', AddOffsetsToTxnRequest, AddOffsetsToTxnResponse],
  ['EndTxn', EndTxnRequest, EndTxnResponse],
  ['WriteTxnMarkers', WriteTxnMarkersRequest, WriteTxnMarkersResponse],
  ['TxnOffsetCommit', TxnOffsetCommitRequest, TxnOffsetCommitResponse],
  ['DescribeAcls', DescribeAclsRequest, DescribeAclsResponse],
  ['CreateAcls', CreateAclsRequest, CreateAclsResponse],
  ['DeleteAcls', DeleteAclsRequest, DeleteAclsResponse],
  ['DescribeConfigs', DescribeConfigsRequest, DescribeConfigsResponse],
  ['AlterConfigs', AlterConfigsRequest, AlterConfigsResponse],
  ['AlterReplicaLogDirs', AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse],
  ['DescribeLogDirs', DescribeLogDirsRequest, DescribeLogDirsResponse],
  ['SaslAuthenticate', SaslAuthenticateRequest, SaslAuthenticateResponse],
  ['CreatePartitions', CreatePartitionsRequest, CreatePartitionsResponse],
  ['CreateDelegationToken', CreateDelegationTokenRequest, CreateDelegationTokenResponse],
  ['RenewDelegationToken', RenewDelegationTokenRequest, RenewDelegationTokenResponse],
  ['ExpireDelegationToken', ExpireDelegationTokenRequest, ExpireDelegationTokenResponse],
  ['DescribeDelegationToken', DescribeDelegationTokenRequest, DescribeDelegationTokenResponse],
  ['DeleteGroups', DeleteGroupsRequest, DeleteGroupsResponse],
  ['ElectLeaders', ElectLeadersRequest, ElectLeadersResponse],
  ['IncrementalAlterConfigs', IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse],
  ['AlterPartitionReassignments', AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse],
  ['ListPartitionReassignments', ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse],
  ['OffsetDelete', OffsetDeleteRequest, OffsetDeleteResponse],
  ['DescribeClientQuotas', DescribeClientQuotasRequest, DescribeClientQuotasResponse],
  ['AlterClientQuotas', AlterClientQuotasRequest, AlterClientQuotasResponse],
  ['DescribeUserScramCredentials', DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse],
  ['AlterUserScramCredentials', AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse],
  ['DescribeQuorum', DescribeQuorumRequest, DescribeQuorumResponse],
  ['UpdateFeatures', UpdateFeaturesRequest, UpdateFeaturesResponse],
  ['DescribeCluster', DescribeClusterRequest, DescribeClusterResponse],
  ['DescribeProducers', DescribeProducersRequest, DescribeProducersResponse],
  ['UnregisterBroker', UnregisterBrokerRequest, UnregisterBrokerResponse],
  ['DescribeTransactions', DescribeTransactionsRequest, DescribeTransactionsResponse],
  ['ListTransactions', ListTransactionsRequest, ListTransactionsResponse],
  ['ConsumerGroupHeartbeat', ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse],
  ['ConsumerGroupDescribe', ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse],
  ['GetTelemetrySubscriptions', GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse],
  ['PushTelemetry', PushTelemetryRequest, PushTelemetryResponse],
  ['ListConfigResources', ListConfigResourcesRequest, ListConfigResourcesResponse],
  ['DescribeTopicPartitions', DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse],
  ['ShareGroupHeartbeat', ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse],
  ['ShareGroupDescribe', ShareGroupDescribeRequest, ShareGroupDescribeResponse],
  ['ShareFetch', ShareFetchRequest, ShareFetchResponse],
  ['ShareAcknowledge', ShareAcknowledgeRequest, ShareAcknowledgeResponse],
  ['AddRaftVoter', AddRaftVoterRequest, AddRaftVoterResponse],
  ['RemoveRaftVoter', RemoveRaftVoterRequest, RemoveRaftVoterResponse],
  ['InitializeShareGroupState', InitializeShareGroupStateRequest, InitializeShareGroupStateResponse],
  ['ReadShareGroupState', ReadShareGroupStateRequest, ReadShareGroupStateResponse],
  ['WriteShareGroupState', WriteShareGroupStateRequest, WriteShareGroupStateResponse],
  ['DeleteShareGroupState', DeleteShareGroupStateRequest, DeleteShareGroupStateResponse],
  ['ReadShareGroupStateSummary', ReadShareGroupStateSummaryRequest, ReadShareGroupStateSummaryResponse],
  ['StreamsGroupHeartbeat', StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse],
  ['StreamsGroupDescribe', StreamsGroupDescribeRequest, StreamsGroupDescribeResponse],
  ['DescribeShareGroupOffsets', DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsResponse],
  ['AlterShareGroupOffsets', AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse],
  ['DeleteShareGroupOffsets', DeleteShareGroupOffsetsRequest, DeleteShareGroupOffsetsResponse],
]

export const MESSAGES: ReadonlyMap<number, MessagePair> = new Map(
  PAIRS.map(([name, request, response]) => [
    request.key,
    { key: request.key, name, versions: request.versions, request, response },
  ]),
)
