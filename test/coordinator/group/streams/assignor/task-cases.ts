/** Random applications whose threads come, go and move between processes; each step assigns anew from the target before. */
import {
  type AssignedSubtopology,
  assignTasks,
  type TaskAssignment,
  type TaskAssignmentInput,
  type TaskMember,
} from '../../../../../src/coordinator/group/streams/assignor/sticky.ts'
import { listedTasks, NO_TASKS, type TaskSet } from '../../../../../src/coordinator/group/streams/tasks.ts'
import type { Random } from '../../../../support/random.ts'

export interface TaskCase {
  readonly input: TaskAssignmentInput
  readonly assigned: TaskAssignment
}

function randomSubtopologies(random: Random): AssignedSubtopology[] {
  const count = 1 + random.below(random.chance(0.1) ? 14 : 4)
  return Array.from({ length: count }, (_, index) => ({
    subtopologyId: String(index),
    taskCount: 1 + random.below(random.chance(0.2) ? 30 : 8),
    isStateful: random.chance(0.7),
  })).sort((one, other) => (one.subtopologyId < other.subtopologyId ? -1 : 1))
}

export function* taskHistory(random: Random, steps: number): Generator<TaskCase> {
  let subtopologies = randomSubtopologies(random)
  let standbyReplicas = random.below(3)
  let members: TaskMember[] = []
  let names = 0
  const processes = Array.from({ length: 1 + random.below(6) }, () => random.bytes(8).toString('hex'))
  for (let step = 0; step < steps; step++) {
    members = members.filter(() => !random.chance(0.15))
    const joining = random.below(4) + (members.length === 0 ? 1 : 0)
    for (let count = 0; count < joining; count++) {
      const memberId = random.chance(0.5) ? `member-${names++}` : random.bytes(16).toString('base64url')
      members.push({ memberId, processId: random.pick(processes), target: NO_TASKS })
    }
    if (random.chance(0.1)) standbyReplicas = random.below(3)
    if (random.chance(0.1)) {
      subtopologies = subtopologies.map((each) => ({ ...each, taskCount: each.taskCount + random.below(3) }))
    }
    const input = { members, subtopologies, standbyReplicas }
    const assigned = assignTasks(input)
    yield { input, assigned }
    members = members.map((member) => ({ ...member, target: assigned.get(member.memberId) ?? NO_TASKS }))
  }
}

export function tasksText(tasks: TaskSet): string {
  const listed = listedTasks(tasks).filter(({ partitions }) => partitions.length > 0)
  return listed.map(({ subtopologyId, partitions }) => `${subtopologyId}:${partitions.join('.')}`).join(',') || '-'
}

/** As test/support/assignors/TaskAssignor.java reads it. */
export function caseText({ input }: TaskCase): string {
  const lines = [`sticky ${input.standbyReplicas}`]
  for (const { subtopologyId, taskCount, isStateful } of input.subtopologies) {
    lines.push(`S ${subtopologyId} ${taskCount} ${isStateful ? 'stateful' : 'stateless'}`)
  }
  for (const { memberId, processId, target } of input.members) {
    lines.push(`M ${memberId} ${processId} ${tasksText(target.active)} ${tasksText(target.standby)}`)
  }
  return `${lines.join('\n')}\n.\n`
}

/** As it answers. */
export function answerText({ assigned }: TaskCase): string {
  const lines = [...assigned]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([memberId, { active, standby }]) => `${memberId} ${tasksText(active)} ${tasksText(standby)}\n`)
  return `${lines.join('')}.\n`
}
