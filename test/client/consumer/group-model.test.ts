/**
 * Members of both protocols against a model of a coordinator: random joins, crashes, leaves, lost requests, lost answers, slow
 * revocations and time. At every moment no partition has two owners; when the trouble ends, all of them have exactly one, soon.
 */
import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { cooperativeStickyAssignor } from '../../../src/client/consumer/group/assignors/cooperative-sticky.ts'
import { rangeAssignor } from '../../../src/client/consumer/group/assignors/range.ts'
import { ClassicEngine } from '../../../src/client/consumer/group/classic-engine.ts'
import { ConsumerEngine } from '../../../src/client/consumer/group/consumer-engine.ts'
import type { GroupAction, GroupEngine, GroupEvent } from '../../../src/client/consumer/group/engine.ts'
import { fuzzRounds, Random } from '../../support/random.ts'
import { ClassicCoordinator, type ModelCoordinator, ModernCoordinator } from './model-coordinators.ts'

const SESSION_MS = 1_000
const HEARTBEAT_MS = 100
const REBALANCE_MS = 2_000
const LATENCY_MS_MAX = 20
const REVOCATION_MS_MAX = 600
const PARTITIONS = 7
const STEP_MS = 5
const TROUBLE_MS = 20_000
const CALM_MS = 15_000

type Kind = 'eager' | 'cooperative' | 'consumer'

class Model {
  nowMs = 0
  trouble = true
  readonly engines = new Map<number, GroupEngine>()
  private readonly agenda: { atMs: number; order: number; run: () => void }[] = []
  private readonly arrivals = new Map<number, number>()
  private readonly lost: (() => void)[] = []
  private order = 0
  private nextMember = 0
  private readonly coordinator: ModelCoordinator & { readonly size: number }
  private readonly kind: Kind
  private readonly random: Random

  constructor(kind: Kind, random: Random) {
    this.kind = kind
    this.random = random
    this.coordinator =
      kind === 'consumer'
        ? new ModernCoordinator(SESSION_MS, PARTITIONS)
        : new ClassicCoordinator(SESSION_MS, REBALANCE_MS)
  }

  start(): void {
    const id = this.nextMember++
    const engine = this.makeEngine(id)
    this.engines.set(id, engine)
    this.dispatch(id, { type: 'subscribe', subscription: { topics: ['t'], pattern: null } })
  }

  /** Without a word; what it was about to hear is lost with it. */
  crash(id: number): void {
    this.engines.delete(id)
  }

  dispatch(id: number, event: GroupEvent): void {
    const engine = this.engines.get(id)
    if (engine === undefined) return
    for (const action of engine.handle(event, this.nowMs)) this.carryOut(id, action)
    for (const done of this.lost.splice(0)) done()
    if (engine.phase === 'left') this.engines.delete(id)
  }

  run(untilMs: number, each: () => void): void {
    while (this.nowMs < untilMs) {
      this.nowMs += STEP_MS
      for (const [id, engine] of this.engines) if (engine.deadlineMs <= this.nowMs) this.dispatch(id, { type: 'tick' })
      this.coordinator.pass(this.nowMs)
      this.agenda.sort((one, other) => one.atMs - other.atMs || one.order - other.order)
      while (this.agenda.length > 0 && this.agenda[0]!.atMs <= this.nowMs) this.agenda.shift()!.run()
      this.assertSingleOwners()
      each()
    }
  }

  owners(): Map<number, number[]> {
    const owners = new Map<number, number[]>()
    for (const [id, engine] of this.engines) {
      for (const { partition } of engine.owned()) owners.set(partition, [...(owners.get(partition) ?? []), id])
    }
    return owners
  }

  describe(): string {
    return [...this.engines]
      .map(([id, engine]) => `${id} ${engine.phase} [${engine.owned().map(({ partition }) => partition)}]`)
      .join('; ')
  }

  private assertSingleOwners(): void {
    for (const [partition, ids] of this.owners()) {
      if (ids.length > 1)
        throw new Error(`at ${this.nowMs} partition ${partition} belongs to ${ids}: ${this.describe()}`)
    }
  }

  private makeEngine(id: number): GroupEngine {
    const shared = {
      groupId: 'g',
      instanceId: null,
      rackId: null,
      sessionTimeoutMs: SESSION_MS,
      rebalanceTimeoutMs: REBALANCE_MS,
      retryBackoffMs: 50,
    }
    if (this.kind === 'consumer')
      return new ConsumerEngine({ ...shared, memberId: `member${id}`, serverAssignor: null })
    const assignors = [
      this.kind === 'eager' ? { ...rangeAssignor, name: 'cooperative-sticky' } : cooperativeStickyAssignor,
    ]
    return new ClassicEngine({ ...shared, heartbeatIntervalMs: HEARTBEAT_MS, assignors })
  }

  private later(delayMs: number, run: () => void): void {
    this.agenda.push({ atMs: this.nowMs + delayMs, order: this.order++, run })
  }

  private carryOut(id: number, action: GroupAction): void {
    const soon = (): number => 1 + this.random.below(LATENCY_MS_MAX)
    switch (action.type) {
      case 'send': {
        const { attempt } = action
        const lost = (): boolean => this.trouble && this.random.chance(0.03)
        const unanswered = (): void => this.later(soon(), () => this.dispatch(id, { type: 'unanswered', attempt }))
        if (lost()) {
          unanswered()
          break
        }
        // Requests of one member arrive in the order in which they were sent: they share a connection.
        const arrivesMs = Math.max(this.nowMs + soon(), this.arrivals.get(id) ?? 0)
        this.arrivals.set(id, arrivesMs)
        this.later(arrivesMs - this.nowMs, () =>
          this.coordinator.receive(
            action.request,
            (response) => {
              if (lost()) unanswered()
              else this.later(soon(), () => this.dispatch(id, { type: 'answered', attempt, response }))
            },
            this.nowMs,
          ),
        )
        break
      }
      case 'compute': {
        const assignor = this.kind === 'eager' ? rangeAssignor : cooperativeStickyAssignor
        const assignments = assignor.assign({ members: action.members, partitionCount: () => PARTITIONS })
        this.later(soon(), () => this.dispatch(id, { type: 'computed', attempt: action.attempt, assignments }))
        break
      }
      case 'resolve':
        this.later(soon(), () =>
          this.dispatch(id, { type: 'resolved', names: new Map([[ModernCoordinator.TOPIC_ID, 't']]) }),
        )
        break
      case 'revoke': {
        const takesMs = 1 + this.random.below(this.random.chance(0.2) ? REVOCATION_MS_MAX : LATENCY_MS_MAX)
        const done = (): void => this.dispatch(id, { type: 'revoked', round: action.round })
        // What is lost is no longer the member's from that moment on.
        if (action.lost) this.lost.push(done)
        else this.later(takesMs, done)
        break
      }
      case 'failed':
      case 'unsupported':
        throw new Error(`member ${id} failed with ${action.errorCode}`)
      case 'assign':
      case 'forgetCoordinator':
      case 'left':
        break
    }
  }
}

function trouble(model: Model, random: Random): void {
  const ids = [...model.engines.keys()]
  if (ids.length < 5 && random.chance(0.002)) model.start()
  if (ids.length > 1 && random.chance(0.0005)) model.crash(random.pick(ids))
  if (ids.length > 1 && random.chance(0.001)) model.dispatch(random.pick(ids), { type: 'leave' })
  if (ids.length > 0 && random.chance(0.001)) model.dispatch(random.pick(ids), { type: 'rejoin' })
  if (ids.length > 0 && random.chance(0.0005)) {
    const id = random.pick(ids)
    model.dispatch(id, { type: 'overdue' })
    model.dispatch(id, { type: 'polled' })
  }
}

/** `parked` members wait for their application; here it always comes back. */
function wakeParked(model: Model): void {
  for (const [id, { phase }] of model.engines) if (phase === 'parked') model.dispatch(id, { type: 'polled' })
}

setDefaultTimeout(120_000)

describe.each(['eager', 'cooperative', 'consumer'] as const)('%s members', (kind) => {
  test('never share a partition, and are never stuck', () => {
    for (let round = 0; round < fuzzRounds(6); round++) {
      const seed = 1 + round * 7919
      const random = new Random(seed)
      const model = new Model(kind, random)
      model.start()
      model.start()
      try {
        model.run(TROUBLE_MS, () => {
          trouble(model, random)
          wakeParked(model)
        })
        model.trouble = false
        if (model.engines.size === 0) model.start()
        model.run(TROUBLE_MS + CALM_MS, () => wakeParked(model))
        const state = model.describe()
        expect(
          [...model.engines.values()].every(({ phase }) => phase === 'stable'),
          state,
        ).toBe(true)
        expect(model.owners().size, state).toBe(PARTITIONS)
      } catch (error) {
        throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
      }
    }
  })
})
