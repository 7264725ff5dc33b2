/**
 * The simulated world: one broker after the other over one disk, clients' wires, and time. Nothing happens in it but what `step` chooses by the
 * seed: a request arrives, a turn of the event loop ends, an operation of the disk lands, time passes, the process dies.
 *
 * A history is repeatable because all that is left to the runtime is the order of microtasks, which is fixed.
 */
import { MemoryMetadataStore } from '../../src/metadata/store-memory.ts'
import { type BrokerValue, brokerKey, encodeValue } from '../../src/metadata/values.ts'
import { ManualClock } from '../../src/storage/clock-manual.ts'
import { DiskError } from '../../src/storage/disk.ts'
import { MemoryDisk } from '../../src/storage/disk-memory.ts'
import { SeededRandom } from '../../src/storage/random-seeded.ts'
import { SimProcess } from './process.ts'
import { CALM, type DiskWeather } from './process-disk.ts'
import { Wire, type WireHost } from './wire.ts'

const START_MS = 1_700_000_000_000
/** A start that takes more steps than this hangs. */
const START_STEPS_MAX = 20_000
const LINES_KEPT = 4000
/** Requests that arrive at a time. */
const DELIVERIES_MAX = 3
/** Of those who rest, at a time. */
const WAKES_MAX = 5

/** Time passes as it is asked for, so that slices of background work end. */
class TickingClock extends ManualClock {
  #ticks = 0

  override monotonic(): number {
    this.#ticks += 0.05
    return super.monotonic() + this.#ticks
  }
}

export interface WorldSettings {
  readonly seed: number
  readonly durability: 'os' | 'fsync'
  readonly writeMode: 'buffered' | 'direct'
  /** Of the broker, by Kafka's names. */
  readonly settings: ReadonlyMap<string, string>
  readonly weather: DiskWeather
}

export class World implements WireHost {
  readonly settings: WorldSettings
  readonly random: SeededRandom
  readonly clock = new TickingClock(START_MS)
  readonly memory: MemoryDisk
  readonly store: MemoryMetadataStore
  readonly problems: string[] = []
  readonly counts = { steps: 0, kills: 0, powerLosses: 0, cleanStops: 0, failedStarts: 0, deathsByDisk: 0, diskFull: 0 }
  /** What happened, for who has to find out why. */
  lines: string[] = []
  process!: SimProcess
  weather: DiskWeather = CALM
  #wires: Wire[] = []
  #resting: (() => void)[] = []
  #delivered = 0

  constructor(settings: WorldSettings) {
    this.settings = settings
    this.random = new SeededRandom(settings.seed)
    const directWrites = settings.writeMode === 'direct'
    this.memory = new MemoryDisk({ now: () => this.clock.now(), trackDurable: true, directWrites })
    this.store = new MemoryMetadataStore({ clock: this.clock })
  }

  get now(): number {
    return this.#delivered
  }

  report(problem: string): void {
    this.problems.push(problem)
    this.note(`PROBLEM ${problem}`)
  }

  note(line: string): void {
    this.lines.push(`${this.counts.steps} ${line}`)
    if (this.lines.length > 2 * LINES_KEPT) this.lines = this.lines.slice(-LINES_KEPT)
  }

  chance(share: number): boolean {
    return this.random.next() < share
  }

  // ---- the process --------------------------------------------------------------------------------------------

  /** Starts the broker, again and again where a faulty disk keeps it from starting. */
  async start(): Promise<void> {
    await this.#register()
    for (let attempt = 0; ; attempt++) {
      // A broker that is never let up says nothing.
      if (attempt > 3) this.weather = CALM
      await this.#startOnce()
      if (this.process.context !== null) return
      this.counts.failedStarts++
      this.note(`the start failed: ${this.process.failure}`)
      if (attempt > 10) throw new Error(`the broker does not start: ${this.process.failure}`)
      this.#killed()
    }
  }

  /** For ever: a broker that is found dead is not what is looked at here. */
  async #register(): Promise<void> {
    const key = brokerKey(1)
    const value = encodeValue({ host: 'sim', port: 9092, rack: null, incarnation: 'sim' } satisfies BrokerValue)
    if ((await this.store.get(key)) === null) await this.store.transact({ puts: [{ key, value }] })
  }

  async #startOnce(): Promise<void> {
    const { clock, memory, store, random } = this
    const { durability, settings } = this.settings
    const directWriteBytesMin = 1500
    const log = (line: string) => this.note(line)
    const options = { clock, memory, store, random, durability, settings, log, directWriteBytesMin }
    this.process = new SimProcess(options)
    this.process.disk.weather = this.weather
    this.note('start')
    let isStarted = false
    this.process.start().then(() => {
      isStarted = true
    })
    for (let steps = 0; !isStarted && !this.process.isDead; steps++) {
      if (steps > START_STEPS_MAX) throw new Error('the start hangs')
      await this.settle()
      if (this.process.disk.operationsInTheAir > 0) this.process.disk.landOne()
      else if (steps % 10 === 9) await this.pass(50)
    }
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    this.counts.kills++
    this.note('kill')
    this.#killed()
    await this.start()
  }

  #killed(): void {
    this.process.die()
    this.memory.killProcess((bytes) => this.random.below(bytes + 1))
    this.#cutWires()
  }

  async losePower(): Promise<void> {
    this.counts.powerLosses++
    this.note('power loss')
    this.process.die()
    this.memory.crash((_path, unsynced) => this.random.below(unsynced + 1))
    this.#cutWires()
    await this.start()
  }

  async restartCleanly(): Promise<void> {
    this.counts.cleanStops++
    this.note('clean stop')
    this.process.isOver = true
    this.#cutWires()
    let isStopped = false
    const stopped = this.process.stopCleanly().then(() => {
      isStopped = true
    })
    for (let steps = 0; !isStopped && !this.process.isDead; steps++) {
      if (steps > START_STEPS_MAX) throw new Error('the clean stop hangs')
      await this.settle()
      if (this.process.disk.operationsInTheAir > 0) this.process.disk.landOne()
      else if (steps % 10 === 9) await this.pass(50)
    }
    if (this.process.isDead) {
      this.#killed()
    } else {
      await stopped
      this.process.die()
    }
    await this.start()
  }

  #cutWires(): void {
    const wires = this.#wires
    this.#wires = []
    for (const wire of wires) wire.cut()
  }

  // ---- time ---------------------------------------------------------------------------------------------------

  /** Everything that can go on without the disk, the network and the clock goes on. */
  async settle(): Promise<void> {
    for (let round = 0; round < 50; round++) {
      await new Promise<void>((resolve) => setImmediate(resolve))
      if (this.process.isDead || !this.#endTurn()) return
    }
  }

  /** False if the turn had nothing left to do. */
  #endTurn(): boolean {
    const { timers } = this.process
    if (!timers.hasTurn) return false
    timers.runTurn()
    return true
  }

  /** Time passes; what becomes due on the way fires at its own time. */
  async pass(ms: number): Promise<void> {
    const until = this.clock.now() + ms
    const { process } = this
    while (!process.isDead) {
      const due = process.timers.nextDueMs()
      if (due === null || due > until) break
      process.timers.advance(Math.max(0, due - this.clock.now()))
      await this.settle()
    }
    if (this.clock.now() < until) this.clock.advance(until - this.clock.now())
  }

  // ---- clients ------------------------------------------------------------------------------------------------

  connect(clientId: string, options: { readonly dropsLate: boolean }): Wire {
    const wire = new Wire(this, clientId, options)
    this.#wires.push(wire)
    return wire
  }

  /** Resolves when the simulation feels like it. */
  rest(): Promise<void> {
    return new Promise((resolve) => this.#resting.push(resolve))
  }

  get hasResting(): boolean {
    return this.#resting.length > 0
  }

  wakeSome(): void {
    for (let count = 1 + this.random.below(WAKES_MAX); count > 0; count--) {
      const [wake] = this.#resting.splice(this.random.below(this.#resting.length), 1)
      wake?.()
    }
  }

  deliverOne(): boolean {
    this.#wires = this.#wires.filter((wire) => !wire.isAbandoned || wire.waitingCount > 0 || wire.executingCount > 0)
    const ready = this.#wires.filter((wire) => wire.canDeliver)
    const wire = ready[this.random.below(ready.length)]
    if (wire !== undefined) this.#delivered++
    wire?.deliver()
    return wire !== undefined
  }

  /** How many requests are on their way or being executed. */
  get requestsUnderWay(): number {
    return this.#wires.reduce((sum, wire) => sum + wire.waitingCount + wire.executingCount, 0)
  }

  /** A client that waits is gone, or gives up waiting. */
  breakOne(): void {
    const busy = this.#wires.filter((wire) => !wire.isAbandoned && wire.waitingCount + wire.executingCount > 0)
    const wire = busy[this.random.below(busy.length)]
    wire?.abandon({ drop: this.chance(0.5) })
  }

  // ---- steps --------------------------------------------------------------------------------------------------

  /** One thing happens. */
  async step(): Promise<void> {
    this.counts.steps++
    const dice = this.random.next()
    const { disk } = this.process
    if (dice < 0.55) for (let count = this.random.below(DELIVERIES_MAX); count >= 0; count--) this.deliverOne()
    else if (dice < 0.7 && disk.operationsInTheAir > 0) disk.landOne()
    else if (dice < 0.8 && this.hasResting) this.wakeSome()
    else if (dice < 0.86) await this.pass(1 + this.random.below(30))
    else if (dice < 0.87) await this.pass(200 + this.random.below(2000))
    else if (dice < 0.875) await this.pass(5000 + this.random.below(10_000))
    else if (dice < 0.89) this.breakOne()
    // Several requests often share a turn.
    if (this.chance(0.7)) await this.settle()
    if (this.process.isDead) await this.#reviveAfterDeath()
  }

  /** An error that nobody handled ends a process. That is right only where the disk left it no other way. */
  uncaught(error: unknown): void {
    if (this.process.isDead) return
    if (!(error instanceof DiskError)) {
      this.report(`uncaught: ${error instanceof Error ? error.stack : error}`)
      return
    }
    this.counts.deathsByDisk++
    this.note(`the process ends: ${error.stack}`)
    this.process.disk.die()
  }

  async #reviveAfterDeath(): Promise<void> {
    this.counts.kills++
    this.note('the process died')
    this.#killed()
    await this.start()
  }

  /** The disk gets better, all that is under way ends, everybody who rests gets a turn. */
  async calmDown(ms: number): Promise<void> {
    this.weather = CALM
    this.process.disk.weather = CALM
    this.memory.capacityBytes = Number.POSITIVE_INFINITY
    this.memory.clearFaults()
    const until = this.clock.now() + ms
    for (;;) {
      await this.#letGoOn()
      if (this.clock.now() >= until) return
      const due = this.process.timers.nextDueMs() ?? until
      await this.pass(Math.min(until, Math.max(due, this.clock.now() + 20)) - this.clock.now())
    }
  }

  /** Until nothing is left to do but to wait; for a while only, because some begin anew and anew. */
  async #letGoOn(): Promise<void> {
    for (let round = 0; round < 30; round++) {
      await this.settle()
      if (this.process.isDead) await this.#reviveAfterDeath()
      if (this.process.disk.operationsInTheAir > 0) this.process.disk.landOne()
      else if (this.deliverOne()) continue
      else if (this.hasResting) this.wakeAll()
      else return
    }
  }

  wakeAll(): void {
    for (const wake of this.#resting.splice(0)) wake()
  }

  /** For who looks for what hangs. */
  describeWires(): string {
    return this.#wires
      .map((wire) => wire.describe())
      .filter((line) => line !== '')
      .join('; ')
  }
}
