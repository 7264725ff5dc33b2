/**
 * One history: a broker, its clients, and so many steps of whatever the seed makes happen, with the invariants looked at after every step and all
 * promises at the end. What is promised depends on the durability: `os` keeps everything through a kill, `fsync` through a power loss as well. A
 * power loss under `os` ends a history: nothing was promised, but what is there must be a beginning of what was there.
 */
import type { Log } from '../../src/log/log.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { CreateTopicsRequest, CreateTopicsResponse } from '../../src/protocol/messages/19-create-topics.ts'
import { DeleteRecordsRequest, DeleteRecordsResponse } from '../../src/protocol/messages/21-delete-records.ts'
import {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponse,
} from '../../src/protocol/messages/44-incremental-alter-configs.ts'
import { SeededRandom } from '../../src/storage/random-seeded.ts'
import { SimClient, split } from './client.ts'
import { Beliefs, CONSUMER_SESSION_TIMEOUT_MS, runClassicMember, runConsumerMember } from './members.ts'
import { Model, type PartitionView, type SeenRecord } from './model.ts'
import {
  type Copying,
  type Reading,
  runCopier,
  runIdempotent,
  runPlain,
  runReader,
  runTransactional,
} from './producers.ts'
import { ConnectionLost } from './wire.ts'
import { World } from './world.ts'

const ORDERS = ['orders-0', 'orders-1'] as const
const SOURCE = 'source-0'
const COPIES = 'copies-0'
const TABLE = 'table-0'
const ALL = [...ORDERS, SOURCE, COPIES, TABLE]
const TRANSACTIONAL = ['writer-0', 'writer-1', 'writer-2']
const COPIER = 'copier'
const SEGMENT_BYTES = 3000
/** Longer than any transaction may be open and any session last. */
const CALM_MS = 25_000
/** For what a start leaves to be done. */
const SETTLE_MS = 100
/** What takes more rounds of calm than this hangs. */
const MOST_ROUNDS = 1000
const TOPIC_RESOURCE = 2
const USUAL_STEPS = 600
/** Of a batch's header. */
const ATTRIBUTES_AT = 21
const CONTROL_BIT = 0x20

export interface HistoryOptions {
  readonly seed: number
  readonly steps: number
}

export interface HistoryReport {
  readonly seed: number
  readonly problems: readonly string[]
  readonly lines: readonly string[]
  readonly counts: Readonly<Record<string, number>>
}

const SETTINGS = {
  'offsets.topic.num.partitions': '2',
  'transaction.state.log.num.partitions': '2',
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': '500',
  'log.cleaner.backoff.ms': '400',
  'log.cleaner.min.cleanable.ratio': '0.05',
  'log.retention.check.interval.ms': '1000',
  'log.segment.delete.delay.ms': '500',
  'group.consumer.session.timeout.ms': String(CONSUMER_SESSION_TIMEOUT_MS),
  'group.consumer.min.session.timeout.ms': '1000',
  'group.consumer.heartbeat.interval.ms': '1000',
  'group.consumer.min.heartbeat.interval.ms': '1000',
} as const

export class History {
  readonly world: World
  readonly model = new Model(new Set([TABLE]))
  readonly #options: HistoryOptions
  readonly #clients: SimClient[] = []
  readonly #running = new Set<string>()
  readonly #readings: Reading[] = []
  readonly #beliefs: Beliefs[] = []
  readonly #copying: Copying
  /** What the logs' ends were, by log; they never go back. */
  readonly #marks = new Map<string, { highWatermark: number; lastStableOffset: number }>()
  #isEnding = false
  readonly #losesPower: boolean

  constructor(options: HistoryOptions) {
    this.#options = options
    const { seed } = options
    const random = new SeededRandom(seed * 7919)
    const isStormy = random.next() < 0.4
    const share = () => (isStormy && random.next() < 0.6 ? random.next() * 0.01 : 0)
    this.world = new World({
      seed,
      durability: random.next() < 0.5 ? 'fsync' : 'os',
      writeMode: random.next() < 0.3 ? 'direct' : 'buffered',
      settings: new Map(Object.entries(SETTINGS)),
      weather: { writeFails: share(), syncFails: share() / 4, otherFails: share() / 4 },
    })
    this.#losesPower = random.next() < 0.6
    this.#copying = { source: SOURCE, target: COPIES, isNew: random.next() < 0.5, committed: 0 }
  }

  async run(): Promise<HistoryReport> {
    const { world } = this
    const uncaught = (error: unknown) => world.uncaught(error)
    process.on('unhandledRejection', uncaught)
    try {
      await world.start()
      await this.#createTopics()
      world.weather = world.settings.weather
      world.process.disk.weather = world.weather
      this.#startClients()
      let isPowerLost = false
      for (let step = 0; step < this.#options.steps && !isPowerLost; step++) {
        isPowerLost = await this.#disturb()
        if (isPowerLost) break
        await world.step()
        this.#checkLogs()
        if (world.problems.length + this.model.problems.length > 0) break
      }
      if (!isPowerLost && world.problems.length + this.model.problems.length === 0) await this.#end()
    } catch (error) {
      world.report(error instanceof Error ? (error.stack ?? error.message) : String(error))
    } finally {
      process.off('unhandledRejection', uncaught)
    }
    const problems = [...world.problems, ...this.model.problems]
    const counts = {
      ...world.counts,
      records: this.model.records.size,
      committed: this.model.transactions.filter(({ outcome }) => outcome === 'committed').length,
      aborted: this.model.transactions.filter(({ outcome }) => outcome === 'aborted').length,
      handedOut: this.#beliefs.reduce((sum, { handedOut }) => sum + handedOut, 0),
      groupCommits: this.#beliefs.reduce((sum, { committed }) => sum + committed.size, 0),
      seen: this.#readings.reduce((sum, { seen }) => sum + seen.length, 0),
      stormy: world.settings.weather.writeFails + world.settings.weather.syncFails > 0 ? 1 : 0,
    }
    return { seed: this.#options.seed, problems, lines: world.lines, counts }
  }

  // ---- the beginning ------------------------------------------------------------------------------------------

  /** Runs what one client asks for to its end, while nothing else happens. */
  async #alone<T>(task: (client: SimClient) => Promise<T>): Promise<T> {
    const client = this.#client('alone')
    const ended: { outcome: { readonly value: T } | { readonly error: unknown } | null } = { outcome: null }
    const attempt = (): void => {
      ended.outcome = null
      task(client).then(
        (value) => {
          ended.outcome = { value }
        },
        (error: unknown) => {
          ended.outcome = { error }
        },
      )
    }
    attempt()
    for (let round = 0; round < MOST_ROUNDS; round++) {
      await this.world.calmDown(1)
      const { outcome } = ended
      if (outcome === null) continue
      if ('value' in outcome) return outcome.value
      if (!(outcome.error instanceof ConnectionLost)) throw outcome.error
      attempt()
    }
    throw new Error('what was asked for never ends')
  }

  #client(name: string): SimClient {
    const random = new SeededRandom(this.world.random.below(2 ** 31))
    return new SimClient(this.world, this.model, name, random, () => this.#isEnding)
  }

  async #createTopics(): Promise<void> {
    const small = { 'internal.segment.bytes': String(SEGMENT_BYTES) }
    const policy = this.#options.seed % 2 === 0 ? 'compact' : 'compact,delete'
    const configs: Record<string, Record<string, string>> = {
      orders: small,
      source: small,
      copies: small,
      table: { ...small, 'cleanup.policy': policy, 'delete.retention.ms': '2000', 'retention.ms': '60000' },
    }
    const topics = Object.entries(configs).map(([name, config]) => ({
      name,
      numPartitions: ALL.filter((partition) => split(partition).topic === name).length,
      replicationFactor: 1,
      assignments: [],
      configs: Object.entries(config).map(([key, value]) => ({ name: key, value })),
    }))
    await this.#alone((client) =>
      client.ask(
        [CreateTopicsRequest, CreateTopicsResponse, 5] as const,
        { topics, timeoutMs: 1000, validateOnly: false },
        (answer) => answer.topics.find(({ errorCode }) => errorCode !== ErrorCode.NONE)?.errorCode,
      ),
    )
    await this.#alone((client) => client.findCoordinator(0, 'classic'))
    await this.#alone((client) => client.findCoordinator(1, COPIER))
    const resources = ['__consumer_offsets', '__transaction_state'].map((resourceName) => ({
      resourceType: TOPIC_RESOURCE,
      resourceName,
      configs: [{ name: 'internal.segment.bytes', configOperation: 0, value: String(SEGMENT_BYTES) }],
    }))
    await this.#alone((client) =>
      client.ask(
        [IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, 1] as const,
        { resources, validateOnly: false },
        ({ responses }) => responses.find(({ errorCode }) => errorCode !== ErrorCode.NONE)?.errorCode,
      ),
    )
  }

  #startClients(): void {
    const run = (name: string, task: (client: SimClient) => Promise<void>): void => {
      const client = this.#client(name)
      this.#clients.push(client)
      this.#running.add(name)
      task(client).then(
        () => this.#running.delete(name),
        (error: unknown) => this.world.report(`${name}: ${error instanceof Error ? error.stack : error}`),
      )
    }
    const partitions = [...ORDERS, SOURCE]
    for (const [index, name] of TRANSACTIONAL.entries()) {
      run(name, (client) => runTransactional(client, { isNew: index % 2 === 0, partitions, keyed: TABLE }))
    }
    run('idempotent', (client) => runIdempotent(client, partitions, TABLE))
    run('plain', (client) => runPlain(client, ORDERS, TABLE))
    run(COPIER, (client) => runCopier(client, this.#copying))
    for (const partition of [ORDERS[0], COPIES, TABLE]) this.#addReader(run, partition, true)
    for (const partition of [ORDERS[1], TABLE]) this.#addReader(run, partition, false)
    const classic = new Beliefs('classic', this.model.problems)
    const modern = new Beliefs('modern', this.model.problems)
    this.#beliefs.push(classic, modern)
    for (const index of [0, 1]) run(`classic-${index}`, (client) => runClassicMember(client, classic, ORDERS))
    for (const index of [0, 1, 2]) {
      run(`modern-${index}`, (client) => runConsumerMember(client, modern, ['orders', 'source']))
    }
    run('deleter', (client) => this.#deleteRecords(client))
  }

  #addReader(
    run: (name: string, task: (client: SimClient) => Promise<void>) => void,
    partition: string,
    isCommitted: boolean,
  ): void {
    const reading: Reading = { partition, isCommitted, seen: [], position: 0 }
    this.#readings.push(reading)
    run(`reader of ${partition} ${isCommitted}`, (client) => runReader(client, reading))
  }

  /** Now and then the oldest records are given up. */
  async #deleteRecords(client: SimClient): Promise<void> {
    while (!client.isEnding()) {
      for (let pause = 0; pause < 10 && !client.isEnding(); pause++) await client.rest()
      // Where only compaction removes records, nobody else may.
      const partition = client.chance(0.5) || this.#options.seed % 2 === 0 ? ORDERS[0] : TABLE
      const { topic, index } = split(partition)
      const call = [DeleteRecordsRequest, DeleteRecordsResponse, 2] as const
      try {
        const end = await client.offsetAt(partition, -1)
        const offset = Math.floor(end * client.random.next() * 0.5)
        const topics = [{ name: topic, partitions: [{ partitionIndex: index, offset }] }]
        const answer = await client.ask(call, { topics, timeoutMs: 1000 }, (deleted) => {
          return deleted.topics[0]?.partitions[0]?.errorCode
        })
        const lowWatermark = answer.value.topics[0]!.partitions[0]!.lowWatermark
        this.model.deletedTo.set(partition, Math.max(lowWatermark, this.model.deletedTo.get(partition) ?? 0))
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error
      }
    }
  }

  // ---- what goes wrong ----------------------------------------------------------------------------------------

  /** True if the history is over. */
  async #disturb(): Promise<boolean> {
    const { world } = this
    // As much trouble in a short history as in a long one.
    const dice = (world.random.next() * this.#options.steps) / USUAL_STEPS
    if (dice < 0.003) world.process.disk.dieAfter(world.random.below(30))
    else if (dice < 0.005) await world.kill()
    else if (dice < 0.006) await world.restartCleanly()
    else if (dice < 0.008 && world.settings.weather.writeFails > 0) {
      world.counts.diskFull++
      world.memory.capacityBytes = world.memory.usedBytes + world.random.below(2000)
    } else if (dice < 0.012) world.memory.capacityBytes = Number.POSITIVE_INFINITY
    else if (dice < 0.014 && this.#losesPower) return this.#losePower()
    return false
  }

  /** With durability `fsync` one more thing that happens; otherwise the end, with what may be expected then. */
  async #losePower(): Promise<boolean> {
    const { world } = this
    if (world.settings.durability === 'fsync') {
      await world.losePower()
      return false
    }
    const before = new Map<string, readonly string[]>()
    for (const partition of [...ORDERS, SOURCE, COPIES]) before.set(partition, this.#batchesOf(partition))
    await world.losePower()
    for (const [partition, batches] of before) {
      const after = this.#batchesOf(partition)
      const known = batches.slice(Math.max(0, batches.indexOf(after[0] ?? '')))
      // Behind what is left there may be markers of transactions that had ended, written by the start.
      const left = after.findIndex((batch, index) => batch !== known[index])
      const added = left < 0 ? [] : after.slice(left)
      const isMarker = (batch: string) => (Buffer.from(batch, 'base64').readInt16BE(ATTRIBUTES_AT) & CONTROL_BIT) !== 0
      if (!added.every(isMarker)) world.report(`${partition} is no beginning of what it was before the power loss`)
    }
    return true
  }

  #batchesOf(partition: string): readonly string[] {
    const { topic, index } = split(partition)
    const log = this.world.process.context?.partitions.get(topic, index)?.log
    if (log == null) return []
    const found: string[] = []
    for (const segment of log.segments.all) {
      const bytes = this.world.memory.readWhole(segment.path)?.subarray(0, segment.sizeBytes) ?? Buffer.alloc(0)
      for (let at = 0; at + 61 <= bytes.length; ) {
        const size = 12 + bytes.readInt32BE(at + 8)
        found.push(bytes.toString('base64', at, at + size))
        at += size
      }
    }
    return found
  }

  // ---- invariants ---------------------------------------------------------------------------------------------

  #checkLogs(): void {
    for (const { topic, index, log } of this.world.process.context?.partitions.all() ?? []) {
      if (log !== null) this.#checkLog(`${topic}-${index}`, log)
    }
  }

  #checkLog(name: string, log: Log): void {
    const { logStartOffset, highWatermark, lastStableOffset, writtenOffset, logEndOffset, recoveryPoint } = log
    const isOrdered =
      logStartOffset <= highWatermark &&
      lastStableOffset <= highWatermark &&
      highWatermark <= writtenOffset &&
      writtenOffset <= logEndOffset &&
      recoveryPoint <= writtenOffset
    const offsets = () =>
      JSON.stringify({ logStartOffset, lastStableOffset, highWatermark, writtenOffset, logEndOffset })
    if (!isOrdered) this.world.report(`${name}: offsets out of order: ${offsets()}`)
    const mark = this.#marks.get(name)
    if (mark === undefined) {
      this.#marks.set(name, { highWatermark, lastStableOffset })
      return
    }
    if (highWatermark < mark.highWatermark || lastStableOffset < mark.lastStableOffset) {
      this.world.report(`${name}: an end went back from ${JSON.stringify(mark)} to ${offsets()}`)
    }
    mark.highWatermark = highWatermark
    mark.lastStableOffset = lastStableOffset
  }

  // ---- the end ------------------------------------------------------------------------------------------------

  async #end(): Promise<void> {
    const { world } = this
    this.#isEnding = true
    world.note('the end begins')
    await world.calmDown(CALM_MS)
    // After a sync that failed, or a log that could not be opened, only a restart finds out what there is.
    const isBroken = [...world.process.context!.partitions.all()].some(({ log }) => log === null || log.syncBroken)
    if (isBroken) await world.kill()
    if (isBroken) await world.calmDown(CALM_MS)
    await world.settle()
    if (this.#running.size > 0) {
      world.report(`${[...this.#running].join(', ')} wait for ever; under way: ${world.describeWires()}`)
    }
    this.#checkLogs()
    await this.#checkPromises('when all is quiet')
    await world.calmDown(SETTLE_MS)
    const before = this.#state()
    await world.kill()
    await world.calmDown(SETTLE_MS)
    this.#compare(before, this.#state(), 'a kill')
    await this.#checkPromises('after a kill')
    await world.restartCleanly()
    await world.calmDown(SETTLE_MS)
    this.#compare(before, this.#state(), 'a clean stop')
    if (world.settings.durability === 'fsync') {
      await world.losePower()
      await this.#checkPromises('after a power loss')
    }
  }

  async #checkPromises(when: string): Promise<void> {
    const { world, model } = this
    const views = new Map<string, PartitionView>()
    const positions = new Map<string, number>()
    for (const partition of ALL) views.set(partition, await this.#view(partition))
    for (const name of TRANSACTIONAL) positions.set(`group-${name}`, await this.#position(`group-${name}`, ORDERS[0]))
    positions.set(`group-${COPIER}`, await this.#position(`group-${COPIER}`, SOURCE))
    const known = model.problems.length
    model.check(views, positions)
    this.#checkCopies(views, positions.get(`group-${COPIER}`)!)
    for (const reading of this.#readings) this.#checkReading(reading, views.get(reading.partition)!)
    for (const beliefs of this.#beliefs) await this.#checkGroup(beliefs)
    for (let index = known; index < model.problems.length; index++) model.problems[index] += ` (${when})`
    for (const { topic, index, log } of world.process.context!.partitions.all()) {
      if (log !== null && log.lastStableOffset < log.highWatermark) {
        world.report(
          `${topic}-${index}: a transaction never ended: ${log.lastStableOffset} of ${log.highWatermark} (${when})`,
        )
      }
    }
  }

  #position(group: string, partition: string): Promise<number> {
    return this.#alone((client) => client.position(group, partition))
  }

  async #view(partition: string): Promise<PartitionView> {
    const logStart = await this.#alone((client) => client.offsetAt(partition, -2))
    const read = (isCommitted: boolean) => this.#alone((client) => readWhole(client, partition, logStart, isCommitted))
    return { logStart, all: await read(false), committed: await read(true) }
  }

  /** Exactly once and in order, up to the committed position. */
  #checkCopies(views: ReadonlyMap<string, PartitionView>, position: number): void {
    const { committed } = this.#copying
    if (Math.max(0, position) < committed) this.model.problems.push(`the copier is at ${position}, was at ${committed}`)
    const source = views.get(SOURCE)!.committed.filter(({ offset }) => offset < position)
    const copies = views.get(COPIES)!.committed.map(({ value }) => value.slice(0, value.lastIndexOf('/')))
    const wanted = source.map(({ value }) => value)
    if (copies.join() !== wanted.join()) {
      this.model.problems.push(
        `copied up to ${position}: ${copies.length} of ${wanted.length} records, or not the same`,
      )
    }
  }

  /** What was read while it happened is what there is now, without gaps. */
  #checkReading({ partition, isCommitted, seen, position }: Reading, view: PartitionView): void {
    const { problems } = this.model
    for (const [index, { offset }] of seen.entries()) {
      if (offset <= (seen[index - 1]?.offset ?? -1)) problems.push(`${partition}: a reader got ${offset} out of order`)
    }
    if (partition === TABLE) return
    const now = (isCommitted ? view.committed : view.all).filter(({ offset }) => offset < position)
    const then = seen.filter(({ offset }) => offset >= view.logStart)
    const text = (records: readonly SeenRecord[]) => records.map(({ offset, value }) => `${value}@${offset}`).join(' ')
    if (text(now) !== text(then))
      problems.push(`${partition}: a reader saw [${text(then)}], now there is [${text(now)}]`)
  }

  async #checkGroup({ group, committed }: Beliefs): Promise<void> {
    for (const [owned, least] of committed) {
      const { topic, index } = split(owned)
      const topicId = topic.slice(topic.indexOf(':') + 1)
      const name = this.world.process.context!.image.topicById(topicId)?.name ?? topic
      const partition = `${name}-${index}`
      const position = await this.#position(group, partition)
      if (position < least) this.model.problems.push(`${group} is at ${position}, ${least} was acknowledged`)
    }
  }

  /** Everything that a restart must find again. */
  #state(): Map<string, string> {
    const state = new Map<string, string>()
    const { partitions, groups, transactions } = this.world.process.context!
    for (const { topic, index, log } of partitions.all()) {
      if (log === null) continue
      const { logStartOffset, highWatermark, lastStableOffset } = log
      // Compaction forgets those of which nothing is left.
      const aborted = log.config.cleanupPolicy.compact ? [] : log.abortedTransactions(logStartOffset, highWatermark)
      // Of whom nothing is left in the log, a start after a kill need not know.
      const isKnown = (producerId: number) =>
        (log.producers.get(producerId)?.batches.at(-1)?.lastOffset ?? 0) >= logStartOffset
      const producers = log
        .activeProducers()
        .filter(({ producerId }) => isKnown(producerId))
        .sort((one, other) => one.producerId - other.producerId)
      state.set(`${topic}-${index}`, Bun.inspect({ logStartOffset, highWatermark, lastStableOffset, aborted }))
      state.set(`producers of ${topic}-${index}`, Bun.inspect(producers, { depth: 9 }))
    }
    for (const index of [0, 1]) {
      const ids = [...(transactions.shard(index)?.transactions.values() ?? [])]
        .map(({ partitions, ...entry }) => {
          // Not in the log, or in another order of its fields after a load.
          const kept = Object.entries({ ...entry, lastProducerEpoch: -1 }).sort(([one], [other]) =>
            one < other ? -1 : 1,
          )
          return { transactionalId: entry.transactionalId, kept, partitions: [...partitions] }
        })
        .sort((one, other) => (one.transactionalId < other.transactionalId ? -1 : 1))
      state.set(`transactional ids ${index}`, Bun.inspect(ids, { depth: 9 }))
      const durable = groups.shard(index)?.durable
      state.set(`positions ${index}`, Bun.inspect(sortedPositions(durable?.offsets ?? new Map()), { depth: 9 }))
      const epochs = [...(durable?.consumerGroups.values() ?? [])].map(({ epoch, assignmentEpoch }) => [
        epoch,
        assignmentEpoch,
      ])
      state.set(`group epochs ${index}`, Bun.inspect(epochs))
    }
    return state
  }

  #compare(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>, what: string): void {
    for (const [name, value] of before) {
      if (after.get(name) !== value) {
        this.world.report(`${name} is not the same after ${what}:\n${value}\n${after.get(name)}`)
      }
    }
  }
}

function sortedPositions(offsets: ReadonlyMap<string, ReadonlyMap<string, ReadonlyMap<number, unknown>>>): unknown {
  const sorted = <Value>(map: ReadonlyMap<string, Value>) => [...map].sort(([one], [other]) => (one < other ? -1 : 1))
  return sorted(offsets).map(([group, topics]) => [
    group,
    sorted(topics).map(([topic, partitions]) => [topic, [...partitions].sort(([one], [other]) => one - other)]),
  ])
}

async function readWhole(
  client: SimClient,
  partition: string,
  from: number,
  isCommitted: boolean,
): Promise<SeenRecord[]> {
  const end = await client.offsetAt(partition, -1, isCommitted)
  const whole: SeenRecord[] = []
  for (let position = from; position < end; ) {
    const read = await client.fetch(partition, position, isCommitted)
    if (read === null) throw new Error(`${partition}: ${position} cannot be read`)
    if (read.nextOffset === position) break
    whole.push(...read.records)
    position = read.nextOffset
  }
  return whole
}
