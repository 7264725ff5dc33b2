/**
 * Everything that can be asked about a cluster and changed in it. Each method is one call of the functions beside this file, on connections
 * that the object keeps.
 *
 * Methods that act on many things answer one outcome each, in the order asked: an `error` that is null, or says why that one failed. Methods
 * about one thing throw a KafkaError. What passes by itself (a coordinator that loads, a leader that moves) is tried again until
 * `timeoutMs` has passed.
 */
import { parseBootstrap } from '../address.ts'
import { Cluster, type ClusterOptions } from '../cluster.ts'
import { KafkaError } from '../errors.ts'
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

export interface AdminOptions extends Omit<ClusterOptions, 'bootstrap'> {
  /** `host:port`, several of them separated by commas or as a list. */
  readonly bootstrap?: string | readonly string[]
  /** A cluster that is open already, in place of `bootstrap`: its connections are shared, and it is left open. */
  readonly cluster?: Cluster
}

/** What of a topic is not the broker's default. */
export interface TopicToCreate {
  readonly name: string
  /** The broker's `num.partitions` unless given. */
  readonly partitions?: number
  /** The broker's `default.replication.factor` unless given. */
  readonly replicationFactor?: number
  readonly configs?: Readonly<Record<string, string>>
}

export class Admin implements AsyncDisposable {
  readonly #cluster: Cluster
  readonly #isShared: boolean

  /** Connects at the first call. */
  constructor(options: AdminOptions) {
    const { bootstrap, cluster, ...rest } = options
    this.#isShared = cluster !== undefined
    this.#cluster = cluster ?? new Cluster({ ...rest, bootstrap: addresses(bootstrap) })
  }

  /** Leaves a cluster that was given open. */
  async close(): Promise<void> {
    if (!this.#isShared) await this.#cluster.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  // Topics and records

  /** Names of all topics, sorted; Kafka's own ones only if asked for. */
  async listTopics(options: { readonly internal?: boolean } = {}): Promise<string[]> {
    const { topics: found } = await this.#cluster.metadata(null)
    const shown = found.filter(({ isInternal }) => options.internal === true || !isInternal)
    return shown.flatMap(({ name }) => name ?? []).sort()
  }

  createTopics(
    wanted: readonly TopicToCreate[],
    options: { readonly validateOnly?: boolean } = {},
  ): Promise<topics.TopicOutcome[]> {
    const complete = wanted.map(({ name, partitions = -1, replicationFactor = -1, configs: settings = {} }) => ({
      name,
      partitions,
      replicationFactor,
      configs: Object.entries(settings).map(([key, value]) => ({ key, value })),
    }))
    return topics.createTopics(this.#cluster, complete, options)
  }

  deleteTopics(names: readonly string[]): Promise<topics.TopicOutcome[]> {
    return topics.deleteTopics(this.#cluster, names)
  }

  createPartitions(counts: readonly topics.PartitionCount[]): Promise<topics.TopicOutcome[]> {
    return topics.createPartitions(this.#cluster, counts)
  }

  /** All topics unless named. Throws for a name that does not exist. */
  describeTopics(names?: readonly string[]): Promise<topics.TopicDescription[]> {
    return topics.describeTopics(this.#cluster, names ?? null)
  }

  /** By timestamp, or `EARLIEST_TIMESTAMP` and `LATEST_TIMESTAMP`. */
  listOffsets(queries: readonly OffsetQuery[], options?: IsolationOptions): Promise<FoundOffset[]> {
    return records.listOffsets(this.#cluster, queries, options)
  }

  deleteRecords(before: readonly records.RecordsBefore[]): Promise<records.DeletedRecords[]> {
    return records.deleteRecords(this.#cluster, before)
  }

  // Settings

  describeConfigs(
    resources: readonly configs.ConfigResource[],
    options?: configs.DescribeConfigsOptions,
  ): Promise<configs.DescribedResource[]> {
    return configs.describeConfigs(this.#cluster, resources, options)
  }

  alterConfigs(resources: readonly configs.ResourceChanges[], options?: { readonly validateOnly?: boolean }) {
    return configs.alterConfigs(this.#cluster, resources, options)
  }

  listConfigResources(types?: readonly configs.ConfigResourceType[]): Promise<configs.ConfigResource[]> {
    return configs.listConfigResources(this.#cluster, types)
  }

  // Groups

  listGroups(): Promise<groups.ListedGroup[]> {
    return groups.listGroups(this.#cluster)
  }

  describeGroup(groupId: string): Promise<groups.GroupDescription> {
    return groups.describeGroup(this.#cluster, groupId)
  }

  deleteGroups(groupIds: readonly string[]) {
    return changes.deleteGroups(this.#cluster, groupIds)
  }

  committedOffsets(groupId: string): Promise<groups.CommittedOffset[]> {
    return groups.committedOffsets(this.#cluster, groupId)
  }

  alterOffsets(groupId: string, offsets: readonly changes.NewOffset[]): Promise<state.PartitionOutcome[]> {
    return changes.alterOffsets(this.#cluster, groupId, offsets)
  }

  deleteOffsets(groupId: string, partitions: readonly { readonly topic: string; readonly partition: number }[]) {
    return changes.deleteOffsets(this.#cluster, groupId, partitions)
  }

  removeMembers(groupId: string, members: readonly changes.MemberToRemove[], reason?: string) {
    return changes.removeMembers(this.#cluster, groupId, members, reason)
  }

  describeShareOffsets(groupId: string): Promise<shares.ShareOffset[]> {
    return shares.describeShareOffsets(this.#cluster, groupId)
  }

  alterShareOffsets(
    groupId: string,
    offsets: readonly { readonly topic: string; readonly partition: number; readonly startOffset: number }[],
  ): Promise<state.PartitionOutcome[]> {
    return shares.alterShareOffsets(this.#cluster, groupId, offsets)
  }

  deleteShareOffsets(groupId: string, names: readonly string[]) {
    return shares.deleteShareOffsets(this.#cluster, groupId, names)
  }

  // Transactions

  listTransactions(filter?: transactions.ListTransactionsFilter): Promise<transactions.ListedTransaction[]> {
    return transactions.listTransactions(this.#cluster, filter)
  }

  describeTransaction(transactionalId: string): Promise<transactions.TransactionDescription> {
    return transactions.describeTransaction(this.#cluster, transactionalId)
  }

  describeProducers(topic: string, partition: number): Promise<transactions.ActiveProducer[]> {
    return transactions.describeProducers(this.#cluster, topic, partition)
  }

  abortTransaction(hanging: transactions.TransactionToAbort): Promise<void> {
    return transactions.abortTransaction(this.#cluster, hanging)
  }

  fenceProducers(transactionalIds: readonly string[]) {
    return transactions.fenceProducers(this.#cluster, transactionalIds)
  }

  // Users, quotas and rights

  describeClientQuotas(filter?: quotas.QuotaFilter): Promise<quotas.ClientQuota[]> {
    return quotas.describeClientQuotas(this.#cluster, filter)
  }

  alterClientQuotas(wanted: readonly quotas.QuotaChange[], options?: { readonly validateOnly?: boolean }) {
    return quotas.alterClientQuotas(this.#cluster, wanted, options)
  }

  describeUsers(names?: readonly string[]): Promise<users.UserCredentials[]> {
    return users.describeUsers(this.#cluster, names)
  }

  alterUsers(wanted: readonly users.CredentialChange[]) {
    return users.alterUsers(this.#cluster, wanted)
  }

  describeAcls(filter?: acls.AclFilter): Promise<acls.Acl[]> {
    return acls.describeAcls(this.#cluster, filter)
  }

  createAcls(wanted: readonly acls.Acl[]) {
    return acls.createAcls(this.#cluster, wanted)
  }

  deleteAcls(filters: readonly acls.AclFilter[]) {
    return acls.deleteAcls(this.#cluster, filters)
  }

  createDelegationToken(wanted?: tokens.NewToken): Promise<tokens.DelegationToken> {
    return tokens.createDelegationToken(this.#cluster, wanted)
  }

  renewDelegationToken(hmac: Uint8Array, periodMs?: number): Promise<number> {
    return tokens.renewDelegationToken(this.#cluster, hmac, periodMs)
  }

  expireDelegationToken(hmac: Uint8Array, afterMs?: number): Promise<number> {
    return tokens.expireDelegationToken(this.#cluster, hmac, afterMs)
  }

  describeDelegationTokens(owners?: readonly tokens.Principal[]): Promise<tokens.DelegationToken[]> {
    return tokens.describeDelegationTokens(this.#cluster, owners)
  }

  // The cluster

  describeCluster(options?: { readonly includeFenced?: boolean }): Promise<state.ClusterDescription> {
    return state.describeCluster(this.#cluster, options)
  }

  describeFeatures(): Promise<state.Feature[]> {
    return state.describeFeatures(this.#cluster)
  }

  updateFeatures(
    updates: readonly state.FeatureUpdate[],
    options?: { readonly validateOnly?: boolean },
  ): Promise<void> {
    return state.updateFeatures(this.#cluster, updates, options)
  }

  describeLogDirs(brokers?: readonly number[]): Promise<state.LogDirectory[]> {
    return state.describeLogDirs(this.#cluster, brokers)
  }

  alterReplicaLogDirs(moves: readonly state.ReplicaMove[]) {
    return state.alterReplicaLogDirs(this.#cluster, moves)
  }

  electLeaders(
    type: 'preferred' | 'unclean',
    partitions?: readonly { readonly topic: string; readonly partition: number }[],
  ): Promise<state.PartitionOutcome[]> {
    return state.electLeaders(this.#cluster, type, partitions)
  }

  alterPartitionReassignments(reassignments: readonly state.Reassignment[]): Promise<state.PartitionOutcome[]> {
    return state.alterPartitionReassignments(this.#cluster, reassignments)
  }

  listPartitionReassignments(): Promise<state.OngoingReassignment[]> {
    return state.listPartitionReassignments(this.#cluster)
  }

  describeQuorum(): Promise<state.QuorumDescription> {
    return state.describeQuorum(this.#cluster)
  }

  unregisterBroker(nodeId: number): Promise<void> {
    return state.unregisterBroker(this.#cluster, nodeId)
  }
}

function addresses(bootstrap: string | readonly string[] | undefined) {
  const parsed = parseBootstrap(typeof bootstrap === 'string' ? bootstrap : (bootstrap ?? []).join(','))
  if (typeof parsed === 'string') throw new KafkaError('ERR_INVALID_OPTION', `bootstrap: ${parsed}`)
  return parsed
}
