/**
 * One history: a broker, its clients, and so many steps of whatever the seed makes happen, with the invariants looked at after every step and all
 * promises at the end. What is promised depends on the durability: `os` keeps everything through a kill, `fsync` through a power loss as well. A
 * power loss under `os` ends a history: nothing was promised, but what is there must be a beginning of what was there.
 */
import type { Log } from '../../src/log/log.ts'
import { SeededRandom } from '../../src/storage/random-seeded.ts'
import { Cast, COPIER, TRANSACTIONAL } from './cast.ts'
import { FLEETING, isById, partitionById, SimClient, split, topicIdOf } from './client.ts'
import type { Beliefs } from './members.ts'
import { Model, type PartitionView, type SeenRecord } from './model.ts'
import type { Reading } from './producers.ts'
import { stateToKeep } from './restarted.ts'
import { AGED, AGED_MS, COPIES, ORDERS, PARTITIONS, prepare, SETTINGS, SOURCE, STREAMS_GROUP, TABLE } from './setup.ts'
import { drainShares, type SharingSetup } from './share-members.ts'
import { ConnectionLost } from './wire.ts'
import { World } from './world.ts'

/** Longer than any transaction may be open and any session last. */
const CALM_MS = 25_000
/** For what a start leaves to be done. */
const SETTLE_MS = 100
const SHARE_CALM_MS = 12_000
/** What takes more rounds of calm than this hangs. */
const MOST_ROUNDS = 1000
/** Of one round in which time has to pass. */
const ROUND_MS = 20
const USUAL_STEPS = 600
const DEFAULT_DELIVERY_LIMIT = 5
/** Of a batch's header. */
const ATTRIBUTES_AT = 21
const CONTROL_BIT = 0x20

/** Of these a start that was not told of yet may be forgotten by a kill. */
const MAY_BE_DELETED: ReadonlySet<string> = new Set([ORDERS[0], TABLE])

interface LogMark {
  logStartOffset: number
  highWatermark: number
  lastStableOffset: number
  /** How many there had been. */
  powerLosses: number
}

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

export class History {
  readonly world: World
  readonly model = new Model(new Set([TABLE]))
  readonly #options: HistoryOptions
  readonly #cast: Cast
  readonly #running = new Set<string>()
  /** What the logs' ends were, by log; they never go back. */
  readonly #marks = new Map<string, LogMark>()
  #isEnding = false
  readonly #losesPower: boolean
  /** The disk fails now and then. */
  readonly #isStormy: boolean

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
      settings: SETTINGS,
      weather: { writeFails: share(), syncFails: share() / 4, otherFails: share() / 4 },
    })
    this.#losesPower = random.next() < 0.6
    this.#isStormy = isStormy
    const locksHold = () => !isStormy
    this.#cast = new Cast({ seed, model: this.model, locksHold })
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
      recordsDeleted: [...this.model.deletedTo.values()].filter((offset) => offset > 0).length,
      incarnations: this.#cast.incarnations.count - 1,
      shared: this.#cast.sharing?.ledger.handedOut ?? 0,
      sharedAgain: this.#cast.sharing?.ledger.repeated ?? 0,
      shareAcknowledged: this.#cast.sharing?.ledger.acknowledged ?? 0,
      tasks: this.#cast.beliefs.find(({ group }) => group === STREAMS_GROUP)?.handedOut ?? 0,
      handedOut: this.#cast.beliefs.reduce((sum, { handedOut }) => sum + handedOut, 0),
      groupCommits: this.#cast.beliefs.reduce((sum, { committed }) => sum + committed.size, 0),
      seen: this.#cast.readings.reduce((sum, { seen }) => sum + seen.length, 0),
      stormy: world.settings.weather.writeFails + world.settings.weather.syncFails > 0 ? 1 : 0,
    }
    return { seed: this.#options.seed, problems, lines: world.lines, counts }
  }

  // ---- the beginning ------------------------------------------------------------------------------------------

  /** Runs what one client asks for to its end, while nothing else happens. */
  async #alone<T>(task: (client: SimClient) => Promise<T>, roundMs = 1): Promise<T> {
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
      await this.world.calmDown(roundMs)
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
    const all = (task: (client: SimClient) => Promise<unknown>) => this.#alone(task)
    const { isSharingCommitted, standbys, sharing } = this.#cast
    const deliveryLimit = sharing?.ledger.deliveryLimit ?? DEFAULT_DELIVERY_LIMIT
    await prepare(all, { seed: this.#options.seed, isSharingCommitted, deliveryLimit, standbys })
  }

  #startClients(): void {
    this.#cast.start((name, task) => {
      const client = this.#client(name)
      this.#running.add(name)
      task(client).then(
        () => this.#running.delete(name),
        (error: unknown) => this.world.report(`${name}: ${error instanceof Error ? error.stack : error}`),
      )
    })
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
    for (const { topic, topicId, index, log } of this.world.process.context?.partitions.all() ?? []) {
      if (log === null) continue
      // Of a topic that was made anew nothing is as it was before.
      this.#checkLog(topic === FLEETING ? partitionById(topicId, index) : `${topic}-${index}`, log)
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
    const { powerLosses } = this.world.counts
    const mark = this.#marks.get(name)
    if (mark === undefined) {
      this.#marks.set(name, { logStartOffset, highWatermark, lastStableOffset, powerLosses })
      return
    }
    this.model.removedTo.set(name, Math.max(logStartOffset, this.model.removedTo.get(name) ?? 0))
    if (name === AGED) this.#checkAge(mark.logStartOffset, logStartOffset)
    // Retention need not be on the device: a power loss may bring back what it removed, open transactions included.
    const isBack = logStartOffset < mark.logStartOffset
    if (isBack && mark.powerLosses === powerLosses && !MAY_BE_DELETED.has(name)) {
      this.world.report(`${name}: the start went back from ${mark.logStartOffset} to ${offsets()}`)
    }
    if (highWatermark < mark.highWatermark || (lastStableOffset < mark.lastStableOffset && !isBack)) {
      this.world.report(`${name}: an end went back from ${JSON.stringify(mark)} to ${offsets()}`)
    }
    mark.powerLosses = powerLosses
    mark.logStartOffset = logStartOffset
    mark.highWatermark = highWatermark
    mark.lastStableOffset = lastStableOffset
  }

  /** Retention takes nothing that is younger than it may. */
  #checkAge(from: number, to: number): void {
    if (to <= from) return
    const nowMs = this.world.clock.now()
    for (const { partition, offset, value, sentMs } of this.model.records.values()) {
      if (partition !== AGED || offset === null || offset < from || offset >= to || nowMs - sentMs > AGED_MS) continue
      this.world.report(`${AGED}: ${value} at ${offset} was removed after ${nowMs - sentMs} ms`)
    }
  }

  // ---- the end ------------------------------------------------------------------------------------------------

  async #end(): Promise<void> {
    const { world } = this
    this.#isEnding = true
    world.note('the end begins')
    await world.calmDown(CALM_MS)
    // After a sync that failed, or a log that could not be opened, only a restart finds out what there is. What a disk did not take that nobody
    // waited for, such as the end of positions in a deleted topic, is written by then, too.
    const isBroken = [...world.process.context!.partitions.all()].some(({ log }) => log === null || log.syncBroken)
    if (isBroken || this.#isStormy) {
      await world.kill()
      await world.calmDown(CALM_MS)
    }
    await world.settle()
    if (this.#running.size > 0) {
      world.report(`${[...this.#running].join(', ')} wait for ever; under way: ${world.describeWires()}`)
    }
    this.#checkLogs()
    await this.#drainShares()
    await this.#checkPromises('when all is quiet')
    await world.calmDown(SETTLE_MS)
    const before = stateToKeep(world.process.context!)
    await world.kill()
    await world.calmDown(SETTLE_MS)
    this.#compare(before, stateToKeep(world.process.context!), 'a kill')
    await this.#checkPromises('after a kill')
    await world.restartCleanly()
    await world.calmDown(SETTLE_MS)
    this.#compare(before, stateToKeep(world.process.context!), 'a clean stop')
    await this.#drainShares()
    if (world.settings.durability === 'fsync') {
      await world.losePower()
      await this.#checkPromises('after a power loss')
      await this.#drainShares()
    }
  }

  /** A group that has read everything reads nothing again, whatever happens to its broker. */
  async #drainShares(): Promise<void> {
    const { sharing } = this.#cast
    if (sharing === null) return
    const { image } = this.world.process.context!
    const partitions = sharing.topics.flatMap((name) => {
      const topic = image.topic(name)
      return topic?.partitions.map((_partition, index) => partitionById(topic.topicId, index)) ?? []
    })
    await this.#alone((client) => drainShares(client, sharing, new Set(partitions)), ROUND_MS)
    // What the coordinators write when nobody asks them is written then.
    await this.world.calmDown(SHARE_CALM_MS)
  }

  #checkShares({ ledger, isCommitted }: SharingSetup, views: ReadonlyMap<string, PartitionView>): void {
    const { image } = this.world.process.context!
    for (const [partition, { all, committed }] of views) {
      const { topic, index } = split(partition)
      if (topic !== 'orders' && partition !== SOURCE && !isById(partition)) continue
      const shared = isById(partition) ? partition : partitionById(image.topic(topic)!.topicId, index)
      ledger.checkAllSeen(
        shared,
        (isCommitted ? committed : all).map(({ offset }) => offset),
      )
    }
  }

  /** Of the topic that comes and goes there is only what belongs to the one that is there now. */
  async #checkFleeting(views: Map<string, PartitionView>): Promise<void> {
    const topicId = this.world.process.context!.image.topic(FLEETING)!.topicId
    const partition = `${FLEETING}-0`
    views.set(partitionById(topicId, 0), await this.#view(partition))
    // A disk that refuses writes may keep the group coordinator from ending the positions, and those of transactions do not say which topic
    // they mean.
    if (this.#isStormy) return
    const { incarnations, beliefs } = this.#cast
    const problem = incarnations.problemWith(await this.#position(incarnations.group, partition))
    if (problem !== null) this.model.problems.push(problem)
    for (const { group, tried } of beliefs) {
      if (!tried.has(partitionById(topicId, 0)) && [...tried.keys()].every(isById)) {
        const position = await this.#position(group, partition)
        if (position >= 0) this.model.problems.push(`${group} is at ${position} in a topic where it never was`)
      }
    }
  }

  async #checkPromises(when: string): Promise<void> {
    const { world, model } = this
    const views = new Map<string, PartitionView>()
    const positions = new Map<string, number>()
    for (const partition of PARTITIONS) views.set(partition, await this.#view(partition))
    for (const name of TRANSACTIONAL) positions.set(`group-${name}`, await this.#position(`group-${name}`, ORDERS[0]))
    positions.set(`group-${COPIER}`, await this.#position(`group-${COPIER}`, SOURCE))
    const known = model.problems.length
    await this.#checkFleeting(views)
    model.check(views, positions)
    const { sharing } = this.#cast
    if (sharing !== null) this.#checkShares(sharing, views)
    if (views.get(AGED)!.all.length > 0) model.problems.push(`${AGED} keeps what is too old`)
    this.#checkCopies(views, positions.get(`group-${COPIER}`)!)
    for (const reading of this.#cast.readings) this.#checkReading(reading, views.get(reading.partition)!)
    for (const beliefs of this.#cast.beliefs) await this.#checkGroup(beliefs)
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
    const { committed } = this.#cast.copying
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

  async #checkGroup({ group, committed, tried }: Beliefs): Promise<void> {
    const { image } = this.world.process.context!
    for (const owned of tried.keys()) {
      const { index } = split(owned)
      const topic = isById(owned) ? image.topicById(topicIdOf(owned))?.name : split(owned).topic
      // Its topic is gone; or was, at a time that the name does not tell.
      if (topic === undefined || owned === `${FLEETING}-0`) continue
      const position = await this.#position(group, `${topic}-${index}`)
      const least = committed.get(owned) ?? -1
      if (position < least) this.model.problems.push(`${group} is at ${position}, ${least} was acknowledged`)
      if (position >= 0 && !tried.get(owned)!.has(position)) {
        this.model.problems.push(`${group} is at ${position} in ${owned}, where nobody brought it`)
      }
    }
  }

  #compare(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>, what: string): void {
    for (const [name, value] of before) {
      if (after.get(name) !== value) {
        this.world.report(`${name} is not the same after ${what}:\n${value}\n${after.get(name)}`)
      }
    }
  }
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
