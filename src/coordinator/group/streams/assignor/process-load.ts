/** A process of a Streams application while tasks are being assigned: its members, and how many tasks each has got. */
import { inJavaOrder, stringHash } from '../../consumer/assignors/java-order.ts'
import { JavaPriorityQueue } from './java-queue.ts'

export interface Task {
  readonly subtopologyId: string
  readonly partition: number
  /** Both in one, to look tasks up by. */
  readonly key: string
}

export type TaskRole = 'active' | 'standby'

interface MemberLoad {
  readonly memberId: string
  tasks: number
}

export class ProcessLoad {
  readonly processId: string
  readonly #taskCounts = new Map<string, number>()
  readonly #keys = new Set<string>()
  #taskCount = 0
  /** Kept while tasks go to whoever has least; a task given to a certain member makes it void. */
  #byLoad: JavaPriorityQueue<MemberLoad> | null = null
  readonly #give: (memberId: string, task: Task, role: TaskRole) => void

  /** `give` hears of every task that a member gets. */
  constructor(processId: string, give: (memberId: string, task: Task, role: TaskRole) => void) {
    this.processId = processId
    this.#give = give
  }

  addMember(memberId: string): void {
    this.#taskCounts.set(memberId, 0)
  }

  /** Tasks per member. */
  get load(): number {
    return this.#taskCount / this.#taskCounts.size
  }

  tasksOf(memberId: string): number {
    return this.#taskCounts.get(memberId)!
  }

  /** In any role. */
  has(task: Task): boolean {
    return this.#keys.has(task.key)
  }

  /** How many tasks the member has then. */
  addTo(memberId: string, task: Task, role: TaskRole): number {
    this.#byLoad = null
    return this.#add(memberId, task, role)
  }

  /** To the member with least tasks. How many it has then. */
  addToLeastLoaded(task: Task, role: TaskRole): number {
    const queue = this.#queue()
    const member = queue.poll()!
    member.tasks = this.#add(member.memberId, task, role)
    queue.add(member)
    return member.tasks
  }

  #queue(): JavaPriorityQueue<MemberLoad> {
    if (this.#byLoad !== null) return this.#byLoad
    const queue = new JavaPriorityQueue<MemberLoad>((one, other) => one.tasks - other.tasks)
    for (const memberId of inJavaOrder(this.#taskCounts.keys(), stringHash)) {
      queue.add({ memberId, tasks: this.tasksOf(memberId) })
    }
    this.#byLoad = queue
    return queue
  }

  #add(memberId: string, task: Task, role: TaskRole): number {
    this.#taskCount++
    this.#keys.add(task.key)
    const tasks = this.tasksOf(memberId) + 1
    this.#taskCounts.set(memberId, tasks)
    this.#give(memberId, task, role)
    return tasks
  }
}
