/**
 * What an assignor of consumer groups gets and gives. The broker assigns (KIP-848): members only name their topics and,
 * if they like, the assignor. All members vote with the name; `target.ts` counts.
 *
 * What must hold: every partition of every subscribed topic goes to exactly one member that subscribes to it; the same
 * input gives the same assignment.
 */
import type { PartitionSet } from '../assignment.ts'
import { assignRanges } from './range.ts'
import { assignUniformly } from './uniform.ts'

export interface AssignedMember {
  readonly memberId: string
  readonly instanceId: string | null
  /** Ids of topics that exist. */
  readonly subscribed: ReadonlySet<string>
  /** What it is to have up to now. */
  readonly target: PartitionSet
}

export interface AssignmentInput {
  /** In the order in which they joined. */
  readonly members: readonly AssignedMember[]
  /** All members subscribe to the same topics. */
  readonly homogeneous: boolean
  /** Of a topic that some member subscribes to. */
  partitionCount(topicId: string): number
}

/** By member id; a member that is not there gets nothing. */
export type Assignment = ReadonlyMap<string, PartitionSet>

export type Assignor = (input: AssignmentInput) => Assignment

/** The names that members may vote for; which of them are offered is the setting group.consumer.assignors. */
export const ASSIGNORS: ReadonlyMap<string, Assignor> = new Map<string, Assignor>([
  ['uniform', assignUniformly],
  ['range', assignRanges],
])
