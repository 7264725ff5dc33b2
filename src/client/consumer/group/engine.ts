/**
 * A member of a group as a state machine: events go in, actions come out, and nothing else happens. There is one engine per
 * group protocol (classic-engine.ts, consumer-engine.ts); membership.ts carries the actions out and reports back.
 *
 * What must hold of every engine:
 * - What it calls its own (`owned`) is never also another member's, as long as the broker counts session timeouts as
 *   Kafka does: a member whose heartbeats were not answered for a session timeout gives everything up by itself.
 * - A partition is given up in two steps: the action `revoke`, and the event `revoked` when nothing is processed or
 *   committed of it any more. Only then may the broker hear that it is free.
 * - After any sequence of events there is either a request under way, a revocation under way, or a deadline: no member
 *   is ever stuck.
 */

import type { JoinGroupRequest, JoinGroupResponse } from '../../../protocol/messages/11-join-group.ts'
import type { HeartbeatRequest, HeartbeatResponse } from '../../../protocol/messages/12-heartbeat.ts'
import type { LeaveGroupRequest, LeaveGroupResponse } from '../../../protocol/messages/13-leave-group.ts'
import type { SyncGroupRequest, SyncGroupResponse } from '../../../protocol/messages/14-sync-group.ts'
import type {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponse,
} from '../../../protocol/messages/68-consumer-group-heartbeat.ts'
import type { Input } from '../../../protocol/schema.ts'
import type { TopicPartition } from '../topic-partition.ts'
import type { Assignments, GroupMember } from './assignors/assignor.ts'

/** What is sent; the API and its field values. */
export type GroupRequest =
  | { readonly api: 'join'; readonly body: Input<typeof JoinGroupRequest> }
  | { readonly api: 'sync'; readonly body: Input<typeof SyncGroupRequest> }
  | { readonly api: 'heartbeat'; readonly body: Input<typeof HeartbeatRequest> }
  | { readonly api: 'leave'; readonly body: Input<typeof LeaveGroupRequest> }
  | { readonly api: 'consumerHeartbeat'; readonly body: Input<typeof ConsumerGroupHeartbeatRequest> }

/** The same names as in the request that is answered. */
export type GroupResponse =
  | { readonly api: 'join'; readonly body: JoinGroupResponse }
  | { readonly api: 'sync'; readonly body: SyncGroupResponse }
  | { readonly api: 'heartbeat'; readonly body: Pick<HeartbeatResponse, 'errorCode'> }
  | { readonly api: 'leave'; readonly body: Pick<LeaveGroupResponse, 'errorCode'> }
  | { readonly api: 'consumerHeartbeat'; readonly body: ConsumerGroupHeartbeatResponse }

export interface GroupSubscription {
  /** Names; what an expression matches is already among them in the classic protocol. */
  readonly topics: readonly string[]
  /** For the broker to match, in the syntax of RE2; only in the consumer protocol. */
  readonly pattern: string | null
}

export type GroupEvent =
  /** What to subscribe to, at first and whenever it changes. */
  | { readonly type: 'subscribe'; readonly subscription: GroupSubscription }
  | { readonly type: 'answered'; readonly attempt: number; readonly response: GroupResponse }
  /** No answer came. It may still have been executed. */
  | { readonly type: 'unanswered'; readonly attempt: number }
  /** The leader's work is done. */
  | { readonly type: 'computed'; readonly attempt: number; readonly assignments: Assignments }
  | { readonly type: 'resolved'; readonly names: ReadonlyMap<string, string> }
  | { readonly type: 'revoked'; readonly round: number }
  /** The partitions of a subscribed topic are others than when they were dealt out. */
  | { readonly type: 'rejoin' }
  /** The application has not asked for records for too long, and then asked again. */
  | { readonly type: 'overdue' }
  | { readonly type: 'polled' }
  | { readonly type: 'tick' }
  | { readonly type: 'leave' }

export type GroupAction =
  | { readonly type: 'send'; readonly attempt: number; readonly request: GroupRequest }
  /** Ask again who coordinates the group before the next request. */
  | { readonly type: 'forgetCoordinator' }
  /** As the leader: deal out; answered by `computed`. */
  | {
      readonly type: 'compute'
      readonly attempt: number
      readonly assignor: string
      readonly members: readonly GroupMember[]
    }
  /** Find the names of these topic ids; answered by `resolved`. */
  | { readonly type: 'resolve'; readonly topicIds: readonly string[] }
  /** `lost`: they may be somebody else's already, and nothing can be committed. Answered by `revoked`. */
  | {
      readonly type: 'revoke'
      readonly round: number
      readonly partitions: readonly TopicPartition[]
      readonly lost: boolean
    }
  /** These are the member's from now on, beside what it has. Also sent empty, so that everybody hears of every generation. */
  | { readonly type: 'assign'; readonly partitions: readonly TopicPartition[] }
  /** The coordinator does not speak this protocol, or this group does not. */
  | { readonly type: 'unsupported'; readonly errorCode: number }
  /** Not to be repaired by asking again. */
  | { readonly type: 'failed'; readonly errorCode: number; readonly message: string }
  | { readonly type: 'left' }

/** Who commits: what OffsetCommit names besides the offsets. */
export interface MemberIdentity {
  readonly memberId: string
  /** Generation of the classic protocol, epoch of the new one. */
  readonly generation: number
  readonly instanceId: string | null
}

export interface GroupEngine {
  readonly protocol: 'classic' | 'consumer'
  /** For people and diagnostics. */
  readonly phase: string
  readonly identity: MemberIdentity
  /** When a `tick` is due; Infinity when nothing is. */
  readonly deadlineMs: number
  /** Whether the broker takes commits of this member: not while a generation is being made. */
  readonly canCommit: boolean
  readonly isLeader: boolean
  /** The member that deals partitions out; null where the broker does. */
  readonly leaderId: string | null
  /** By what the partitions of this generation were dealt out; null where the broker chose it. */
  readonly assignor: string | null
  owned(): readonly TopicPartition[]
  handle(event: GroupEvent, nowMs: number): GroupAction[]
}
