/**
 * Consumers join, heartbeat, change their minds, lose answers, go silent and come back, in a few groups whose topics come and grow, over a log
 * that writes late, fails, and loses what it had not written when the process dies. Whatever happens:
 * - no two of them believe that they have the same partition;
 * - the state after a crash is the durable part of the state before it;
 * - when it is quiet again every group is stable, every partition has exactly one owner, and equal members have equal shares.
 */
import { expect, test } from 'bun:test'
import type { ConsumerGroup } from '../../../../src/coordinator/group/consumer/group.ts'
import { ErrorCode } from '../../../../src/protocol/errors.ts'
import type { SeededRandom } from '../../../../src/storage/random-seeded.ts'
import { fuzzRounds } from '../../../support/random.ts'
import { GroupTest } from '../../group-test.ts'
import { Consumer } from './consumer-test.ts'

const GROUPS = ['group-a', 'group-b']
const STEPS = 600

interface Client {
  readonly groupId: string
  readonly instanceId: string | null
  consumer: Consumer
  topics: string[]
  regex: string
  /** It changed something, or did not hear an answer: it says everything until it hears one. */
  saysEverything: boolean
  phase: 'out' | 'in' | 'silent'
}

/** Everything that a restart must find again. */
function dump(group: ConsumerGroup): unknown {
  const { epoch, metadataHash, assignmentEpoch, assignedAtMs, members, targets, regexes, staticMembers } = group
  const { topicCounts, regexCounts, assignorVotes, classicMemberCount, state } = group
  const sorted = <Value>(map: ReadonlyMap<string, Value>): [string, Value][] =>
    [...map].sort(([one], [other]) => (one < other ? -1 : 1))
  return {
    ...{ epoch, metadataHash, assignmentEpoch, assignedAtMs, classicMemberCount, state },
    ...{ members: sorted(members), targets: sorted(targets), regexes: sorted(regexes) },
    ...{ staticMembers: sorted(staticMembers), topicCounts: sorted(topicCounts) },
    ...{ regexCounts: sorted(regexCounts), assignorVotes: sorted(assignorVotes) },
  }
}

class Simulation {
  readonly groups: GroupTest
  readonly random: SeededRandom
  readonly clients: Client[] = []
  readonly counts = { handed: 0, fenced: 0, crashes: 0, failures: 0 }
  #names = 0

  constructor(seed: number) {
    this.groups = new GroupTest({ seed, partitions: 2 })
    this.random = this.groups.random
    for (const groupId of GROUPS)
      this.groups.settings.set(groupId, { assignmentIntervalMs: seed % 2 === 0 ? 0 : 1_000 })
    for (let index = 0; index < 10; index++) {
      const groupId = GROUPS[index % 2]!
      const instanceId = index % 5 === 4 ? `instance-${index}` : null
      const consumer = this.#consumer(groupId, instanceId)
      this.clients.push({
        groupId,
        instanceId,
        consumer,
        topics: ['orders'],
        regex: '',
        saysEverything: false,
        phase: 'out',
      })
    }
  }

  #consumer(groupId: string, instanceId: string | null): Consumer {
    return new Consumer(this.groups, `member-${this.#names++}`, {
      groupId,
      ...(instanceId === null ? {} : { instanceId }),
    })
  }

  step(): void {
    const { random, groups } = this
    const dice = random.below(1_000)
    if (dice < 60) groups.sleep(random.below(1_500))
    else if (dice < 64) groups.sleep(50_000)
    else if (dice < 70) this.crash()
    else if (dice < 85) this.#failedAppend()
    else if (dice < 95) this.#changeTopic()
    else this.#act(this.clients[random.below(this.clients.length)]!)
    this.checkOwners()
  }

  #changeTopic(): void {
    const name = ['orders', 'payments', 'extra', 'extra-two'][this.random.below(4)]!
    const count = this.groups.topics.get(name)?.partitions ?? 0
    this.groups.setTopic(name, Math.min(count + 1 + this.random.below(2), 9))
  }

  /** The operation that comes next is not written; everybody in that shard starts from the log again. */
  #failedAppend(): void {
    this.groups.log.refuseWith = ErrorCode.KAFKA_STORAGE_ERROR
    this.#act(this.clients[this.random.below(this.clients.length)]!)
    this.groups.log.refuseWith = ErrorCode.NONE
    this.counts.failures++
  }

  #act(client: Client): void {
    const dice = this.random.below(100)
    if (client.phase === 'out') this.#join(client)
    else if (client.phase === 'silent') {
      // It comes back: in time, or too late.
      if (dice < 30) client.phase = 'in'
    } else if (dice < 8) this.#subscribe(client)
    else if (dice < 14) this.#loseAnswer(client)
    else if (dice < 18) client.phase = 'silent'
    else if (dice < 24) this.#leave(client)
    else if (dice < 40 && !client.saysEverything) this.#take(client, client.consumer.beat())
    else this.#own(client)
  }

  #join(client: Client): void {
    const { groupId, instanceId } = client
    // A new process has a new id; one that was fenced keeps it.
    if (this.random.below(2) === 0) client.consumer = this.#consumer(groupId, instanceId)
    const { consumer } = client
    consumer.epoch = 0
    consumer.holds = []
    client.saysEverything = false
    this.#choose(client)
    const fields = { rebalanceTimeoutMs: 5_000 + this.random.below(20_000), subscribedTopicRegex: client.regex }
    this.#take(client, consumer.join(client.topics, fields))
  }

  #choose(client: Client): void {
    client.topics = ['orders', 'payments', 'extra'].filter(() => this.random.below(3) > 0)
    client.regex = this.random.below(4) === 0 ? 'extra.*' : ''
  }

  #subscribe(client: Client): void {
    this.#choose(client)
    client.saysEverything = true
    this.#own(client)
  }

  #own(client: Client): void {
    const { consumer, topics, regex, saysEverything } = client
    const everything = { rebalanceTimeoutMs: 20_000, subscribedTopicNames: topics, subscribedTopicRegex: regex }
    const answer = consumer.beat({ ...(saysEverything ? everything : {}), topicPartitions: consumer.holds })
    client.saysEverything = answer.errorCode !== ErrorCode.NONE
    this.#take(client, answer)
  }

  /** The request arrives, its answer does not. */
  #loseAnswer(client: Client): void {
    const { consumer } = client
    consumer.call({ topicPartitions: consumer.holds })
    client.saysEverything = true
  }

  #leave(client: Client): void {
    const temporarily = client.instanceId !== null && this.random.below(2) === 0
    client.consumer.holds = []
    client.phase = 'out'
    client.consumer.leave(temporarily ? -2 : -1)
    if (client.instanceId !== null) client.consumer = this.#consumer(client.groupId, client.instanceId)
  }

  #take(client: Client, { errorCode }: { readonly errorCode?: number | undefined }): void {
    switch (errorCode) {
      case ErrorCode.NONE:
        client.phase = 'in'
        this.counts.handed++
        return
      case ErrorCode.FENCED_MEMBER_EPOCH:
      case ErrorCode.UNKNOWN_MEMBER_ID:
      case ErrorCode.GROUP_ID_NOT_FOUND:
      case ErrorCode.UNRELEASED_INSTANCE_ID:
      case ErrorCode.FENCED_INSTANCE_ID:
        client.consumer.holds = []
        client.phase = 'out'
        this.counts.fenced++
        return
      case ErrorCode.NOT_COORDINATOR:
      case ErrorCode.COORDINATOR_NOT_AVAILABLE:
        // Tried again with the next step.
        return
      default:
        throw new Error(`unexpected answer ${errorCode}`)
    }
  }

  /** A silent member may not know yet that it lost everything: it is out of the question. */
  checkOwners(): void {
    for (const groupId of GROUPS) {
      const owners = new Map<string, string>()
      for (const { consumer, phase } of this.clients.filter((client) => client.groupId === groupId)) {
        if (phase !== 'in' || !this.#isCurrent(consumer)) continue
        for (const { topicId, partitions } of consumer.holds) {
          for (const partition of partitions) {
            const key = `${topicId}/${partition}`
            if (owners.has(key)) throw new Error(`${key} of ${groupId}: ${owners.get(key)} and ${consumer.memberId}`)
            owners.set(key, consumer.memberId)
          }
        }
      }
    }
  }

  /** Whether the group still counts it: time may have passed over it. */
  #isCurrent(consumer: Consumer): boolean {
    return this.groups.consumerGroup(consumer.groupId)?.members.has(consumer.memberId) === true
  }

  crash(): void {
    const durable = (): unknown[] =>
      GROUPS.map((groupId) => {
        const group = this.groups.consumerGroup(groupId)
        return group === undefined ? null : dump(group)
      })
    const before = durable()
    this.groups.crash()
    expect(durable()).toEqual(before)
    this.counts.crashes++
  }

  /** Nothing fails any more, and everybody says what it has, again and again. */
  calmDown(): void {
    for (let round = 0; round < 80; round++) {
      for (const client of this.clients) {
        if (client.phase === 'out') this.#join(client)
        else {
          client.phase = 'in'
          this.#own(client)
        }
        this.checkOwners()
      }
      this.groups.sleep(1_100)
    }
  }

  checkStable(): void {
    for (const groupId of GROUPS) {
      const group = this.groups.consumerGroup(groupId)!
      expect(group.state).toBe('Stable')
      const clients = this.clients.filter((client) => client.groupId === groupId)
      expect(group.size).toBe(clients.length)
      const shares = clients.map(({ consumer }) =>
        consumer.holds.reduce((sum, { partitions }) => sum + partitions.length, 0),
      )
      const names = clients.map(
        ({ topics, regex }) =>
          new Set([
            ...topics,
            ...[...this.groups.topics.keys()].filter((name) => regex !== '' && /^extra.*$/.test(name)),
          ]),
      )
      const subscribed = new Set(names.flatMap((each) => [...each]))
      const total = [...subscribed].reduce((sum, name) => sum + (this.groups.topics.get(name)?.partitions ?? 0), 0)
      expect(shares.reduce((sum, share) => sum + share, 0)).toBe(total)
      const sameTopics = names.every((each) => [...each].sort().join() === [...names[0]!].sort().join())
      if (sameTopics) expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1)
    }
  }
}

const SEEDS = fuzzRounds(20)
const TIMEOUT_MS = 60_000 + SEEDS * 1_000
const FIRST_SEED = Number(process.env.SAMSA_SEED ?? 848)

test(
  `${SEEDS} histories of consumer groups`,
  () => {
    const totals = { handed: 0, fenced: 0, crashes: 0, failures: 0 }
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      const simulation = new Simulation(seed)
      try {
        for (let step = 0; step < STEPS; step++) simulation.step()
        simulation.calmDown()
        simulation.checkStable()
        simulation.crash()
      } catch (error) {
        throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}`, { cause: error })
      }
      for (const key of Object.keys(totals) as (keyof typeof totals)[]) totals[key] += simulation.counts[key]
    }
    // The histories are worth something only if all of this happened in them.
    for (const count of Object.values(totals)) expect(count).toBeGreaterThan(SEEDS)
  },
  TIMEOUT_MS,
)
