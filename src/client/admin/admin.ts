/**
 * Everything that can be asked about a cluster and changed in it. Each method is one call of the functions beside this file, on connections
 * that the object keeps.
 *
 * Methods that act on many things answer one outcome each, in the order asked: an `error` that is null, or says why that one failed. Methods
 * about one thing throw a KafkaError. What passes by itself (a coordinator that loads, a leader that moves) is tried again until
 * `timeoutMs` has passed. A `signal` ends any of them: nothing more is sent for it then.
 */
import { parseBootstrap } from '../address.ts'
import { type CallOptions, calling, whileWanted } from '../call.ts'
import { Cluster, type ClusterOptions } from '../cluster.ts'
import { KafkaError } from '../errors.ts'
import { Observer, requestObserver } from '../observe/hooks.ts'
import type { FoundOffset, IsolationOptions, OffsetQuery } from '../offsets.ts'
import * as acls from './acls.ts'
import * as state from './cluster-state.ts'
import * as configs from './configs.ts'
import * as changes from './group-changes.ts'
import * as groups from './groups.ts'
import * as quotas from './quotas.ts'
import * as records from './records.ts'
import * as shares from './share-groups.ts'
import * as tokens from './tokens.ts'
import * as topics from './topics.ts'
import * as transactions from './transactions.ts'
import * as users from './users.ts'

/** How the admin client finds and reaches a cluster. Either `bootstrap` or `cluster` is given. */
export interface AdminOptions extends Omit<ClusterOptions, 'bootstrap'> {
  /** `host:port`, several of them separated by commas or as a list. */
  readonly bootstrap?: string | readonly string[]
  /** A cluster that is open already, in place of `bootstrap`: its connections are shared, and it is left open. */
  readonly cluster?: Cluster
}

/** What of a topic is not the broker's default. */
export interface TopicToCreate {
  /** The topic's name. */
  readonly name: string
  /** The broker's `num.partitions` unless given. */
  readonly partitions?: number
  /** The broker's `default.replication.factor` unless given. */
  readonly replicationFactor?: number
  /** Kafka's topic settings; none unless given. */
  readonly configs?: Readonly<Record<string, string>>
}

/**
 * Asks and changes a cluster. A call about many things answers one outcome each, in the order asked, with an `error` that is null or says
 * why that one failed; a call about one thing throws a KafkaError. What passes by itself is tried again for `timeoutMs`.
 */
export class Admin implements AsyncDisposable {
  readonly #cluster: Cluster
  readonly #isShared: boolean

  /** Connects at the first call. */
  constructor(options: AdminOptions) {
    const { bootstrap, cluster, ...rest } = options
    this.#isShared = cluster !== undefined
    this.#cluster =
      cluster ??
      new Cluster({
        observer: requestObserver(new Observer(), () => this.#cluster.clientId),
        ...rest,
        bootstrap: addresses(bootstrap),
      })
  }

  /** Leaves a cluster that was given open. */
  async close(): Promise<void> {
    if (!this.#isShared) await this.#cluster.close()
  }

  /** As `close`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  // Topics and records

  /** Names of all topics, sorted; Kafka's own ones only if asked for. */
  listTopics(options: { readonly internal?: boolean } & CallOptions = {}): Promise<string[]> {
    return this.#call('listTopics', options, async (cluster) => {
      const { topics: found } = await cluster.metadata(null)
      const shown = found.filter(({ isInternal }) => options.internal === true || !isInternal)
      return shown.flatMap(({ name }) => name ?? []).sort()
    })
  }

  /**
   * `validateOnly` checks and makes nothing. `TOPIC_ALREADY_EXISTS`, `INVALID_PARTITIONS`, `INVALID_CONFIG` and the like are in the
   * outcomes.
   */
  createTopics(
    wanted: readonly TopicToCreate[],
    options: { readonly validateOnly?: boolean } & CallOptions = {},
  ): Promise<topics.TopicOutcome[]> {
    const complete = wanted.map(({ name, partitions = -1, replicationFactor = -1, configs: settings = {} }) => ({
      name,
      partitions,
      replicationFactor,
      configs: Object.entries(settings).map(([key, value]) => ({ key, value })),
    }))
    return this.#call('createTopics', options, (cluster) => topics.createTopics(cluster, complete, options))
  }

  /** The topics and their records are gone; `UNKNOWN_TOPIC_OR_PARTITION` in the outcome of one that was not there. */
  deleteTopics(names: readonly string[], options?: CallOptions): Promise<topics.TopicOutcome[]> {
    return this.#call('deleteTopics', options, (cluster) => topics.deleteTopics(cluster, names))
  }

  /** Makes topics larger; fewer partitions are refused with `INVALID_PARTITIONS`. */
  createPartitions(
    counts: readonly topics.PartitionCount[],
    options?: { readonly validateOnly?: boolean } & CallOptions,
  ): Promise<topics.TopicOutcome[]> {
    return this.#call('createPartitions', options, (cluster) => topics.createPartitions(cluster, counts, options))
  }

  /** All topics unless named. Throws for a name that does not exist. */
  describeTopics(names?: readonly string[], options?: CallOptions): Promise<topics.TopicDescription[]> {
    return this.#call('describeTopics', options, (cluster) => topics.describeTopics(cluster, names ?? null))
  }

  /** By timestamp, or `EARLIEST_TIMESTAMP` and `LATEST_TIMESTAMP`. */
  listOffsets(queries: readonly OffsetQuery[], options?: IsolationOptions): Promise<FoundOffset[]> {
    return this.#call('listOffsets', options, (cluster) => records.listOffsets(cluster, queries, options))
  }

  /** Deletes the records before an offset of each partition. An offset behind the end is refused with `OFFSET_OUT_OF_RANGE`. */
  deleteRecords(before: readonly records.RecordsBefore[], options?: CallOptions): Promise<records.DeletedRecords[]> {
    return this.#call('deleteRecords', options, (cluster) => records.deleteRecords(cluster, before))
  }

  // Settings

  /** The settings of topics, brokers, groups and so on, in the order asked. Throws for the first resource that cannot be described. */
  describeConfigs(
    resources: readonly configs.ConfigResource[],
    options?: configs.DescribeConfigsOptions & CallOptions,
  ): Promise<configs.DescribedResource[]> {
    return this.#call('describeConfigs', options, (cluster) => configs.describeConfigs(cluster, resources, options))
  }

  /** Changes single settings and leaves the others as they are. `validateOnly` checks and changes nothing. */
  alterConfigs(
    resources: readonly configs.ResourceChanges[],
    options?: { readonly validateOnly?: boolean } & CallOptions,
  ) {
    return this.#call('alterConfigs', options, (cluster) => configs.alterConfigs(cluster, resources, options))
  }

  /**
   * What has settings of its own; of all types that the broker lists unless named. Throws UNSUPPORTED_VERSION for types that the broker
   * cannot list.
   */
  listConfigResources(
    types?: readonly configs.ConfigResourceType[],
    options?: CallOptions,
  ): Promise<configs.ConfigResource[]> {
    return this.#call('listConfigResources', options, (cluster) => configs.listConfigResources(cluster, types))
  }

  // Groups

  /** The groups of all types that all brokers keep, sorted by id. */
  listGroups(options?: CallOptions): Promise<groups.ListedGroup[]> {
    return this.#call('listGroups', options, (cluster) => groups.listGroups(cluster))
  }

  /** A consumer group of either protocol. Throws GROUP_ID_NOT_FOUND. */
  describeGroup(groupId: string, options?: CallOptions): Promise<groups.GroupDescription> {
    return this.#call('describeGroup', options, (cluster) => groups.describeGroup(cluster, groupId))
  }

  /** Forgets groups and their offsets. One with members is refused with `NON_EMPTY_GROUP`. */
  deleteGroups(groupIds: readonly string[], options?: CallOptions) {
    return this.#call('deleteGroups', options, (cluster) => changes.deleteGroups(cluster, groupIds))
  }

  /** Everything that the group has committed, sorted by topic and partition; empty for a group that does not exist. */
  committedOffsets(groupId: string, options?: CallOptions): Promise<groups.CommittedOffset[]> {
    return this.#call('committedOffsets', options, (cluster) => groups.committedOffsets(cluster, groupId))
  }

  /** Sets what a consumer group has committed. Only while it has no members: `UNKNOWN_MEMBER_ID` otherwise. */
  alterOffsets(
    groupId: string,
    offsets: readonly changes.NewOffset[],
    options?: CallOptions,
  ): Promise<state.PartitionOutcome[]> {
    return this.#call('alterOffsets', options, (cluster) => changes.alterOffsets(cluster, groupId, offsets))
  }

  /** The group forgets what it has committed there. Topics that its members read are refused with `GROUP_SUBSCRIBED_TO_TOPIC`. */
  deleteOffsets(
    groupId: string,
    partitions: readonly { readonly topic: string; readonly partition: number }[],
    options?: CallOptions,
  ) {
    return this.#call('deleteOffsets', options, (cluster) => changes.deleteOffsets(cluster, groupId, partitions))
  }

  /** Takes members out of a classic group, as if they had left. `reason` is for the broker's log. */
  removeMembers(groupId: string, members: readonly changes.MemberToRemove[], reason?: string, options?: CallOptions) {
    return this.#call('removeMembers', options, (cluster) => changes.removeMembers(cluster, groupId, members, reason))
  }

  /** Where a share group is, sorted by topic and partition. */
  describeShareOffsets(groupId: string, options?: CallOptions): Promise<shares.ShareOffset[]> {
    return this.#call('describeShareOffsets', options, (cluster) => shares.describeShareOffsets(cluster, groupId))
  }

  /** Sets where a share group goes on. Only while it has no members: throws NON_EMPTY_GROUP. */
  alterShareOffsets(
    groupId: string,
    offsets: readonly { readonly topic: string; readonly partition: number; readonly startOffset: number }[],
    options?: CallOptions,
  ): Promise<state.PartitionOutcome[]> {
    return this.#call('alterShareOffsets', options, (cluster) => shares.alterShareOffsets(cluster, groupId, offsets))
  }

  /** A share group forgets these topics. Only while it has no members: throws NON_EMPTY_GROUP. */
  deleteShareOffsets(groupId: string, names: readonly string[], options?: CallOptions) {
    return this.#call('deleteShareOffsets', options, (cluster) => shares.deleteShareOffsets(cluster, groupId, names))
  }

  // Transactions

  /** The transactional ids that all brokers coordinate, sorted; all unless filtered. */
  listTransactions(
    filter?: transactions.ListTransactionsFilter,
    options?: CallOptions,
  ): Promise<transactions.ListedTransaction[]> {
    return this.#call('listTransactions', options, (cluster) => transactions.listTransactions(cluster, filter))
  }

  /** Throws TRANSACTIONAL_ID_NOT_FOUND. */
  describeTransaction(transactionalId: string, options?: CallOptions): Promise<transactions.TransactionDescription> {
    return this.#call('describeTransaction', options, (cluster) =>
      transactions.describeTransaction(cluster, transactionalId),
    )
  }

  /** Who has written to the partition lately, as its leader knows. */
  describeProducers(topic: string, partition: number, options?: CallOptions): Promise<transactions.ActiveProducer[]> {
    return this.#call('describeProducers', options, (cluster) =>
      transactions.describeProducers(cluster, topic, partition),
    )
  }

  /** Ends a transaction that no coordinator will end, in one partition. Throws INVALID_PRODUCER_EPOCH for an older epoch. */
  abortTransaction(hanging: transactions.TransactionToAbort, options?: CallOptions): Promise<void> {
    return this.#call('abortTransaction', options, (cluster) => transactions.abortTransaction(cluster, hanging))
  }

  /** Producers of these ids can do nothing any more, and what they have open is aborted. */
  fenceProducers(transactionalIds: readonly string[], options?: CallOptions) {
    return this.#call('fenceProducers', options, (cluster) => transactions.fenceProducers(cluster, transactionalIds))
  }

  // Users, quotas and rights

  /** All quotas unless filtered. */
  describeClientQuotas(filter?: quotas.QuotaFilter, options?: CallOptions): Promise<quotas.ClientQuota[]> {
    return this.#call('describeClientQuotas', options, (cluster) => quotas.describeClientQuotas(cluster, filter))
  }

  /** Sets and removes limits of users, client ids and addresses. `validateOnly` checks and changes nothing. */
  alterClientQuotas(
    wanted: readonly quotas.QuotaChange[],
    options?: { readonly validateOnly?: boolean } & CallOptions,
  ) {
    return this.#call('alterClientQuotas', options, (cluster) => quotas.alterClientQuotas(cluster, wanted, options))
  }

  /** All users with SCRAM credentials unless named. Throws RESOURCE_NOT_FOUND for a named one without. */
  describeUsers(names?: readonly string[], options?: CallOptions): Promise<users.UserCredentials[]> {
    return this.#call('describeUsers', options, (cluster) => users.describeUsers(cluster, names))
  }

  /** Sets and removes SCRAM credentials, one outcome per user. Several changes of one user in a call are refused. */
  alterUsers(wanted: readonly users.CredentialChange[], options?: CallOptions) {
    return this.#call('alterUsers', options, (cluster) => users.alterUsers(cluster, wanted))
  }

  /** All rights unless filtered. Throws SECURITY_DISABLED where the cluster has no authorizer. */
  describeAcls(filter?: acls.AclFilter, options?: CallOptions): Promise<acls.Acl[]> {
    return this.#call('describeAcls', options, (cluster) => acls.describeAcls(cluster, filter))
  }

  /** One outcome per right; one that is there already is no error. */
  createAcls(wanted: readonly acls.Acl[], options?: CallOptions) {
    return this.#call('createAcls', options, (cluster) => acls.createAcls(cluster, wanted))
  }

  /** Deletes what fits a filter, and says what that was: one outcome per filter. */
  deleteAcls(filters: readonly acls.AclFilter[], options?: CallOptions) {
    return this.#call('deleteAcls', options, (cluster) => acls.deleteAcls(cluster, filters))
  }

  /** A token for the caller, or for `owner` if the caller may. Throws DELEGATION_TOKEN_AUTH_DISABLED where the cluster has none. */
  createDelegationToken(wanted?: tokens.NewToken, options?: CallOptions): Promise<tokens.DelegationToken> {
    return this.#call('createDelegationToken', options, (cluster) => tokens.createDelegationToken(cluster, wanted))
  }

  /** By `periodMs`, the broker's default unless given. Resolves to when it now expires, milliseconds since 1970. */
  renewDelegationToken(hmac: Uint8Array, periodMs?: number, options?: CallOptions): Promise<number> {
    return this.#call('renewDelegationToken', options, (cluster) =>
      tokens.renewDelegationToken(cluster, hmac, periodMs),
    )
  }

  /** At once unless `afterMs` is given. Resolves to when it expires, milliseconds since 1970. */
  expireDelegationToken(hmac: Uint8Array, afterMs?: number, options?: CallOptions): Promise<number> {
    return this.#call('expireDelegationToken', options, (cluster) =>
      tokens.expireDelegationToken(cluster, hmac, afterMs),
    )
  }

  /** All tokens that the caller may see, or those of these owners. */
  describeDelegationTokens(
    owners?: readonly tokens.Principal[],
    options?: CallOptions,
  ): Promise<tokens.DelegationToken[]> {
    return this.#call('describeDelegationTokens', options, (cluster) =>
      tokens.describeDelegationTokens(cluster, owners),
    )
  }

  // The cluster

  /** The cluster's id and brokers; with `includeFenced` also those that are registered and do not serve. */
  describeCluster(options?: { readonly includeFenced?: boolean } & CallOptions): Promise<state.ClusterDescription> {
    return this.#call('describeCluster', options, (cluster) => state.describeCluster(cluster, options))
  }

  /** Sorted by name. */
  describeFeatures(options?: CallOptions): Promise<state.Feature[]> {
    return this.#call('describeFeatures', options, (cluster) => state.describeFeatures(cluster))
  }

  /** All updates, or none: throws for the first that is refused. `validateOnly` checks and changes nothing. */
  updateFeatures(
    updates: readonly state.FeatureUpdate[],
    options?: { readonly validateOnly?: boolean } & CallOptions,
  ): Promise<void> {
    return this.#call('updateFeatures', options, (cluster) => state.updateFeatures(cluster, updates, options))
  }

  /** The folders of all brokers unless named, with sizes in bytes. An unreachable broker throws; a failed folder has its `error`. */
  describeLogDirs(brokers?: readonly number[], options?: CallOptions): Promise<state.LogDirectory[]> {
    return this.#call('describeLogDirs', options, (cluster) => state.describeLogDirs(cluster, brokers))
  }

  /** Begins the moves; `describeLogDirs` shows how far they are. */
  alterReplicaLogDirs(moves: readonly state.ReplicaMove[], options?: CallOptions) {
    return this.#call('alterReplicaLogDirs', options, (cluster) => state.alterReplicaLogDirs(cluster, moves))
  }

  /** `preferred` gives partitions back to their first replica; `unclean` may lose records. All partitions that need it unless named. */
  electLeaders(
    type: 'preferred' | 'unclean',
    partitions?: readonly { readonly topic: string; readonly partition: number }[],
    options?: CallOptions,
  ): Promise<state.PartitionOutcome[]> {
    return this.#call('electLeaders', options, (cluster) => state.electLeaders(cluster, type, partitions))
  }

  /** Moves replicas between brokers; null cancels. `listPartitionReassignments` shows what is under way. */
  alterPartitionReassignments(
    reassignments: readonly state.Reassignment[],
    options?: CallOptions,
  ): Promise<state.PartitionOutcome[]> {
    return this.#call('alterPartitionReassignments', options, (cluster) =>
      state.alterPartitionReassignments(cluster, reassignments),
    )
  }

  /** Partitions whose replicas are moving now. */
  listPartitionReassignments(options?: CallOptions): Promise<state.OngoingReassignment[]> {
    return this.#call('listPartitionReassignments', options, (cluster) => state.listPartitionReassignments(cluster))
  }

  /** The controllers. Throws on a cluster that keeps its metadata in another way, as Samsa does. */
  describeQuorum(options?: CallOptions): Promise<state.QuorumDescription> {
    return this.#call('describeQuorum', options, (cluster) => state.describeQuorum(cluster))
  }

  /** Forgets a broker that will not come back. Throws BROKER_ID_NOT_REGISTERED. */
  unregisterBroker(nodeId: number, options?: CallOptions): Promise<void> {
    return this.#call('unregisterBroker', options, (cluster) => state.unregisterBroker(cluster, nodeId))
  }

  #call<T>(name: string, options: CallOptions | undefined, run: (cluster: Cluster) => Promise<T>): Promise<T> {
    const signal = options?.signal
    return calling(name, signal, () => run(signal === undefined ? this.#cluster : whileWanted(this.#cluster, signal)))
  }
}

function addresses(bootstrap: string | readonly string[] | undefined) {
  const parsed = parseBootstrap(typeof bootstrap === 'string' ? bootstrap : (bootstrap ?? []).join(','))
  if (typeof parsed === 'string') throw new KafkaError('ERR_INVALID_OPTION', `bootstrap: ${parsed}`)
  return parsed
}
