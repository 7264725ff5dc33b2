/** What must hold of every assignment of tasks, in random applications; and a few by hand. */
import { describe, expect, test } from 'bun:test'
import { assignTasks, type TaskMember } from '../../../../../src/coordinator/group/streams/assignor/sticky.ts'
import { NO_TASKS, type TaskSet } from '../../../../../src/coordinator/group/streams/tasks.ts'
import { fuzzRounds, Random } from '../../../../support/random.ts'
import { caseText, type TaskCase, taskHistory } from './task-cases.ts'

const SEED = Number(process.env.SAMSA_SEED ?? 42)
const HISTORIES = fuzzRounds(200)

function* keysOf(tasks: TaskSet): Generator<string> {
  for (const [id, partitions] of tasks) for (const partition of partitions) yield `${id}_${partition}`
}

function count(tasks: TaskSet): number {
  return [...keysOf(tasks)].length
}

/** The histories are the same for each property; a failure names seed and case. */
function everyAssignment(check: (each: TaskCase) => void): void {
  const random = new Random(SEED)
  for (let history = 0; history < HISTORIES; history++) {
    for (const each of taskHistory(random, 6)) {
      try {
        check(each)
      } catch (error) {
        throw new Error(`seed ${SEED}\n${caseText(each)}${error instanceof Error ? error.message : error}`)
      }
    }
  }
}

describe('in every application', () => {
  test('each task is active in exactly one member', () => {
    everyAssignment(({ input, assigned }) => {
      const active = [...assigned.values()].flatMap((tasks) => [...keysOf(tasks.active)])
      const all = input.subtopologies.flatMap(({ subtopologyId, taskCount }) =>
        Array.from({ length: taskCount }, (_, partition) => `${subtopologyId}_${partition}`),
      )
      expect(active.toSorted()).toEqual(all.toSorted())
    })
  })

  test('no process has a task twice, and only tasks with state have standbys', () => {
    everyAssignment(({ input, assigned }) => {
      const stateful = new Set(
        input.subtopologies.filter(({ isStateful }) => isStateful).map(({ subtopologyId }) => subtopologyId),
      )
      const byProcess = new Map<string, string[]>()
      for (const { memberId, processId } of input.members) {
        const { active, standby, warmup } = assigned.get(memberId)!
        expect(warmup.size).toBe(0)
        for (const id of standby.keys()) expect(stateful).toContain(id)
        const keys = byProcess.get(processId) ?? []
        keys.push(...keysOf(active), ...keysOf(standby))
        byProcess.set(processId, keys)
      }
      for (const keys of byProcess.values()) expect(new Set(keys).size).toBe(keys.length)
    })
  })

  test('each task with state has as many standbys as there can be', () => {
    everyAssignment(({ input, assigned }) => {
      const processes = new Set(input.members.map(({ processId }) => processId)).size
      const wanted = Math.min(input.standbyReplicas, processes - 1)
      const standbys = new Map<string, number>()
      for (const { standby } of assigned.values()) {
        for (const key of keysOf(standby)) standbys.set(key, (standbys.get(key) ?? 0) + 1)
      }
      for (const { subtopologyId, taskCount, isStateful } of input.subtopologies) {
        for (let partition = 0; partition < taskCount; partition++) {
          expect(standbys.get(`${subtopologyId}_${partition}`) ?? 0).toBe(isStateful ? wanted : 0)
        }
      }
    })
  })

  test('whoever is not above its share keeps its active tasks', () => {
    everyAssignment(({ input, assigned }) => {
      const tasks = input.subtopologies.reduce((sum, { taskCount }) => sum + taskCount, 0)
      const share = Math.floor(tasks / input.members.length)
      for (const { memberId, target } of input.members) {
        const before = [...keysOf(target.active)]
        if (before.length > share) continue
        expect([...keysOf(assigned.get(memberId)!.active)]).toEqual(expect.arrayContaining(before))
      }
    })
  })
})

function member(memberId: string, processId = memberId): TaskMember {
  return { memberId, processId, target: NO_TASKS }
}

const ONE_SUBTOPOLOGY = [{ subtopologyId: '0', taskCount: 6, isStateful: true }]

describe('by hand', () => {
  test('new threads share the tasks', () => {
    const members = ['a', 'b', 'c'].map((id) => member(id))
    const assigned = assignTasks({ members, subtopologies: ONE_SUBTOPOLOGY, standbyReplicas: 0 })
    expect([...assigned.values()].map(({ active }) => count(active))).toEqual([2, 2, 2])
  })

  test('a process with more threads gets more', () => {
    const members = [member('a', 'big'), member('b', 'big'), member('c', 'small')]
    const assigned = assignTasks({ members, subtopologies: ONE_SUBTOPOLOGY, standbyReplicas: 0 })
    expect([...assigned.values()].map(({ active }) => count(active))).toEqual([2, 2, 2])
  })

  test('one that comes takes only what it needs', () => {
    const first = assignTasks({ members: [member('a')], subtopologies: ONE_SUBTOPOLOGY, standbyReplicas: 0 })
    const members = [{ ...member('a'), target: first.get('a')! }, member('b')]
    const second = assignTasks({ members, subtopologies: ONE_SUBTOPOLOGY, standbyReplicas: 0 })
    expect(count(second.get('a')!.active)).toBe(3)
    expect(count(second.get('b')!.active)).toBe(3)
  })

  test('where one goes, its tasks go to their standbys', () => {
    const members = ['a', 'b', 'c'].map((id) => member(id))
    const first = assignTasks({ members, subtopologies: ONE_SUBTOPOLOGY, standbyReplicas: 1 })
    const left = ['b', 'c'].map((id) => ({ ...member(id), target: first.get(id)! }))
    const second = assignTasks({ members: left, subtopologies: ONE_SUBTOPOLOGY, standbyReplicas: 1 })
    const orphaned = new Set(keysOf(first.get('a')!.active))
    for (const { memberId, target } of left) {
      const warm = new Set(keysOf(target.standby))
      const gained = [...keysOf(second.get(memberId)!.active)].filter((key) => orphaned.has(key))
      expect(gained.every((key) => warm.has(key))).toBe(true)
    }
  })

  test('a single process has no standbys', () => {
    const members = [member('a', 'one'), member('b', 'one')]
    const assigned = assignTasks({ members, subtopologies: ONE_SUBTOPOLOGY, standbyReplicas: 2 })
    for (const { standby } of assigned.values()) expect(count(standby)).toBe(0)
  })

  test('more threads than tasks: some have nothing to do', () => {
    const members = Array.from({ length: 9 }, (_, index) => member(`m${index}`))
    const assigned = assignTasks({ members, subtopologies: ONE_SUBTOPOLOGY, standbyReplicas: 0 })
    const counts = [...assigned.values()].map(({ active }) => count(active)).toSorted()
    expect(counts).toEqual([0, 0, 0, 1, 1, 1, 1, 1, 1])
  })
})
