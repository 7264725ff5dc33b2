/**
 * Members of a few groups join, sync, heartbeat, commit, leave and vanish at random, over a log that writes late, fails, and
 * loses what it had not written when the process dies. Whatever happens:
 * - every call is answered exactly once in the end;
 * - of a generation there is one leader's assignment, and every member gets its own part of it;
 * - what a committer was told is stored stays stored, and what a reader has seen never goes back;
 * - the state after a crash is the durable part of the state before it.
 */
import { expect, test } from 'bun:test'
import type { ClassicGroup } from '../../src/coordinator/group/classic/group.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import type { SeededRandom } from '../../src/storage/random-seeded.ts'
import { type Call, GroupTest } from './group-test.ts'

const GROUPS = ['a', 'b', 'c'] as const
const PROTOCOLS = [{ range: 'one' }, { range: 'two' }, { range: 'one', sticky: 'three' }]

type JoinCall = ReturnType<GroupTest['join']>
type SyncCall = ReturnType<GroupTest['sync']>

interface Client {
  readonly groupId: string
  readonly groupInstanceId: string | null
  readonly version: number
  memberId: string
  generation: number
  /** Filled for leaders: whom to assign. */
  others: string[]
  phase: 'out' | 'joining' | 'joined' | 'syncing' | 'in'
  call: JoinCall | SyncCall | null
}

class Simulation {
  readonly groups: GroupTest
  readonly random: SeededRandom
  readonly clients: Client[] = []
  readonly calls: { readonly isParked: boolean; readonly answers: readonly unknown[] }[] = []
  /** By life of the process and generation: what tells one leader's assignment from another's. */
  readonly nonces = new Map<string, string>()
  readonly acknowledged = new Map<string, number>()
  readonly seen = new Map<string, number>()
  life = 0
  nextOffset = 1
  readonly counts = { stable: 0, commits: 0, crashes: 0, failures: 0 }

  constructor(seed: number) {
    this.groups = new GroupTest({ seed, partitions: 2, config: { initialRebalanceDelayMs: seed % 2 === 0 ? 0 : 500 } })
    this.random = this.groups.random
    for (let index = 0; index < 12; index++) {
      this.clients.push({
        groupId: GROUPS[index % GROUPS.length]!,
        groupInstanceId: index % 4 === 3 ? `instance-${index}` : null,
        version: 3 + (index % 7),
        memberId: '',
        generation: -1,
        others: [],
        phase: 'out',
        call: null,
      })
    }
  }

  step(): void {
    const { random, groups } = this
    const dice = random.next()
    if (dice < 0.06) groups.sleep(random.below(3_000))
    else if (dice < 0.065) groups.sleep(15_000)
    else if (dice < 0.1) groups.log.isHeld = !groups.log.isHeld
    else if (dice < 0.16) this.settleOne()
    else if (dice < 0.165) this.crash()
    else if (dice < 0.18) this.refuseOne()
    else if (dice < 0.22) this.read(GROUPS[random.below(GROUPS.length)]!)
    else this.act(this.clients[random.below(this.clients.length)]!)
    if (!groups.log.isHeld) groups.log.flush()
    this.check()
  }

  settleOne(): void {
    if (this.groups.log.pendingCount === 0) return
    const fails = this.random.next() < 0.05
    if (fails) this.counts.failures++
    this.groups.log.settle(fails ? ErrorCode.KAFKA_STORAGE_ERROR : ErrorCode.NONE)
    // What another load may have brought back is another story of generations.
    if (fails) this.life++
    if (fails && this.random.next() < 0.5) this.crash()
  }

  /** The disk is full, for the time of one request. */
  refuseOne(): void {
    this.groups.log.refuseWith = ErrorCode.KAFKA_STORAGE_ERROR
    const { loads } = this.groups.log
    this.act(this.clients[this.random.below(this.clients.length)]!)
    this.groups.log.refuseWith = ErrorCode.NONE
    if (this.groups.log.loads > loads) this.life++
  }

  crash(): void {
    const settled = this.groups.log.pendingCount === 0
    const before = this.durable()
    this.restart()
    if (settled) expect(this.durable()).toEqual(before)
  }

  durable(): unknown {
    return [0, 1].map((partition) => structuredClone(this.groups.coordinator.shard(partition)?.durable))
  }

  restart(): void {
    this.counts.crashes++
    this.life++
    // Calls of connections that broke are answered to nobody.
    this.calls.length = 0
    for (const client of this.clients) {
      client.call = null
      if (client.phase === 'joining' || client.phase === 'syncing') client.phase = 'out'
    }
    this.groups.crash()
  }

  act(client: Client): void {
    this.takeAnswer(client)
    if (client.call !== null) return
    const dice = this.random.next()
    if (client.phase === 'out') this.join(client)
    else if (client.phase === 'joined') this.sync(client)
    else if (dice < 0.35) this.commit(client)
    else if (dice < 0.9) this.heartbeat(client)
    else if (dice < 0.94) this.leave(client)
    else if (dice < 0.97) this.join(client)
    else Object.assign(client, { phase: 'out', memberId: '', generation: -1 })
  }

  track<Answer>(call: Call<Answer>): Call<Answer> {
    this.calls.push(call)
    return call
  }

  join(client: Client): void {
    const { groupId, groupInstanceId, version, memberId } = client
    const protocols = PROTOCOLS[this.random.below(PROTOCOLS.length)]!
    const fields = { groupId, groupInstanceId: version >= 5 ? groupInstanceId : null, version, memberId, protocols }
    client.call = this.track(this.groups.join({ ...fields, rebalanceTimeoutMs: 20_000 }))
    client.phase = 'joining'
  }

  sync(client: Client): void {
    const { groupId, memberId, generation, others } = client
    const nonce = this.random.next()
    const assignments = Object.fromEntries(others.map((id) => [id, `${id}@${generation}#${nonce}`]))
    client.call = this.track(this.groups.sync({ memberId, generation }, assignments, { groupId }))
    client.phase = 'syncing'
  }

  heartbeat(client: Client): void {
    const { groupId, memberId, generation } = client
    const request = { groupId, memberId, generationId: generation, groupInstanceId: null }
    const call = this.track(this.groups.call(this.groups.coordinator.heartbeat, 3, request))
    if (call.isParked) return
    const { errorCode } = call.answer
    if (errorCode === ErrorCode.REBALANCE_IN_PROGRESS) client.phase = 'out'
    else if (errorCode === ErrorCode.UNKNOWN_MEMBER_ID) Object.assign(client, { phase: 'out', memberId: '' })
    else if (errorCode === ErrorCode.ILLEGAL_GENERATION) client.phase = 'out'
  }

  leave(client: Client): void {
    const { memberId, groupId } = client
    this.track(this.groups.leave([{ memberId }], 3, groupId))
    Object.assign(client, { phase: 'out', memberId: '', generation: -1 })
  }

  commit(client: Client): void {
    const { groupId, memberId, generation } = client
    const offset = this.nextOffset++
    const call = this.track(this.groups.commit({ groupId, memberId, generation, offsets: { 'orders/0': offset } }))
    call.whenAnswered(({ topics }) => {
      if (topics[0]?.partitions[0]?.errorCode !== ErrorCode.NONE) return
      this.counts.commits++
      this.acknowledged.set(groupId, Math.max(offset, this.acknowledged.get(groupId) ?? 0))
    })
  }

  read(groupId: string): void {
    const least = Math.max(this.acknowledged.get(groupId) ?? 0, this.seen.get(groupId) ?? 0)
    const call = this.track(this.groups.fetch({ groupId, topics: [{ name: 'orders', partitionIndexes: [0] }] }))
    call.whenAnswered(({ errorCode, topics }) => {
      if (errorCode !== ErrorCode.NONE) return
      const offset = topics?.[0]?.partitions[0]?.committedOffset ?? -1
      expect(offset).toBeGreaterThanOrEqual(least === 0 ? -1 : least)
      this.seen.set(groupId, Math.max(offset, this.seen.get(groupId) ?? 0))
    })
  }

  takeAnswer(client: Client): void {
    if (client.call === null || client.call.isParked) return
    const { answer } = client.call
    client.call = null
    if ('assignment' in answer) this.synced(client, answer)
    else this.joined(client, answer)
  }

  joined(client: Client, answer: JoinCall['answer']): void {
    switch (answer.errorCode) {
      case ErrorCode.NONE: {
        Object.assign(client, { memberId: answer.memberId, generation: answer.generationId, phase: 'joined' })
        const leads = answer.leader === answer.memberId && !answer.skipAssignment
        client.others = leads ? answer.members.map(({ memberId }) => memberId) : []
        return
      }
      case ErrorCode.MEMBER_ID_REQUIRED:
        Object.assign(client, { memberId: answer.memberId, phase: 'out' })
        return
      case ErrorCode.UNKNOWN_MEMBER_ID:
      case ErrorCode.FENCED_INSTANCE_ID:
        Object.assign(client, { memberId: '', phase: 'out' })
        return
      default:
        client.phase = 'out'
    }
  }

  synced(client: Client, answer: SyncCall['answer']): void {
    client.phase = answer.errorCode === ErrorCode.NONE ? 'in' : 'out'
    if (answer.errorCode === ErrorCode.UNKNOWN_MEMBER_ID) client.memberId = ''
    if (answer.errorCode !== ErrorCode.NONE || answer.assignment.length === 0) return
    this.counts.stable++
    // Made by one leader, for exactly this member or for the static one that it replaced.
    const [, memberId, nonce] = /^(.+)@\d+#(.+)$/.exec(answer.assignment.toString()) ?? []
    if (client.groupInstanceId === null) expect(memberId).toBe(client.memberId)
    const key = `${this.life}/${client.groupId}/${client.generation}`
    expect(nonce).toBe(this.nonces.get(key) ?? nonce ?? 'no assignment')
    this.nonces.set(key, nonce ?? '')
  }

  check(): void {
    for (const groupId of GROUPS) {
      const group = this.groups.classicGroup(groupId)
      if (group !== undefined) checkGroup(group)
    }
    for (const call of this.calls) if (call.answers.length > 1) throw new Error('a call was answered twice')
  }

  /** Everything that is under way comes to its end. */
  end(): void {
    this.groups.log.isHeld = false
    this.groups.log.flush()
    this.groups.sleep(400_000)
    this.check()
    expect(this.calls.filter(({ isParked }) => isParked)).toEqual([])
    this.crash()
    for (const groupId of GROUPS) this.read(groupId)
  }
}

function checkGroup(group: ClassicGroup): void {
  const members = [...group.members]
  const problems: string[] = []
  if (members.filter(({ parkedJoin }) => parkedJoin !== null).length !== group.waitingJoins) problems.push('join count')
  if (members.length > 0 && (group.leaderId === null || !group.has(group.leaderId))) problems.push('leader')
  if (members.length === 0 && group.leaderId !== null) problems.push('leader of nobody')
  if (group.state === 'Empty' && members.length > 0) problems.push('members in Empty')
  if ((group.state === 'Stable' || group.state === 'CompletingRebalance') && members.length === 0)
    problems.push('nobody')
  for (const member of members) {
    const { memberId, groupInstanceId, parkedJoin, parkedSync } = member
    if (parkedJoin !== null && group.state !== 'PreparingRebalance')
      problems.push(`${memberId} joins in ${group.state}`)
    if (parkedSync !== null && group.state !== 'CompletingRebalance')
      problems.push(`${memberId} syncs in ${group.state}`)
    if (group.pendingJoins.has(memberId)) problems.push(`${memberId} is member and pending`)
    if (groupInstanceId !== null && group.holderOf(groupInstanceId) !== memberId) problems.push('static index')
    if (parkedJoin === null && parkedSync === null && member.sessionTimerAtMs === null)
      problems.push('no session timer')
  }
  for (const memberId of group.pendingSyncs) if (!group.has(memberId)) problems.push('stranger owes a SyncGroup')
  expect(problems).toEqual([])
}

const SEEDS = Number(process.env.SAMSA_SIMULATIONS ?? 30)

test(`${SEEDS} simulations of 1,500 steps keep every promise`, () => {
  const totals = { stable: 0, commits: 0, crashes: 0, failures: 0 }
  for (let seed = 1; seed <= SEEDS; seed++) {
    const simulation = new Simulation(seed)
    try {
      for (let step = 0; step < 1_500; step++) simulation.step()
      simulation.end()
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.stack : error}`)
    }
    for (const key of ['stable', 'commits', 'crashes', 'failures'] as const) totals[key] += simulation.counts[key]
  }
  // The simulation is worth its time only if it gets somewhere.
  expect(totals.stable).toBeGreaterThan(SEEDS * 20)
  expect(totals.commits).toBeGreaterThan(SEEDS * 20)
  expect(totals.crashes).toBeGreaterThan(SEEDS)
  expect(totals.failures).toBeGreaterThan(SEEDS / 4)
}, 60_000)
