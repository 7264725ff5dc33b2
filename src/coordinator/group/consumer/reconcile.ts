/**
 * The reconciliation of one member with its target (KIP-848): what it keeps, what it must give up, what it gets, and when its epoch goes on.
 *
 * | state       | when                                           | what happens                                                   |
 * |-------------|------------------------------------------------|----------------------------------------------------------------|
 * | stable      | in the target's epoch, subscription unchanged  | nothing                                                        |
 * | stable      | in the target's epoch, subscription changed    | partitions of dropped topics are to be given up                |
 * | stable      | in another epoch                               | next step                                                      |
 * | unrevoked   | still owns what it should give up, or is silent| as it is (and partitions of dropped topics besides)            |
 * | unrevoked   | has given everything up                        | next step                                                      |
 * | unreleased  |                                                | next step                                                      |
 * | unknown     | owns nothing                                   | next step, in the target's epoch; otherwise it is fenced       |
 *
 * The next step keeps what is in both. If something is left to give up, the member stays in its epoch and becomes `unrevoked`. Otherwise it
 * enters the target's epoch and gets what is free: `unreleased` if others still have some of its target, else `stable`.
 *
 * What must hold: no partition is assigned to a member while another has it, or has not given it up.
 */
import {
  type HeldPartitions,
  HOLDS_NOTHING,
  heldOf,
  heldTogether,
  holdsAny,
  type PartitionSet,
  partitionsOf,
  type TopicPartitionList,
} from './assignment.ts'
import type { ConsumerMember } from './member.ts'

export interface ReconcileInput {
  readonly member: ConsumerMember
  readonly target: PartitionSet
  readonly targetEpoch: number
  /** The member's subscription changed just now. */
  readonly subscriptionChanged: boolean
  /** Ids of existing topics that the member subscribes to, by name or by a resolved expression. */
  readonly subscribed: ReadonlySet<string>
  /** What the member says it has; null: it does not say. */
  readonly owned: readonly TopicPartitionList[] | null
  /** Nobody has the partition. */
  isFree(topicId: string, partition: number): boolean
}

/** The member as it is from now on, the same object if nothing changes; 'fenced': it must join anew. */
export function reconcile(input: ReconcileInput): ConsumerMember | 'fenced' {
  const { member, targetEpoch, owned } = input
  switch (member.state) {
    case 'stable':
      if (member.memberEpoch !== targetEpoch) return nextStep(input, member.memberEpoch)
      return input.subscriptionChanged ? dropUnsubscribed(input) : member
    case 'unrevoked':
      if (!stillOwns(owned, member.pendingRevocation)) return nextStep(input, member.memberEpoch)
      return input.subscriptionChanged ? dropUnsubscribed(input) : member
    case 'unreleased':
      return nextStep(input, member.memberEpoch)
    case 'unknown':
      return owned === null || owned.length > 0 ? 'fenced' : nextStep(input, targetEpoch)
  }
}

/** Silence is no proof that something was given up. */
function stillOwns(owned: readonly TopicPartitionList[] | null, held: HeldPartitions): boolean {
  return owned === null || holdsAny(held, owned)
}

/** Takes the partitions of topics that the member no longer subscribes to away; its epoch stays. */
function dropUnsubscribed({ member, subscribed, owned }: ReconcileInput): ConsumerMember {
  const dropped = new Map([...member.assigned].filter(([topicId]) => !subscribed.has(topicId)))
  if (dropped.size === 0) return member
  const assigned = new Map([...member.assigned].filter(([topicId]) => subscribed.has(topicId)))
  const pendingRevocation = heldTogether(member.pendingRevocation, dropped)
  const epochs = { previousMemberEpoch: member.memberEpoch, memberEpoch: member.memberEpoch }
  return stillOwns(owned, pendingRevocation)
    ? { ...member, ...epochs, state: 'unrevoked', assigned, pendingRevocation }
    : { ...member, ...epochs, assigned }
}

interface Split {
  readonly kept: HeldPartitions
  readonly revoked: HeldPartitions
  /** Of the target, free to be given. */
  readonly added: HeldPartitions
  readonly hasUnreleased: boolean
}

function nextStep(input: ReconcileInput, memberEpoch: number): ConsumerMember {
  const { member, targetEpoch, owned } = input
  const { kept, revoked, added, hasUnreleased } = split(input)
  const previousMemberEpoch = member.memberEpoch
  if (revoked.size > 0 && stillOwns(owned, revoked)) {
    const partitions = { assigned: kept, pendingRevocation: revoked }
    return { ...member, state: 'unrevoked', memberEpoch, previousMemberEpoch, ...partitions }
  }
  return {
    ...member,
    state: hasUnreleased ? 'unreleased' : 'stable',
    memberEpoch: targetEpoch,
    previousMemberEpoch,
    assigned: heldTogether(kept, added),
    pendingRevocation: HOLDS_NOTHING,
  }
}

function split(input: ReconcileInput): Split {
  const { member, target, targetEpoch, subscribed } = input
  const kept = new Map<string, ReadonlyMap<number, number>>()
  const revoked = new Map<string, ReadonlyMap<number, number>>()
  const added = new Map<string, ReadonlyMap<number, number>>()
  let hasUnreleased = false
  for (const topicId of new Set([...target.keys(), ...member.assigned.keys()])) {
    const wanted = subscribed.has(topicId) ? partitionsOf(target, topicId) : NOTHING
    const held = heldOf(member.assigned, topicId)
    const toKeep = new Map([...held].filter(([partition]) => wanted.has(partition)))
    const toRevoke = new Map([...held].filter(([partition]) => !wanted.has(partition)))
    const toAdd = new Map<number, number>()
    for (const partition of wanted) {
      if (toKeep.has(partition)) continue
      // What the member itself has yet to give up it may just as well keep: nobody else can have it.
      const own = heldOf(member.pendingRevocation, topicId).has(partition)
      if (own || input.isFree(topicId, partition)) toAdd.set(partition, targetEpoch)
      else hasUnreleased = true
    }
    if (toKeep.size > 0) kept.set(topicId, toKeep)
    if (toRevoke.size > 0) revoked.set(topicId, toRevoke)
    if (toAdd.size > 0) added.set(topicId, toAdd)
  }
  return { kept, revoked, added, hasUnreleased }
}

const NOTHING: ReadonlySet<number> = new Set()
