/**
 * Threads of an application join, heartbeat, lose answers, go silent and come back, while topics grow, over a log that refuses and loses
 * what it had not written when the process dies. Whatever happens:
 * - no two of them believe that they have the same task active, and no process has a task twice;
 * - the state after a crash is the durable part of the state before it;
 * - when it is quiet again the group is stable, every task is active exactly once, and there are the standbys that were asked for.
 */
import { expect, test } from 'bun:test'
import type { StreamsGroup } from '../../../../src/coordinator/group/streams/group.ts'
import { ErrorCode } from '../../../../src/protocol/errors.ts'
import type { SeededRandom } from '../../../../src/storage/random-seeded.ts'
import { fuzzRounds } from '../../../support/random.ts'
import type { GroupTest } from '../../group-test.ts'
import { settle, streamsTest, Thread } from './streams-test.ts'

const STEPS = 200
const SESSION_MS = 45_000
const PROCESSES = ['p', 'q', 'r']

/** Everything that a restart must find again. */
function dump(group: StreamsGroup | undefined): unknown {
  if (group === undefined) return null
  const { epoch, metadataHash, assignmentEpoch, assignedAtMs, validatedTopologyEpoch, topology, state } = group
  const sorted = <Value>(map: ReadonlyMap<string, Value>): [string, Value][] =>
    [...map].sort(([one], [other]) => (one < other ? -1 : 1))
  return {
    ...{ epoch, metadataHash, assignmentEpoch, assignedAtMs, validatedTopologyEpoch, topology, state },
    ...{ members: sorted(group.members), targets: sorted(group.targets) },
    configs: sorted(group.assignmentConfigs),
  }
}

class Simulation {
  readonly groups: GroupTest
  readonly random: SeededRandom
  readonly counts = { joined: 0, fenced: 0, crashes: 0, refusals: 0, lost: 0 }
  /** Those that are in the group, as far as they know. */
  readonly threads: Thread[] = []
  #names = 0
  #orders = 3

  constructor(seed: number) {
    this.groups = streamsTest({ seed })
    this.random = this.groups.random
    const settings = { assignmentIntervalMs: seed % 2 === 0 ? 0 : 1_000, standbyReplicas: seed % 3 }
    const initialRebalanceDelayMs = seed % 4 === 0 ? 3_000 : 0
    this.groups.streamsSettings.set('group', { ...settings, initialRebalanceDelayMs })
  }

  get group(): StreamsGroup | undefined {
    const group = this.groups.shard.groups.get('group')
    return group?.type === 'streams' ? group : undefined
  }

  #pick(): Thread | undefined {
    return this.threads[this.random.below(this.threads.length)]
  }

  step(): void {
    const thread = this.#pick()
    switch (this.random.below(12)) {
      case 0:
      case 1:
        if (this.threads.length < 6) this.#join()
        break
      case 2:
        if (thread !== undefined) this.#leave(thread)
        break
      case 3:
        // It is gone, and nobody is told.
        if (thread !== undefined) this.#forget(thread)
        break
      case 4:
        if (thread !== undefined) this.#loseAnswer(thread)
        break
      case 5:
        this.#crash(thread)
        break
      case 6:
        this.#refuse(thread)
        break
      case 7:
        this.#grow()
        break
      default:
        this.#pass()
    }
    this.check()
  }

  #join(): void {
    const processId = PROCESSES[this.random.below(PROCESSES.length)]!
    const thread = new Thread(this.groups, `thread-${this.#names++}`, { processId })
    if (thread.join().errorCode !== ErrorCode.NONE) return
    this.counts.joined++
    this.threads.push(thread)
  }

  #leave(thread: Thread): void {
    thread.leave()
    this.#forget(thread)
  }

  #forget(thread: Thread): void {
    this.threads.splice(this.threads.indexOf(thread), 1)
  }

  /** A heartbeat whose answer never comes: the member says everything again. */
  #loseAnswer(thread: Thread): void {
    thread.call(thread.owning())
    this.counts.lost++
    this.#own(thread)
  }

  #own(thread: Thread): void {
    const { errorCode } = thread.own()
    const isFenced = errorCode === ErrorCode.FENCED_MEMBER_EPOCH || errorCode === ErrorCode.UNKNOWN_MEMBER_ID
    if (!isFenced) return
    this.counts.fenced++
    this.#forget(thread)
  }

  /** What was decided last is not in the log. */
  #crash(thread: Thread | undefined): void {
    const before = dump(this.group)
    this.groups.log.isHeld = true
    thread?.call(thread.owning())
    this.groups.crash()
    this.groups.log.isHeld = false
    this.counts.crashes++
    expect(dump(this.group)).toEqual(before)
  }

  #refuse(thread: Thread | undefined): void {
    this.groups.log.refuseWith = ErrorCode.KAFKA_STORAGE_ERROR
    thread?.call(thread.owning())
    this.groups.log.refuseWith = ErrorCode.NONE
    this.counts.refusals++
  }

  #grow(): void {
    if (this.#orders > 8) return
    this.#orders++
    this.groups.setTopic('sums', this.#orders)
    this.groups.setTopic('orders', this.#orders)
  }

  #pass(): void {
    this.groups.sleep(1 + this.random.below(2_000))
    for (const thread of [...this.threads]) this.#own(thread)
  }

  check(): void {
    const active = new Map<string, string>()
    const inProcess = new Set<string>()
    for (const thread of this.threads) {
      for (const task of thread.tasks('active')) {
        expect(`${task} of ${active.get(task) ?? thread.memberId}`).toBe(`${task} of ${thread.memberId}`)
        active.set(task, thread.memberId)
      }
      for (const task of [...thread.tasks('active'), ...thread.tasks('standby')]) {
        expect(inProcess.has(`${thread.processId} ${task}`)).toBe(false)
        inProcess.add(`${thread.processId} ${task}`)
      }
    }
  }

  /** Everybody who is silent is gone, those who are there have agreed. */
  quieten(): void {
    for (let round = 0; round < 30; round++) {
      this.groups.sleep(SESSION_MS / 15)
      for (const thread of [...this.threads]) this.#own(thread)
    }
    if (this.threads.length === 0) this.#join()
    for (let round = 0; round < 5; round++) {
      this.groups.sleep(4_000)
      settle(this.threads)
    }
  }
}

for (let round = 0; round < fuzzRounds(8); round++) {
  test(`streams groups under faults, seed ${round}`, () => {
    const simulation = new Simulation(round)
    for (let step = 0; step < STEPS; step++) simulation.step()
    simulation.quieten()
    simulation.check()
    const { group, threads, counts } = simulation
    expect(group?.state).toBe('Stable')
    expect(group?.size).toBe(threads.length)
    const tasks = (role: 'active' | 'standby'): string[] => threads.flatMap((thread) => thread.tasks(role)).toSorted()
    const orders = simulation.groups.topics.get('orders')!.partitions
    const stateful = Array.from({ length: orders }, (_, partition) => `0_${partition}`)
    expect(tasks('active')).toEqual([...stateful, '1_0', '1_1'].toSorted())
    const processes = new Set(threads.map(({ processId }) => processId)).size
    const replicas = Math.min(round % 3, processes - 1)
    expect(tasks('standby')).toEqual(stateful.flatMap((task) => new Array<string>(replicas).fill(task)).toSorted())
    for (const what of ['joined', 'crashes', 'refusals', 'lost'] as const) expect(counts[what]).toBeGreaterThan(0)
  })
}
