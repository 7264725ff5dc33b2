/**
 * The task assignor of streams groups, `sticky`: a task goes to the member that has it, or has a standby of it, as long as that member is
 * not above its share; what is left goes to the process with least tasks per thread, and there to the thread with least.
 *
 * 1. Active tasks: first to those that had them active, then to those that had them as standby, then by load.
 * 2. Standbys of tasks with state: first to who had the task active, then to who had it as standby, then by load; never into a process
 *    that has the task in any role. Where there are too few processes, there are fewer standbys.
 *
 * The share is the number of tasks by the number of members, rounded up; each member that reaches it leaves, with its tasks, what the
 * share of the others is made of. The steps, and the choice among equals, are those of Kafka's assignor: the same group comes to
 * the same assignment on both brokers (`like-kafka.test.ts`).
 *
 * What must hold: every task is active in exactly one member; no process has a task twice.
 */
import { compareStrings, inJavaOrder, stringHash } from '../../consumer/assignors/java-order.ts'
import type { Tasks } from '../tasks.ts'
import { JavaPriorityQueue } from './java-queue.ts'
import { ProcessLoad, type Task, type TaskRole } from './process-load.ts'

export interface TaskMember {
  readonly memberId: string
  readonly processId: string
  /** What it is to have up to now. */
  readonly target: Tasks
}

export interface AssignedSubtopology {
  readonly subtopologyId: string
  readonly taskCount: number
  /** It has state, of which there can be standbys. */
  readonly isStateful: boolean
}

export interface TaskAssignmentInput {
  readonly members: readonly TaskMember[]
  /** In the order of the ids. */
  readonly subtopologies: readonly AssignedSubtopology[]
  readonly standbyReplicas: number
}

/** By member id, every member. */
export type TaskAssignment = ReadonlyMap<string, Tasks>

export function assignTasks(input: TaskAssignmentInput): TaskAssignment {
  return new StickyAssignment(input).assign()
}

/** How many tasks a member should have. */
class Share {
  #tasks: number
  #members: number
  #perMember: number

  constructor(tasks: number, members: number) {
    this.#tasks = tasks
    this.#members = members
    this.#perMember = this.#divide()
  }

  get perMember(): number {
    return this.#perMember
  }

  /** A member has so many tasks now: with exactly its share it is out of the division. */
  reached(tasks: number): void {
    if (tasks !== this.#perMember) return
    this.#members--
    this.#tasks -= tasks
    this.#perMember = this.#divide()
  }

  #divide(): number {
    return this.#members === 0 ? 0 : Math.ceil(this.#tasks / this.#members)
  }
}

interface Holder {
  readonly memberId: string
  readonly process: ProcessLoad
}

class StickyAssignment {
  readonly #input: TaskAssignmentInput
  readonly #processes = new Map<string, ProcessLoad>()
  readonly #formerActive = new Map<string, Holder>()
  readonly #formerStandby = new Map<string, Holder[]>()
  readonly #given = new Map<string, Record<TaskRole, Map<string, Set<number>>>>()
  readonly #activeShare: Share
  readonly #totalShare: Share

  constructor(input: TaskAssignmentInput) {
    this.#input = input
    const { members, subtopologies, standbyReplicas } = input
    let active = 0
    let standby = 0
    for (const { taskCount, isStateful } of subtopologies) {
      active += taskCount
      if (isStateful) standby += taskCount * standbyReplicas
    }
    this.#activeShare = new Share(active, members.length)
    this.#totalShare = new Share(active + standby, members.length)
    const byId = new Map(members.map((member) => [member.memberId, member]))
    for (const memberId of inJavaOrder(byId.keys(), stringHash)) this.#enter(byId.get(memberId)!)
  }

  assign(): TaskAssignment {
    this.#assignActive()
    if (this.#input.standbyReplicas > 0) this.#assignStandbys()
    const assignment = new Map<string, Tasks>()
    for (const [memberId, given] of this.#given) assignment.set(memberId, { ...given, warmup: new Map() })
    return assignment
  }

  #enter({ memberId, processId, target }: TaskMember): void {
    this.#given.set(memberId, { active: new Map(), standby: new Map() })
    let process = this.#processes.get(processId)
    if (process === undefined) {
      process = new ProcessLoad(processId, (receiver, task, role) => this.#give(receiver, task, role))
      this.#processes.set(processId, process)
    }
    process.addMember(memberId)
    const holder = { memberId, process }
    for (const key of keysOf(target.active)) this.#formerActive.set(key, holder)
    for (const key of keysOf(target.standby)) {
      const holders = this.#formerStandby.get(key)
      if (holders === undefined) this.#formerStandby.set(key, [holder])
      else holders.push(holder)
    }
  }

  #give(memberId: string, { subtopologyId, partition }: Task, role: TaskRole): void {
    const tasks = this.#given.get(memberId)![role]
    const partitions = tasks.get(subtopologyId)
    if (partitions === undefined) tasks.set(subtopologyId, new Set([partition]))
    else partitions.add(partition)
  }

  #tasks(isWanted: (subtopology: AssignedSubtopology) => boolean): Task[] {
    return this.#input.subtopologies
      .filter(isWanted)
      .flatMap(({ subtopologyId, taskCount }) =>
        Array.from({ length: taskCount }, (_, partition) => taskOf(subtopologyId, partition)),
      )
  }

  #byLoad(): JavaPriorityQueue<ProcessLoad> {
    const queue = new JavaPriorityQueue<ProcessLoad>((one, other) => one.load - other.load)
    const processIds = inJavaOrder(this.#processes.keys(), stringHash, this.#input.members.length)
    for (const processId of processIds) queue.add(this.#processes.get(processId)!)
    return queue
  }

  #assignActive(): void {
    const open = this.#tasks(() => true).sort(byPartition)
    const afterActive = open.filter((task) => !this.#giveActive(this.#formerActive.get(task.key), task))
    const left = afterActive.filter((task) => {
      const holders = this.#formerStandby.get(task.key)
      return !this.#giveActive(holders === undefined ? undefined : leastLoaded(holders, null), task)
    })
    const queue = this.#byLoad()
    for (const task of left.sort(bySubtopology)) {
      const process = queue.poll()!
      this.#count(process.addToLeastLoaded(task, 'active'))
      queue.add(process)
    }
  }

  /** Whether it did: the member must be there and below its share. */
  #giveActive(holder: Holder | undefined, task: Task): boolean {
    if (holder === undefined) return false
    const { memberId, process } = holder
    if (process.tasksOf(memberId) >= this.#activeShare.perMember) return false
    this.#count(process.addTo(memberId, task, 'active'))
    return true
  }

  #count(tasks: number): void {
    this.#activeShare.reached(tasks)
    this.#totalShare.reached(tasks)
  }

  #assignStandbys(): void {
    const { standbyReplicas } = this.#input
    const left: { readonly task: Task; readonly replicas: number }[] = []
    for (const task of this.#tasks(({ isStateful }) => isStateful).sort((one, other) => byPartition(other, one))) {
      let replicas = standbyReplicas
      while (replicas > 0 && this.#giveStandby(task)) replicas--
      if (replicas > 0) left.push({ task, replicas })
    }
    left.sort((one, other) => bySubtopology(other.task, one.task))
    const queue = this.#byLoad()
    for (const { task, replicas } of left) {
      for (let replica = 0; replica < replicas; replica++) if (!this.#giveStandbyByLoad(queue, task)) break
    }
  }

  /** To who had the task active before, or to one who had it as standby. */
  #giveStandby(task: Task): boolean {
    const active = this.#formerActive.get(task.key)
    if (active !== undefined && !active.process.has(task) && this.#hasRoom(active))
      return this.#addStandby(active, task)
    const holders = this.#formerStandby.get(task.key)
    const standby = holders === undefined ? undefined : leastLoaded(holders, task)
    return standby !== undefined && this.#hasRoom(standby) && this.#addStandby(standby, task)
  }

  #hasRoom({ memberId, process }: Holder): boolean {
    return process.tasksOf(memberId) < this.#totalShare.perMember
  }

  #addStandby({ memberId, process }: Holder, task: Task): true {
    this.#totalShare.reached(process.addTo(memberId, task, 'standby'))
    return true
  }

  /** False: every process has the task. */
  #giveStandbyByLoad(queue: JavaPriorityQueue<ProcessLoad>, task: Task): boolean {
    const passedOver: ProcessLoad[] = []
    let process = queue.poll()
    while (process?.has(task) === true) {
      passedOver.push(process)
      process = queue.poll()
    }
    if (process !== undefined) {
      this.#totalShare.reached(process.addToLeastLoaded(task, 'standby'))
      queue.add(process)
    }
    for (const each of passedOver.reverse()) queue.add(each)
    return process !== undefined
  }
}

/** Of those who had a task before; undefined: their processes have it already. The first, unless another has less in process and member. */
function leastLoaded(holders: readonly Holder[], task: Task | null): Holder | undefined {
  const first = holders[0]!
  let chosen = first
  for (const holder of holders.slice(1)) {
    if (holder.process.load >= chosen.process.load) continue
    if (task !== null && holder.process.has(task)) continue
    if (holder.process.tasksOf(holder.memberId) < chosen.process.tasksOf(chosen.memberId)) chosen = holder
  }
  // Kafka asks this of the first, whichever was chosen.
  return task === null || !first.process.has(task) ? chosen : undefined
}

function taskOf(subtopologyId: string, partition: number): Task {
  return { subtopologyId, partition, key: `${subtopologyId}_${partition}` }
}

function* keysOf(tasks: Tasks['active']): Generator<string> {
  for (const [subtopologyId, partitions] of tasks) {
    for (const partition of partitions) yield taskOf(subtopologyId, partition).key
  }
}

function byPartition(one: Task, other: Task): number {
  return one.partition - other.partition || compareStrings(one.subtopologyId, other.subtopologyId)
}

function bySubtopology(one: Task, other: Task): number {
  return compareStrings(one.subtopologyId, other.subtopologyId) || one.partition - other.partition
}
