/**
 * A streams group (KIP-1071): the threads of a Streams application, its topology, and who is to run which task. Epochs as in
 * consumer groups: the group's grows with every change that asks for a new target, the assignment's is the group epoch of the target
 * that there is, the members' follow it.
 *
 * Everything here is what the records say, and the indexes over it; only replay (`replay.ts`) calls the `put` and `remove` methods. The
 * exceptions are the fields of `soft`, which are lost with the process: Kafka's are, too.
 *
 * What must hold: the holders of tasks are the processes of the members that have them assigned or still to give up.
 */
import { isReconciledTo } from '../consumer/member.ts'
import type { ConfiguredTopology } from './configure.ts'
import {
  newStreamsMember,
  type StreamsMember,
  type StreamsMemberDescription,
  type StreamsMemberProgress,
} from './member.ts'
import type { TaskHolders } from './reconcile.ts'
import type { StreamsGroupEpoch } from './records.ts'
import { type HeldTasks, NO_TASKS, type Tasks } from './tasks.ts'
import { readersOf, requiredTopics, type Topology } from './topology.ts'

export type StreamsGroupState = 'Empty' | 'NotReady' | 'Assigning' | 'Reconciling' | 'Stable'

/** What a group begins with: its first member makes it 2. */
const FIRST_EPOCH = 1

const NO_CONFIGS: ReadonlyMap<string, string> = new Map()
const NO_NAMES: ReadonlySet<string> = new Set()

interface SoftState {
  /** Topics of the topology changed since they were looked at; the next heartbeat looks again. */
  isMetadataStale: boolean
  /** What the topics that there are make of the topology; null: nobody has looked since the load. */
  configured: ConfiguredTopology | null
  /** The member that asked for the end of the whole application. */
  shutdownRequestedBy: string | null
  /** Grows with every change of what members with an endpoint have. */
  endpointEpoch: number
}

export class StreamsGroup {
  readonly type = 'streams'
  readonly groupId: string
  readonly soft: SoftState = { isMetadataStale: true, configured: null, shutdownRequestedBy: null, endpointEpoch: 0 }
  #epoch: StreamsGroupEpoch = {
    epoch: FIRST_EPOCH,
    metadataHash: 0n,
    validatedTopologyEpoch: 0,
    assignmentConfigs: NO_CONFIGS,
  }
  #assignmentEpoch = FIRST_EPOCH
  /** 0: nothing was assigned yet. */
  #assignedAtMs = 0
  #topology: Topology | null = null
  #requiredTopics: ReadonlySet<string> = NO_NAMES
  /** Topic -> subtopology that reads it. */
  #readers: ReadonlyMap<string, string> = NO_CONFIGS
  readonly #members = new Map<string, StreamsMember>()
  readonly #targets = new Map<string, Tasks>()
  readonly #active = new TaskIndex()
  readonly #standby = new TaskIndex()
  readonly #warmup = new TaskIndex()

  constructor(groupId: string) {
    this.groupId = groupId
  }

  get epoch(): number {
    return this.#epoch.epoch
  }

  get metadataHash(): bigint {
    return this.#epoch.metadataHash
  }

  get validatedTopologyEpoch(): number {
    return this.#epoch.validatedTopologyEpoch
  }

  get assignmentConfigs(): ReadonlyMap<string, string> {
    return this.#epoch.assignmentConfigs
  }

  get assignmentEpoch(): number {
    return this.#assignmentEpoch
  }

  get assignedAtMs(): number {
    return this.#assignedAtMs
  }

  get topology(): Topology | null {
    return this.#topology
  }

  get size(): number {
    return this.#members.size
  }

  get members(): ReadonlyMap<string, StreamsMember> {
    return this.#members
  }

  get targets(): ReadonlyMap<string, Tasks> {
    return this.#targets
  }

  get state(): StreamsGroupState {
    if (this.#members.size === 0) return 'Empty'
    if (this.#topology?.epoch !== this.validatedTopologyEpoch) return 'NotReady'
    if (this.epoch > this.#assignmentEpoch) return 'Assigning'
    for (const member of this.#members.values()) {
      if (!isReconciledTo(member, this.#assignmentEpoch)) return 'Reconciling'
    }
    return 'Stable'
  }

  member(memberId: string): StreamsMember | undefined {
    return this.#members.get(memberId)
  }

  target(memberId: string): Tasks {
    return this.#targets.get(memberId) ?? NO_TASKS
  }

  /** Not those that are only written to. */
  get topicsRead(): ReadonlySet<string> {
    return new Set(this.#readers.keys())
  }

  /** The subtopology that reads the topic. */
  readerOf(topicName: string): string | undefined {
    return this.#readers.get(topicName)
  }

  /** While the group has members. */
  subscribesTo(topicName: string): boolean {
    return this.#members.size > 0 && this.#readers.has(topicName)
  }

  readonly holders: TaskHolders = {
    activeProcess: (subtopologyId, partition) => this.#active.first(subtopologyId, partition),
    hasStandby: (subtopologyId, partition, processId) => this.#standby.has(subtopologyId, partition, processId),
    hasWarmup: (subtopologyId, partition, processId) => this.#warmup.has(subtopologyId, partition, processId),
  }

  topicsChanged(names: ReadonlySet<string>): void {
    if (this.soft.isMetadataStale) return
    for (const name of this.#requiredTopics) if (names.has(name)) this.soft.isMetadataStale = true
  }

  // From here on: for replay only.

  putEpoch(epoch: StreamsGroupEpoch): void {
    this.#epoch = epoch
  }

  putTopology(topology: Topology | null): void {
    this.#topology = topology
    this.#requiredTopics = topology === null ? NO_NAMES : requiredTopics(topology)
    this.#readers = topology === null ? NO_CONFIGS : readersOf(topology)
  }

  putAssignmentEpoch(epoch: number, assignedAtMs: number): void {
    this.#assignmentEpoch = epoch
    this.#assignedAtMs = assignedAtMs
  }

  putTarget(memberId: string, target: Tasks | null): void {
    if (target === null) this.#targets.delete(memberId)
    else this.#targets.set(memberId, target)
  }

  // Either record of a member may come first: compaction keeps the newest of each.

  putDescription(memberId: string, description: StreamsMemberDescription): void {
    this.#put({ ...(this.#members.get(memberId) ?? newStreamsMember(memberId)), ...description })
  }

  putProgress(memberId: string, progress: StreamsMemberProgress): void {
    const { memberEpoch, previousMemberEpoch, state, assigned, pendingRevocation } = progress
    const epochs = { memberEpoch, previousMemberEpoch, state }
    const member = this.#members.get(memberId) ?? newStreamsMember(memberId)
    this.#put({ ...member, ...epochs, assigned, pendingRevocation })
  }

  removeMember(memberId: string): void {
    const member = this.#members.get(memberId)
    if (member === undefined) return
    this.#index(member, 'remove')
    this.#members.delete(memberId)
    if (this.#members.size === 0) this.soft.shutdownRequestedBy = null
  }

  #put(member: StreamsMember): void {
    const before = this.#members.get(member.memberId)
    if (before !== undefined) this.#index(before, 'remove')
    this.#members.set(member.memberId, member)
    this.#index(member, 'add')
  }

  #index({ processId, assigned, pendingRevocation }: StreamsMember, change: 'add' | 'remove'): void {
    for (const tasks of [assigned, pendingRevocation] satisfies HeldTasks[]) {
      this.#active.change(tasks.active, processId, change)
      this.#standby.change(tasks.standby, processId, change)
      this.#warmup.change(tasks.warmup, processId, change)
    }
  }
}

/** Subtopology -> partition -> processes that have the task in one role. */
class TaskIndex {
  readonly #processes = new Map<string, Map<number, Set<string>>>()

  /** Of an active task, the only one. */
  first(subtopologyId: string, partition: number): string | undefined {
    const processes = this.#processes.get(subtopologyId)?.get(partition)
    return processes?.values().next().value
  }

  has(subtopologyId: string, partition: number, processId: string): boolean {
    return this.#processes.get(subtopologyId)?.get(partition)?.has(processId) ?? false
  }

  change(
    tasks: ReadonlyMap<string, ReadonlySet<number> | ReadonlyMap<number, number>>,
    processId: string,
    change: 'add' | 'remove',
  ): void {
    for (const [subtopologyId, partitions] of tasks) {
      for (const partition of partitions.keys()) {
        if (change === 'add') this.#add(subtopologyId, partition, processId)
        else this.#remove(subtopologyId, partition, processId)
      }
    }
  }

  #add(subtopologyId: string, partition: number, processId: string): void {
    let partitions = this.#processes.get(subtopologyId)
    if (partitions === undefined) {
      partitions = new Map()
      this.#processes.set(subtopologyId, partitions)
    }
    const processes = partitions.get(partition)
    if (processes === undefined) partitions.set(partition, new Set([processId]))
    else processes.add(processId)
  }

  #remove(subtopologyId: string, partition: number, processId: string): void {
    const partitions = this.#processes.get(subtopologyId)
    const processes = partitions?.get(partition)
    if (partitions === undefined || processes === undefined) return
    processes.delete(processId)
    if (processes.size === 0) partitions.delete(partition)
    if (partitions.size === 0) this.#processes.delete(subtopologyId)
  }
}
