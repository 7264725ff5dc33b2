/**
 * Creates, deletes and grows topics: the rules of the admin requests, of auto-creation, and of the broker's own topics. The admin
 * handlers, Metadata and the coordinators call it.
 *
 * What must hold: a request is one store transaction, checked against the state its rules were judged by; when it loses against
 * another process, the rules are judged again. A topic's id is new each time its name is created.
 */
import { ErrorCode } from '../protocol/errors.ts'
import { ZERO_UUID } from '../protocol/schema.ts'
import type { Logger } from '../storage/logger.ts'
import type { Random } from '../storage/random.ts'
import type { BrokerConfig } from './broker-config.ts'
import type { Configs, DescribedConfig } from './configs.ts'
import { areAllCordoned } from './cordoned-directories.ts'
import type { MetadataImage, TopicImage } from './image.ts'
import { INTERNAL_TOPIC_SPECS, type InternalTopicName } from './internal-topics.ts'
import { newPartition, placeReplicas, refuseReplicas } from './placement.ts'
import { type MetadataStore, MetadataStoreError, type StoreCheck, type StorePut } from './store.ts'
import { CLUSTER_METADATA_TOPIC, invalidTopicName } from './topic-names.ts'
import { collisionKey, encodeValue, type PartitionValue, type TopicValue, topicConfigKey, topicKey } from './values.ts'

export interface ReplicaAssignment {
  readonly partitionIndex: number
  readonly brokerIds: readonly number[]
}

export interface NewTopic {
  readonly name: string
  /** -1: the broker's default, or given by the assignments. */
  readonly numPartitions: number
  readonly replicationFactor: number
  readonly assignments: readonly ReplicaAssignment[]
  readonly configs: readonly { readonly name: string; readonly value: string | null }[]
}

export interface TopicResult {
  readonly name: string
  readonly errorCode: ErrorCode
  readonly errorMessage: string | null
}

export interface CreateTopicResult extends TopicResult {
  readonly topicId: string
  /** -1 on errors, as the replication factor. */
  readonly numPartitions: number
  readonly replicationFactor: number
  /** Effective, sorted by name; null on errors. */
  readonly configs: readonly DescribedConfig[] | null
}

export interface CreateOptions {
  readonly validateOnly: boolean
  readonly charge?: ChargePartitions
  /** Whether the requester may create this topic; everybody may, if it is left out. */
  readonly allowed?: (name: string) => boolean
}

/** By name, or by id with a null name. */
export interface TopicReference {
  readonly name: string | null
  readonly topicId: string
}

export interface DeleteTopicResult {
  readonly name: string | null
  readonly topicId: string
  readonly errorCode: ErrorCode
  readonly errorMessage: string | null
}

/**
 * Says yes to creating or deleting so many partitions of the topic, unless a quota forbids it. Asked last, when all other rules
 * are met; asked again about the same topic (others came between) it says the same.
 */
export type ChargePartitions = (topic: string, partitions: number) => boolean

export interface DeleteOptions {
  readonly charge?: ChargePartitions
  readonly mayDelete?: (name: string) => boolean
  /** Whether the requester may know the topic's name. */
  readonly mayDescribe?: (name: string) => boolean
}

export interface NewPartitions {
  readonly name: string
  /** The new total. */
  readonly count: number
  /** Replicas of each partition that is added; null: wherever there is room. */
  readonly assignments: readonly { readonly brokerIds: readonly number[] }[] | null
}

export interface TopicsOptions {
  readonly store: MetadataStore
  readonly image: MetadataImage
  readonly configs: Configs
  readonly config: BrokerConfig
  readonly random: Random
  readonly logger: Logger
}

export const MAX_PARTITIONS_PER_REQUEST = 10_000
/** Attempts against other processes that change the same topics. */
const MAX_ATTEMPTS = 20

interface Refusal {
  readonly errorCode: ErrorCode
  readonly errorMessage: string | null
}

/** What a topic that passed every rule will be. */
interface PlannedTopic {
  readonly name: string
  readonly topicId: string
  readonly partitions: readonly PartitionValue[]
  readonly configs: ReadonlyMap<string, string>
}

type Plan<T> = { readonly ok: true; readonly value: T } | ({ readonly ok: false } & Refusal)

function refuse(errorCode: ErrorCode, errorMessage: string | null): { readonly ok: false } & Refusal {
  return { ok: false, errorCode, errorMessage }
}

export class Topics {
  readonly #store: MetadataStore
  readonly #image: MetadataImage
  readonly #configs: Configs
  readonly #config: BrokerConfig
  readonly #random: Random
  readonly #logger: Logger
  /** Topics being created by themselves: many requests ask at once for the same one. */
  readonly #automatic = new Map<string, Promise<TopicResult>>()

  constructor(options: TopicsOptions) {
    this.#store = options.store
    this.#image = options.image
    this.#configs = options.configs
    this.#config = options.config
    this.#random = options.random
    this.#logger = options.logger
  }

  /** CreateTopics. Results in the order of the request; names that were given twice come last, once. */
  async create(topics: readonly NewTopic[], options: CreateOptions): Promise<CreateTopicResult[]> {
    const duplicates = duplicatesOf(topics.map(({ name }) => name))
    const mayCreate = options.allowed ?? (() => true)
    const wanted = topics.filter(({ name }) => !duplicates.has(name))
    const judged = wanted.filter(({ name }) => name !== CLUSTER_METADATA_TOPIC && mayCreate(name))
    const results = await this.#createJudged(judged, options)
    for (const name of duplicates) {
      results.push(creationFailed(name, refuse(ErrorCode.INVALID_REQUEST, 'Duplicate topic name.')))
    }
    for (const { name } of wanted) {
      if (name === CLUSTER_METADATA_TOPIC) {
        const reason = `Creation of internal topic ${CLUSTER_METADATA_TOPIC} is prohibited.`
        results.push(creationFailed(name, refuse(ErrorCode.INVALID_REQUEST, reason)))
      } else if (!mayCreate(name)) {
        results.push(creationFailed(name, refuse(ErrorCode.TOPIC_AUTHORIZATION_FAILED, 'Authorization failed.')))
      }
    }
    return results
  }

  /** DeleteTopics. One row per topic asked for; what was asked for twice comes once, refused. */
  async delete(references: readonly TopicReference[], options: DeleteOptions = {}): Promise<DeleteTopicResult[]> {
    const { results, doomed } = this.#resolveForDeletion(references, options)
    const isPaid = doomed.map(({ name, partitions }) => options.charge?.(name, partitions.length) ?? true)
    const outcome = await this.#deleteTopics(doomed.filter((_, index) => isPaid[index]))
    for (const [index, { name, topicId }] of doomed.entries()) {
      const { errorCode, errorMessage } = isPaid[index] ? outcome : OVER_QUOTA
      results.push({ name, topicId, errorCode, errorMessage })
    }
    return results
  }

  /** CreatePartitions. */
  async createPartitions(requests: readonly NewPartitions[], options: CreateOptions): Promise<TopicResult[]> {
    const duplicates = duplicatesOf(requests.map(({ name }) => name))
    const results: TopicResult[] = []
    for (const name of duplicates) {
      results.push({ name, ...refusal(ErrorCode.INVALID_REQUEST, 'Duplicate topic name.') })
    }
    const judged: NewPartitions[] = []
    for (const request of requests) {
      if (duplicates.has(request.name)) continue
      if (options.allowed !== undefined && !options.allowed(request.name)) {
        results.push({ name: request.name, ...refusal(ErrorCode.TOPIC_AUTHORIZATION_FAILED, null) })
      } else {
        judged.push(request)
      }
    }
    for (const request of judged) results.push(await this.#growTopic(request, options))
    return results
  }

  /** Creates a topic that a client asked metadata of, with the broker's defaults. An existing one is a success. */
  createAutomatically(name: string): Promise<TopicResult> {
    const running = this.#automatic.get(name)
    if (running !== undefined) return running
    const creation = this.#createAutomatic(name).finally(() => this.#automatic.delete(name))
    this.#automatic.set(name, creation)
    return creation
  }

  /**
   * After an unclean start: the epoch of every partition that this broker leads grows, so that whoever read what the crash
   * lost finds out. One transaction for all of them.
   */
  async bumpLeaderEpochs(nodeId: number): Promise<number> {
    let bumped = 0
    await this.#untilWritten(() => {
      bumped = 0
      const checks: StoreCheck[] = []
      const puts: StorePut[] = []
      for (const topic of this.#image.topics()) {
        const led = topic.partitions.filter(({ leader }) => leader === nodeId).length
        if (led === 0) continue
        bumped += led
        const partitions = topic.partitions.map((partition) =>
          partition.leader === nodeId ? nextEpoch(partition) : partitionValue(partition),
        )
        checks.push({ key: topicKey(topic.name), revision: topic.revision })
        puts.push(putTopic(topic.name, { topicId: topic.topicId, partitions }))
      }
      return { checks, puts, deletes: [] }
    })
    return bumped
  }

  async #createAutomatic(name: string): Promise<TopicResult> {
    if (this.#image.topic(name) !== undefined) return { name, ...refusal(ErrorCode.NONE, null) }
    const internal = INTERNAL_TOPIC_SPECS.get(name as InternalTopicName)
    const request: NewTopic =
      internal === undefined
        ? { name, numPartitions: -1, replicationFactor: -1, assignments: [], configs: [] }
        : { name, assignments: [], ...internal(this.#config) }
    const [result] = await this.#createJudged([request], { validateOnly: false })
    if (result === undefined) throw new Error(`creating topic ${name} had no result`)
    if (result.errorCode === ErrorCode.TOPIC_ALREADY_EXISTS) return { name, ...refusal(ErrorCode.NONE, null) }
    const { errorCode, errorMessage, numPartitions } = result
    if (errorCode === ErrorCode.NONE) this.#logger.info('topic created on first use', { topic: name, numPartitions })
    return { name, errorCode, errorMessage }
  }

  async #createJudged(topics: readonly NewTopic[], options: CreateOptions): Promise<CreateTopicResult[]> {
    const tooMany = this.#refuseTooManyPartitions(topics)
    if (tooMany !== null) return topics.map(({ name }) => creationFailed(name, tooMany))
    try {
      return await this.#planAndCreate(topics, options)
    } catch (error) {
      if (!(error instanceof MetadataStoreError)) throw error
      return topics.map(({ name }) => creationFailed(name, refuse(ErrorCode.KAFKA_STORAGE_ERROR, error.message)))
    }
  }

  async #planAndCreate(
    topics: readonly NewTopic[],
    { validateOnly, charge }: CreateOptions,
  ): Promise<CreateTopicResult[]> {
    let plans: [string, Plan<PlannedTopic>][] = []
    await this.#untilWritten(() => {
      plans = this.#planTopics(topics, charge)
      const planned = validateOnly ? [] : plans.flatMap(([, plan]) => (plan.ok ? [plan.value] : []))
      return creationOf(planned)
    })
    return plans.map(([name, plan]) => (plan.ok ? this.#created(plan.value) : creationFailed(name, plan)))
  }

  #planTopics(topics: readonly NewTopic[], charge: ChargePartitions = () => true): [string, Plan<PlannedTopic>][] {
    /** Names of this request by their form without dots: they must not collide with each other either. */
    const claimed = new Map<string, string>()
    return topics.map((topic) => {
      let plan = this.#planTopic(topic, claimed)
      if (plan.ok && !charge(topic.name, plan.value.partitions.length)) plan = OVER_QUOTA
      const collision = collisionKey(topic.name)
      if (plan.ok && collision !== null) claimed.set(collision, topic.name)
      return [topic.name, plan]
    })
  }

  #created({ name, topicId, partitions, configs }: PlannedTopic): CreateTopicResult {
    return {
      name,
      topicId,
      errorCode: ErrorCode.NONE,
      errorMessage: null,
      numPartitions: partitions.length,
      replicationFactor: partitions[0]?.replicas.length ?? -1,
      configs: this.#configs.describeTopicConfigs(configs),
    }
  }

  #refuseTooManyPartitions(topics: readonly NewTopic[]): Refusal | null {
    let total = 0
    for (const { numPartitions, assignments } of topics) {
      if (assignments.length > 0) total += assignments.length
      else if (numPartitions === -1) total += this.#config.number('num.partitions')
      else if (numPartitions > 0) total += numPartitions
    }
    if (total <= MAX_PARTITIONS_PER_REQUEST) return null
    return refuse(ErrorCode.POLICY_VIOLATION, 'Excessively large number of partitions per request.')
  }

  /** The rules of a new topic, in Kafka's order. */
  #planTopic(topic: NewTopic, claimed: ReadonlyMap<string, string>): Plan<PlannedTopic> {
    const { name } = topic
    const invalid = invalidTopicName(name)
    if (invalid !== null) return refuse(ErrorCode.INVALID_TOPIC_EXCEPTION, invalid)
    const colliding = this.#image.collidingTopic(name) ?? claimed.get(collisionKey(name) ?? '')
    if (colliding !== undefined && colliding !== name) {
      return refuse(ErrorCode.INVALID_TOPIC_EXCEPTION, `Topic '${name}' collides with existing topic: ${colliding}`)
    }
    if (this.#image.topic(name) !== undefined) {
      return refuse(ErrorCode.TOPIC_ALREADY_EXISTS, `Topic '${name}' already exists.`)
    }
    const configs = this.#planConfigs(topic)
    if (!configs.ok) return configs
    const partitions = topic.assignments.length > 0 ? this.#planAssigned(topic) : this.#planPlaced(topic)
    if (!partitions.ok) return partitions
    const value = { name, topicId: this.#random.uuid(), partitions: partitions.value, configs: configs.value }
    return { ok: true, value }
  }

  #planConfigs(topic: NewTopic): Plan<ReadonlyMap<string, string>> {
    const configs = new Map<string, string>()
    const missing = topic.configs.filter(({ value }) => value === null).map(({ name }) => name)
    if (missing.length > 0) {
      return refuse(ErrorCode.INVALID_CONFIG, `Null value not supported for topic configs: ${missing.join(',')}`)
    }
    for (const { name, value } of topic.configs) configs.set(name, value ?? '')
    const refused = this.#configs.refuseTopicConfigs(configs)
    return refused === null ? { ok: true, value: configs } : refuse(refused.errorCode, refused.errorMessage)
  }

  #planAssigned({ assignments, replicationFactor, numPartitions }: NewTopic): Plan<PartitionValue[]> {
    for (const [given, what] of [
      [replicationFactor, 'replication factor'],
      [numPartitions, 'numPartitions'],
    ] as const) {
      if (given !== -1) {
        const reason = `A manual partition assignment was specified, but ${what} was not set to -1.`
        return refuse(ErrorCode.INVALID_REQUEST, reason)
      }
    }
    const byIndex = new Map<number, readonly number[]>()
    let replicaCount: number | null = null
    for (const { partitionIndex, brokerIds } of assignments) {
      if (byIndex.has(partitionIndex)) {
        return refuse(
          ErrorCode.INVALID_REPLICA_ASSIGNMENT,
          `Found multiple manual partition assignments for partition ${partitionIndex}`,
        )
      }
      const reason = refuseReplicas(brokerIds, replicaCount, (id) => this.#image.broker(id) !== undefined)
      if (reason !== null) return refuse(ErrorCode.INVALID_REPLICA_ASSIGNMENT, reason)
      replicaCount = brokerIds.length
      byIndex.set(partitionIndex, brokerIds)
    }
    const partitions: PartitionValue[] = []
    for (let index = 0; index < byIndex.size; index++) {
      const replicas = byIndex.get(index)
      if (replicas === undefined) {
        return refuse(
          ErrorCode.INVALID_REPLICA_ASSIGNMENT,
          'partitions should be a consecutive 0-based integer sequence',
        )
      }
      partitions.push(newPartition(replicas, (id) => this.#image.broker(id) !== undefined))
    }
    return { ok: true, value: partitions }
  }

  #planPlaced(topic: NewTopic): Plan<PartitionValue[]> {
    if (topic.replicationFactor < -1 || topic.replicationFactor === 0) {
      return refuse(
        ErrorCode.INVALID_REPLICATION_FACTOR,
        'Replication factor must be larger than 0, or -1 to use the default value.',
      )
    }
    if (topic.numPartitions < -1 || topic.numPartitions === 0) {
      return refuse(ErrorCode.INVALID_PARTITIONS, 'Number of partitions was set to an invalid non-positive value.')
    }
    const count = topic.numPartitions === -1 ? this.#config.number('num.partitions') : topic.numPartitions
    const factor =
      topic.replicationFactor === -1 ? this.#config.number('default.replication.factor') : topic.replicationFactor
    return this.#place(count, factor, 0)
  }

  #place(partitions: number, replicationFactor: number, firstPartition: number): Plan<PartitionValue[]> {
    const registered = this.#image.brokers().map(({ id }) => id)
    const brokers = areAllCordoned(this.#config)
      ? registered.filter((id) => id !== this.#config.numberOrNull('node.id'))
      : registered
    if (brokers.length === 0 && registered.length > 0) {
      return refuse(
        ErrorCode.INVALID_REPLICATION_FACTOR,
        `Unable to replicate the partition ${replicationFactor} time(s): All brokers are currently fenced, or have all their log directories cordoned.`,
      )
    }
    if (replicationFactor > brokers.length) {
      return refuse(
        ErrorCode.INVALID_REPLICATION_FACTOR,
        `Unable to replicate the partition ${replicationFactor} time(s): The target replication factor of ${replicationFactor} cannot be reached because only ${brokers.length} broker(s) are registered or some brokers have all their log directories cordoned.`,
      )
    }
    const random = (): number => this.#random.next()
    const placed = placeReplicas({ brokers, partitions, replicationFactor, firstPartition, random })
    return { ok: true, value: placed.map((replicas) => newPartition(replicas, () => true)) }
  }

  #resolveForDeletion(
    references: readonly TopicReference[],
    { mayDelete = () => true, mayDescribe = () => true }: DeleteOptions,
  ): { results: DeleteTopicResult[]; doomed: TopicImage[] } {
    const results: DeleteTopicResult[] = []
    const found: { topic: TopicImage; byId: boolean }[] = []
    const askedNames = duplicatesOf(references.flatMap(({ name }) => (name === null ? [] : [name])))
    const askedIds = duplicatesOf(references.flatMap(({ name, topicId }) => (name === null ? [topicId] : [])))
    const answer = (row: TopicReference, errorCode: ErrorCode, errorMessage: string | null): void => {
      results.push({ ...row, errorCode, errorMessage })
    }
    for (const reference of references) {
      const { name, topicId } = reference
      if (name === null && topicId === ZERO_UUID) {
        answer(reference, ErrorCode.INVALID_REQUEST, 'Neither topic name nor id were specified.')
      } else if (name !== null && topicId !== ZERO_UUID) {
        answer(reference, ErrorCode.INVALID_REQUEST, 'You may not specify both topic name and topic id.')
      } else if (name === null ? askedIds.has(topicId) : askedNames.has(name)) {
        // Answered once, below.
      } else {
        const topic = name === null ? this.#image.topicById(topicId) : this.#image.topic(name)
        if (topic !== undefined) found.push({ topic, byId: name === null })
        else if (name === null) answer(reference, ErrorCode.UNKNOWN_TOPIC_ID, UNKNOWN_ID_MESSAGE)
        else if (!mayDelete(name)) answer(reference, ErrorCode.TOPIC_AUTHORIZATION_FAILED, UNAUTHORIZED_MESSAGE)
        else answer(reference, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_MESSAGE)
      }
    }
    for (const name of askedNames) {
      answer({ name, topicId: ZERO_UUID }, ErrorCode.INVALID_REQUEST, 'Duplicate topic name.')
    }
    for (const topicId of askedIds) {
      if (topicId !== ZERO_UUID) answer({ name: null, topicId }, ErrorCode.INVALID_REQUEST, 'Duplicate topic id.')
    }
    const doomed: TopicImage[] = []
    const namedTwice = duplicatesOf(found.map(({ topic }) => topic.name))
    for (const name of namedTwice) {
      answer(
        { name, topicId: ZERO_UUID },
        ErrorCode.INVALID_REQUEST,
        'The provided topic name maps to an ID that was already supplied.',
      )
    }
    for (const { topic, byId } of found) {
      if (namedTwice.has(topic.name)) continue
      if (mayDelete(topic.name)) {
        doomed.push(topic)
      } else {
        const name = byId && !mayDescribe(topic.name) ? null : topic.name
        answer(
          { name, topicId: byId ? topic.topicId : ZERO_UUID },
          ErrorCode.TOPIC_AUTHORIZATION_FAILED,
          UNAUTHORIZED_MESSAGE,
        )
      }
    }
    return { results, doomed }
  }

  /** All in one write, which waits for the device once. Those that are gone meanwhile are deleted, too. */
  async #deleteTopics(doomed: readonly TopicImage[]): Promise<Refusal> {
    try {
      await this.#untilWritten(() => {
        const present = doomed.flatMap(({ topicId }) => this.#image.topicById(topicId) ?? [])
        return {
          checks: present.map(({ name, revision }) => ({ key: topicKey(name), revision })),
          puts: [],
          deletes: present.flatMap(({ name }) => deletedKeys(name)),
        }
      })
      return refusal(ErrorCode.NONE, null)
    } catch (error) {
      if (!(error instanceof MetadataStoreError)) throw error
      return refusal(ErrorCode.KAFKA_STORAGE_ERROR, error.message)
    }
  }

  async #growTopic(request: NewPartitions, { validateOnly, charge }: CreateOptions): Promise<TopicResult> {
    const { name } = request
    let outcome: Refusal = refusal(ErrorCode.NONE, null)
    try {
      await this.#untilWritten(() => {
        let plan = this.#planGrowth(request)
        if (plan.ok && charge !== undefined && !charge(name, plan.value.added.length)) plan = OVER_QUOTA
        outcome = plan.ok ? refusal(ErrorCode.NONE, null) : refusal(plan.errorCode, plan.errorMessage)
        if (!plan.ok || validateOnly) return { checks: [], puts: [], deletes: [] }
        const { topic, added } = plan.value
        const partitions = [...topic.partitions.map(partitionValue), ...added]
        return {
          checks: [{ key: topicKey(name), revision: topic.revision }],
          puts: [putTopic(name, { topicId: topic.topicId, partitions })],
          deletes: [],
        }
      })
    } catch (error) {
      if (!(error instanceof MetadataStoreError)) throw error
      outcome = refusal(ErrorCode.KAFKA_STORAGE_ERROR, error.message)
    }
    return { name, ...outcome }
  }

  #planGrowth({ name, count, assignments }: NewPartitions): Plan<{ topic: TopicImage; added: PartitionValue[] }> {
    const topic = this.#image.topic(name)
    if (topic === undefined) return refuse(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, null)
    const present = topic.partitions.length
    if (count === present) {
      return refuse(ErrorCode.INVALID_PARTITIONS, `Topic already has ${present} partition(s).`)
    }
    if (count < present) {
      return refuse(
        ErrorCode.INVALID_PARTITIONS,
        `The topic ${name} currently has ${present} partition(s); ${count} would not be an increase.`,
      )
    }
    const added = count - present
    if (added > MAX_PARTITIONS_PER_REQUEST) {
      return refuse(
        ErrorCode.INVALID_PARTITIONS,
        `At most ${MAX_PARTITIONS_PER_REQUEST} partitions can be added to a topic at a time, not ${added}.`,
      )
    }
    const replicaCount = topic.partitions[0]?.replicas.length ?? 1
    const partitions =
      assignments === null
        ? this.#place(added, replicaCount, present)
        : this.#planAddedAssignments(added, replicaCount, assignments)
    return partitions.ok ? { ok: true, value: { topic, added: partitions.value } } : partitions
  }

  #planAddedAssignments(
    added: number,
    replicaCount: number,
    assignments: readonly { readonly brokerIds: readonly number[] }[],
  ): Plan<PartitionValue[]> {
    if (assignments.length !== added) {
      return refuse(
        ErrorCode.INVALID_REPLICA_ASSIGNMENT,
        `Attempted to add ${added} additional partition(s), but only ${assignments.length} assignment(s) were specified.`,
      )
    }
    const isKnown = (id: number): boolean => this.#image.broker(id) !== undefined
    for (const { brokerIds } of assignments) {
      const reason = refuseReplicas(brokerIds, replicaCount, isKnown)
      if (reason !== null) return refuse(ErrorCode.INVALID_REPLICA_ASSIGNMENT, reason)
    }
    return { ok: true, value: assignments.map(({ brokerIds }) => newPartition(brokerIds, isKnown)) }
  }

  /** Judges and writes until no other process came between. Nothing to write is written. */
  async #untilWritten(plan: () => { checks: StoreCheck[]; puts: StorePut[]; deletes: string[] }): Promise<void> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const transaction = plan()
      if (transaction.puts.length + transaction.deletes.length === 0) return
      const result = await this.#store.transact(transaction)
      if (result.ok) return
    }
    throw new MetadataStoreError('the topics are being changed by other processes')
  }
}

/** What goes with a topic. */
function deletedKeys(name: string): string[] {
  const collision = collisionKey(name)
  return [topicKey(name), topicConfigKey(name), ...(collision === null ? [] : [collision])]
}

const OVER_QUOTA = refuse(ErrorCode.THROTTLING_QUOTA_EXCEEDED, 'The throttling quota has been exceeded.')
const UNKNOWN_TOPIC_MESSAGE = 'This server does not host this topic-partition.'
const UNKNOWN_ID_MESSAGE = 'This server does not host this topic ID.'
const UNAUTHORIZED_MESSAGE = 'Topic authorization failed.'

function refusal(errorCode: ErrorCode, errorMessage: string | null): Refusal {
  return { errorCode, errorMessage }
}

function duplicatesOf(names: readonly string[]): Set<string> {
  const seen = new Set<string>()
  const duplicates = new Set<string>()
  for (const name of names) {
    if (seen.has(name)) duplicates.add(name)
    seen.add(name)
  }
  return duplicates
}

function creationFailed(name: string, { errorCode, errorMessage }: Refusal): CreateTopicResult {
  return { name, topicId: ZERO_UUID, errorCode, errorMessage, numPartitions: -1, replicationFactor: -1, configs: null }
}

function creationOf(topics: readonly PlannedTopic[]): { checks: StoreCheck[]; puts: StorePut[]; deletes: string[] } {
  const checks: StoreCheck[] = []
  const puts: StorePut[] = []
  for (const { name, topicId, partitions, configs } of topics) {
    checks.push({ key: topicKey(name), revision: null })
    const collision = collisionKey(name)
    if (collision !== null) {
      checks.push({ key: collision, revision: null })
      puts.push({ key: collision, value: encodeValue(name) })
    }
    // Configs first: keys of one transaction are applied in any order, but a topic never shows without its configs.
    if (configs.size > 0) puts.push({ key: topicConfigKey(name), value: encodeValue(Object.fromEntries(configs)) })
    puts.push(putTopic(name, { topicId, partitions }))
  }
  return { checks, puts, deletes: [] }
}

function putTopic(name: string, value: TopicValue): StorePut {
  return { key: topicKey(name), value: encodeValue(value) }
}

function partitionValue({ leader, leaderEpoch, partitionEpoch, replicas, isr }: PartitionValue): PartitionValue {
  return { leader, leaderEpoch, partitionEpoch, replicas, isr }
}

function nextEpoch(partition: PartitionValue): PartitionValue {
  const { leaderEpoch, partitionEpoch } = partition
  return { ...partitionValue(partition), leaderEpoch: leaderEpoch + 1, partitionEpoch: partitionEpoch + 1 }
}
