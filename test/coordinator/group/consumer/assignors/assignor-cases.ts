/** Random groups whose members come, go and change their minds; each step assigns anew from the target before. */
import type { PartitionSet } from '../../../../../src/coordinator/group/consumer/assignment.ts'
import {
  ASSIGNORS,
  type AssignedMember,
  type Assignment,
  type AssignmentInput,
} from '../../../../../src/coordinator/group/consumer/assignors/assignor.ts'
import { inJavaOrder, uuidHash } from '../../../../../src/coordinator/group/consumer/assignors/java-order.ts'
import { assignSimply } from '../../../../../src/coordinator/group/share/assignor.ts'
import type { Random } from '../../../../support/random.ts'

export interface AssignmentCase {
  readonly assignor: string
  readonly topics: ReadonlyMap<string, number>
  readonly input: AssignmentInput
  readonly assigned: Assignment
}

export interface CaseOptions {
  readonly assignor: string
  readonly homogeneous: boolean
  readonly steps: number
}

export function assign(assignor: string, input: AssignmentInput): Assignment {
  if (assignor === 'simple') return assignShared(input)
  const run = ASSIGNORS.get(assignor)
  if (run === undefined) throw new Error(`no assignor ${assignor}`)
  return run(input)
}

/** A broker walks the names of topics, the program that is compared with their ids. */
function assignShared({ members, homogeneous, partitionCount }: AssignmentInput): Assignment {
  return assignSimply({
    members: members.map((member) => ({ ...member, subscribed: new Set(inJavaOrder(member.subscribed, uuidHash)) })),
    homogeneous,
    assignable: (topicId) => upTo(partitionCount(topicId)),
  })
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, partition) => partition)
}

function someOf<T>(random: Random, all: readonly T[], chance: number): Set<T> {
  return new Set(all.filter(() => random.chance(chance)))
}

export function* groupHistory(random: Random, options: CaseOptions): Generator<AssignmentCase> {
  const topics = new Map<string, number>()
  const ids = Array.from({ length: 1 + random.below(6) }, () => random.bytes(16).toString('base64url'))
  for (const id of ids) topics.set(id, 1 + random.below(random.chance(0.2) ? 40 : 9))
  let members: AssignedMember[] = []
  let names = 0
  let common = someOf(random, ids, 0.8)
  for (let step = 0; step < options.steps; step++) {
    if (random.chance(0.2)) common = someOf(random, ids, 0.8)
    members = members.filter(() => !random.chance(0.15))
    const joining = 1 + random.below(4)
    for (let count = 0; count < joining; count++) {
      const memberId = random.chance(0.5) ? `member-${names++}` : random.bytes(16).toString('hex')
      const instanceId = random.chance(0.3) ? `instance-${random.below(1000)}-${names++}` : null
      members.push({ memberId, instanceId, subscribed: someOf(random, ids, 0.6), target: new Map() })
    }
    if (options.homogeneous) members = members.map((member) => ({ ...member, subscribed: common }))
    else if (random.chance(0.3)) {
      members = members.map((member) =>
        random.chance(0.3) ? { ...member, subscribed: someOf(random, ids, 0.6) } : member,
      )
    }
    if (random.chance(0.2)) topics.set(random.pick(ids), 1 + random.below(12) + Math.max(...topics.values()))
    const input: AssignmentInput = {
      members,
      homogeneous: options.homogeneous,
      partitionCount: (topicId) => topics.get(topicId) ?? 0,
    }
    const assigned = assign(options.assignor, input)
    yield { assignor: options.assignor, topics: new Map(topics), input, assigned }
    members = members.map((member) => ({ ...member, target: assigned.get(member.memberId) ?? new Map() }))
  }
}

/** Order matters to Kafka's assignors where hashes collide. */
function setText(set: PartitionSet): string {
  const topics = [...set].filter(([, partitions]) => partitions.size > 0)
  return topics.map(([id, partitions]) => `${id}:${[...partitions].join('.')}`).join(',')
}

function sortedText(set: PartitionSet): string {
  const topics = [...set].sort(([one], [other]) => (one < other ? -1 : 1))
  return setText(new Map(topics.map(([id, partitions]) => [id, new Set([...partitions].sort((a, b) => a - b))])))
}

/** As test/support/assignors/Assignors.java reads it. */
export function caseText({ assignor, topics, input }: AssignmentCase): string {
  const lines = [`${assignor} ${input.homogeneous ? 'homogeneous' : 'heterogeneous'}`]
  for (const [id, count] of topics) lines.push(`T ${id} ${count}`)
  for (const { memberId, instanceId, subscribed, target } of input.members) {
    lines.push(`M ${memberId} ${instanceId ?? '-'} ${[...subscribed].join(',') || '-'} ${setText(target) || '-'}`)
  }
  return `${lines.join('\n')}\n.\n`
}

/** As it answers. */
export function answerText({ input, assigned }: AssignmentCase): string {
  const ids = input.members.map(({ memberId }) => memberId).sort()
  return `${ids.map((id) => `${id} ${sortedText(assigned.get(id) ?? new Map())}\n`).join('')}.\n`
}
