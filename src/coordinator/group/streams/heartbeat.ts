/**
 * StreamsGroupHeartbeat: the one request of the streams protocol (KIP-1071). A member joins with epoch 0 and its topology, says what
 * changed and which tasks it has, and hears its epoch, its tasks, and why there may be none; with -1 it leaves.
 */
import { ErrorCode } from '../../../protocol/errors.ts'
import { Draft, Refusal } from '../consumer/draft.ts'
import { isReconciledTo } from '../consumer/member.ts'
import { hashGroup } from '../consumer/metadata-hash.ts'
import type { GroupState } from '../state.ts'
import { type Turn, timerNames, type Waiter } from '../turn.ts'
import { type ConfiguredTopology, configureTopology, type InternalTopic } from './configure.ts'
import { type EndpointAssignment, endpointAssignments } from './endpoints.ts'
import { StreamsGroup } from './group.ts'
import { type Endpoint, newStreamsMember, type StreamsMember, sameDescription, sameStreamsProgress } from './member.ts'
import { reconcileStreamsMember } from './reconcile.ts'
import { fenceStreamsMember } from './removal.ts'
import { StreamsStatus, type StreamsStatusRow } from './status.ts'
import { isFirstDelayRunning, STANDBY_REPLICAS_CONFIG, type StreamsTarget, updateStreamsTarget } from './target.ts'
import { type HeldTasks, holdsAllTasks, sameHeldTasks, type Tasks } from './tasks.ts'
import { requiredTopics, sameTopology, type Topology } from './topology.ts'

export interface StreamsHeartbeatInput {
  readonly groupId: string
  readonly memberId: string
  readonly memberEpoch: number
  /** What the member has heard last of the endpoints. */
  readonly endpointEpoch: number
  readonly clientId: string
  readonly clientHost: string
  /** From here on null, or -1, means that it is as before. */
  readonly rackId: string | null
  readonly rebalanceTimeoutMs: number
  readonly topology: Topology | null
  readonly owned: Tasks | null
  readonly processId: string | null
  readonly userEndpoint: Endpoint | null
  readonly clientTags: ReadonlyMap<string, string> | null
  /** The whole application is to end. */
  readonly shutdown: boolean
}

export interface StreamsHeartbeatResult {
  readonly errorCode: ErrorCode
  readonly errorMessage: string | null
  readonly memberId: string
  readonly memberEpoch: number
  readonly heartbeatIntervalMs: number
  readonly statuses: readonly StreamsStatusRow[]
  /** null: as before. */
  readonly tasks: HeldTasks | null
  readonly endpointEpoch: number
  /** null: as before. */
  readonly endpoints: readonly EndpointAssignment[] | null
  /** To be created by whoever answers the request, with the rights of who sent it. */
  readonly missingTopics: readonly InternalTopic[]
}

const NOTHING = {
  errorCode: ErrorCode.NONE,
  errorMessage: null,
  heartbeatIntervalMs: 0,
  statuses: [],
  tasks: null,
  endpointEpoch: 0,
  endpoints: null,
  missingTopics: [],
} as const

/** Beyond this the group cannot grow. */
const TOO_LARGE = 'The records of the group do not fit into one batch of the offsets topic.'

export function streamsHeartbeatFailure(errorCode: ErrorCode, errorMessage: string | null): StreamsHeartbeatResult {
  return { ...NOTHING, errorCode, errorMessage, memberId: '', memberEpoch: 0 }
}

export function streamsHeartbeat(
  state: GroupState,
  turn: Turn,
  input: StreamsHeartbeatInput,
  waiter: Waiter<StreamsHeartbeatResult>,
): void {
  const draft = new Draft(turn)
  const decided = input.memberEpoch < 0 ? leave(state, draft, input) : beat(state, draft, input)
  const result = draft.fits ? decided : new Refusal(ErrorCode.UNKNOWN_SERVER_ERROR, TOO_LARGE)
  if (result instanceof Refusal) {
    turn.answer(waiter, streamsHeartbeatFailure(result.errorCode, result.message))
    return
  }
  draft.commit()
  turn.answer(waiter, result)
}

function leave(state: GroupState, draft: Draft, input: StreamsHeartbeatInput): StreamsHeartbeatResult | Refusal {
  const { groupId, memberId, memberEpoch, shutdown } = input
  const group = state.groups.get(groupId)
  if (group === undefined) return new Refusal(ErrorCode.GROUP_ID_NOT_FOUND, `Group ${groupId} not found.`)
  if (group.type !== 'streams') return notStreams(groupId)
  if (group.member(memberId) === undefined) return unknownMember(groupId, memberId)
  if (shutdown) draft.effect(() => requestShutdown(group, memberId))
  fenceStreamsMember(draft, group, memberId)
  return { ...NOTHING, memberId, memberEpoch }
}

function notStreams(groupId: string): Refusal {
  return new Refusal(ErrorCode.GROUP_ID_NOT_FOUND, `Group ${groupId} is not a streams group.`)
}

function unknownMember(groupId: string, memberId: string): Refusal {
  return new Refusal(ErrorCode.UNKNOWN_MEMBER_ID, `Member ${memberId} is not a member of group ${groupId}.`)
}

function requestShutdown({ soft }: StreamsGroup, memberId: string): void {
  soft.shutdownRequestedBy ??= memberId
}

/** The group there is, or a new one: in the place of none, or of a classic one without members. */
function openStreamsGroup(
  state: GroupState,
  draft: Draft,
  groupId: string,
  mayCreate: boolean,
): StreamsGroup | Refusal {
  const group = state.groups.get(groupId)
  if (group?.type === 'streams') return group
  if (group === undefined) {
    if (mayCreate) return new StreamsGroup(groupId)
    return new Refusal(ErrorCode.GROUP_ID_NOT_FOUND, `Streams group ${groupId} not found.`)
  }
  if (!mayCreate || group.type !== 'classic' || group.state !== 'Empty') return notStreams(groupId)
  draft.write({ type: 'group-metadata', group: groupId, value: null })
  return new StreamsGroup(groupId)
}

function beat(state: GroupState, draft: Draft, input: StreamsHeartbeatInput): StreamsHeartbeatResult | Refusal {
  const { turn } = draft
  const { groupId, memberId } = input
  const isJoining = input.memberEpoch === 0
  const group = openStreamsGroup(state, draft, groupId, isJoining)
  if (group instanceof Refusal) return group
  const { membersMax } = turn.config.streams
  if (isJoining && group.size >= membersMax) {
    const message = `The streams group has reached its maximum capacity of ${membersMax} members.`
    return new Refusal(ErrorCode.GROUP_MAX_SIZE_REACHED, message)
  }
  const before = group.member(memberId) ?? (isJoining ? newStreamsMember(memberId) : unknownMember(groupId, memberId))
  if (before instanceof Refusal) return before
  const after = updated(before, input)
  const refusal = checkEpoch(before, input)
  if (refusal !== null) return refusal
  const isChanged = !sameDescription(before, after)
  if (isChanged) draft.write({ type: 'streams-member', group: groupId, memberId, value: after })
  const topology = writeTopology(draft, group, input.topology)
  if (topology instanceof Refusal) return topology
  const prepared = prepare(draft, group, { isChanged, topology, owned: input.owned })
  if (prepared instanceof Refusal) return prepared
  const isDelayed = delayFirstAssignment(draft, group)
  const target = updateStreamsTarget(draft, group, { ...prepared, changed: after, isDelayed })
  const member = step(draft, group, { member: after, target, owned: input.owned })
  if (member instanceof Refusal) return member
  const { sessionTimeoutMs } = turn.streamsSettings(groupId)
  draft.effect(() => turn.schedule({ kind: 'streams-session', groupId, memberId }, sessionTimeoutMs))
  return answer(state, draft, group, { before, member, input, target, configured: prepared.topology })
}

/** The member with what the request changes. */
function updated(member: StreamsMember, input: StreamsHeartbeatInput): StreamsMember {
  return {
    ...member,
    rackId: input.rackId ?? member.rackId,
    rebalanceTimeoutMs: input.rebalanceTimeoutMs === -1 ? member.rebalanceTimeoutMs : input.rebalanceTimeoutMs,
    topologyEpoch: input.topology?.epoch ?? member.topologyEpoch,
    clientId: input.clientId,
    clientHost: input.clientHost,
    processId: input.processId ?? member.processId,
    clientTags: input.clientTags ?? member.clientTags,
    userEndpoint: input.userEndpoint ?? member.userEndpoint,
  }
}

/** Fenced are epochs that the member cannot have; the one before its own it has if our last answer was lost. */
function checkEpoch(
  { memberEpoch, previousMemberEpoch, assigned }: StreamsMember,
  { memberEpoch: received, owned }: StreamsHeartbeatInput,
): Refusal | null {
  if (received === 0 || received === memberEpoch) return null
  const isLate = received < memberEpoch && received === previousMemberEpoch
  if (isLate && owned !== null && holdsAllTasks(assigned, owned)) return null
  const how = received > memberEpoch ? 'greater' : 'smaller'
  const message = `The streams group member has a ${how} member epoch (${received}) than the one known by the group coordinator (${memberEpoch}). The member must abandon all its partitions and rejoin.`
  return new Refusal(ErrorCode.FENCED_MEMBER_EPOCH, message)
}

/** The group's topology: that of its first member. Others must have the same, or an older one, with which they run along. */
function writeTopology(draft: Draft, group: StreamsGroup, received: Topology | null): Topology | Refusal {
  const { groupId, topology } = group
  // Kafka stumbles over it, and its answer is taken over.
  if (received !== null && received.epoch < 0) return new Refusal(ErrorCode.UNKNOWN_SERVER_ERROR, null)
  if (topology === null) {
    if (received === null) return new Refusal(ErrorCode.UNKNOWN_SERVER_ERROR, null)
    draft.write({ type: 'streams-topology', group: groupId, value: received })
    return received
  }
  if (received === null || topology.epoch > received.epoch || sameTopology(topology, received)) return topology
  return new Refusal(ErrorCode.INVALID_REQUEST, 'Topology updates are not supported yet.')
}

interface Preparation {
  /** What the member says of itself. */
  readonly isChanged: boolean
  readonly topology: Topology
  readonly owned: Tasks | null
}

interface Prepared {
  readonly epoch: number
  readonly topology: ConfiguredTopology
  readonly assignmentConfigs: ReadonlyMap<string, string>
}

/** What topics there are, and the group epoch that comes of that and of what the member says. */
function prepare(draft: Draft, group: StreamsGroup, { isChanged, topology, owned }: Preparation): Prepared | Refusal {
  const { turn } = draft
  const { groupId } = group
  const looked = lookAtTopics(turn, group, topology)
  if (looked instanceof Refusal) return looked
  const { metadataHash, configured } = looked
  const isReady = configured.problem === null
  const invalid = isReady ? checkOwned(configured, owned) : null
  if (invalid !== null) return invalid
  const validatedTopologyEpoch = isReady ? topology.epoch : -1
  const assignmentConfigs = new Map([[STANDBY_REPLICAS_CONFIG, String(turn.streamsSettings(groupId).standbyReplicas)]])
  draft.effect(() => {
    group.soft.configured = configured
    group.soft.isMetadataStale = false
  })
  const isAsBefore =
    !isChanged &&
    metadataHash === group.metadataHash &&
    validatedTopologyEpoch === group.validatedTopologyEpoch &&
    sameConfigs(assignmentConfigs, group.assignmentConfigs)
  if (isAsBefore) return { epoch: group.epoch, topology: configured, assignmentConfigs }
  const value = { epoch: group.epoch + 1, metadataHash, validatedTopologyEpoch, assignmentConfigs }
  draft.write({ type: 'streams-group', group: groupId, value })
  return { epoch: value.epoch, topology: configured, assignmentConfigs }
}

function sameConfigs(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): boolean {
  return one.size === other.size && [...one].every(([key, value]) => other.get(key) === value)
}

interface LookedAt {
  readonly metadataHash: bigint
  readonly configured: ConfiguredTopology
}

/** Looks at the topics again if that is due; the topology is held against them if they changed. */
function lookAtTopics(turn: Turn, group: StreamsGroup, topology: Topology): LookedAt | Refusal {
  const { soft, metadataHash: known } = group
  if (soft.configured !== null && !soft.isMetadataStale) return { metadataHash: known, configured: soft.configured }
  const metadataHash = hashGroup(requiredTopics(topology), (name) => turn.topics.metadataHash(name))
  if (soft.configured !== null && metadataHash === known) return { metadataHash, configured: soft.configured }
  const configured = configureTopology(topology, turn.topics)
  return configured instanceof Refusal ? configured : { metadataHash, configured }
}

/** Tasks that the topology does not have. */
function checkOwned({ subtopologies }: ConfiguredTopology, owned: Tasks | null): Refusal | null {
  const sets = owned === null ? [] : [owned.active, owned.standby, owned.warmup]
  for (const [subtopologyId, partitions] of sets.flatMap((set) => [...set])) {
    const taskCount = subtopologies?.get(subtopologyId)?.taskCount
    if (taskCount === undefined) {
      const message = `Subtopology ${subtopologyId} does not exist in the topology.`
      return new Refusal(ErrorCode.INVALID_REQUEST, message)
    }
    for (const partition of partitions) {
      if (partition >= 0 && partition < taskCount) continue
      const message = `Task ${partition} for subtopology ${subtopologyId} is invalid. Number of tasks for this subtopology: ${taskCount}`
      return new Refusal(ErrorCode.INVALID_REQUEST, message)
    }
  }
  return null
}

/** Whether the first assignment waits for more members. The first of them starts the delay. */
function delayFirstAssignment(draft: Draft, group: StreamsGroup): boolean {
  const { turn } = draft
  const { groupId } = group
  const { initialRebalanceDelayMs } = turn.streamsSettings(groupId)
  const begins = group.size === 0 && initialRebalanceDelayMs > 0
  if (begins) {
    draft.effect(() => turn.scheduleIfAbsent({ kind: 'streams-delay', groupId }, initialRebalanceDelayMs))
  }
  return begins || isFirstDelayRunning(turn, groupId)
}

interface Step {
  readonly member: StreamsMember
  readonly target: StreamsTarget
  readonly owned: Tasks | null
}

/** The member's step towards its target. */
function step(draft: Draft, group: StreamsGroup, { member, target, owned }: Step): StreamsMember | Refusal {
  if (isReconciledTo(member, target.epoch)) return member
  const { holders, groupId } = group
  const after = reconcileStreamsMember({ member, target: target.tasks, targetEpoch: target.epoch, owned, holders })
  if (after === 'fenced') {
    const message = 'The streams group member is in a unknown state. The member must abandon all its tasks and rejoin.'
    return new Refusal(ErrorCode.FENCED_MEMBER_EPOCH, message)
  }
  if (sameStreamsProgress(after, member)) return member
  const { memberId, memberEpoch, rebalanceTimeoutMs, state } = after
  draft.write({ type: 'streams-progress', group: groupId, memberId, value: after })
  // A member that does not give tasks up in time is fenced: others wait for them.
  draft.effect((turn) => {
    if (state !== 'unrevoked') turn.cancel(timerNames.streams('rebalance', groupId, memberId))
    else turn.schedule({ kind: 'streams-rebalance', groupId, memberId, memberEpoch }, rebalanceTimeoutMs)
  })
  return after
}

interface Answered {
  readonly before: StreamsMember
  readonly member: StreamsMember
  readonly input: StreamsHeartbeatInput
  readonly target: StreamsTarget
  readonly configured: ConfiguredTopology
}

function answer(state: GroupState, draft: Draft, group: StreamsGroup, answered: Answered): StreamsHeartbeatResult {
  const { turn } = draft
  const { before, member, input, configured } = answered
  const { groupId, soft } = group
  const { memberId } = member
  const isShown = input.memberEpoch === 0 || !sameHeldTasks(before.assigned, member.assigned)
  const endpointEpoch = soft.endpointEpoch + (isShown && member.userEndpoint !== null ? 1 : 0)
  draft.effect(() => {
    soft.endpointEpoch = endpointEpoch
    if (input.shutdown) requestShutdown(group, memberId)
  })
  const others = [...group.members.values()].filter((each) => each.memberId !== memberId)
  return {
    errorCode: ErrorCode.NONE,
    errorMessage: null,
    memberId,
    memberEpoch: member.memberEpoch,
    heartbeatIntervalMs: turn.streamsSettings(groupId).heartbeatIntervalMs,
    statuses: statusesOf(group, answered),
    tasks: isShown ? member.assigned : null,
    // The epoch of a group that is only now made is lost with what made it, here as in Kafka.
    endpointEpoch: state.groups.has(groupId) ? endpointEpoch : 0,
    endpoints:
      endpointEpoch === input.endpointEpoch ? null : endpointAssignments([...others, member], configured, turn.topics),
    missingTopics: configured.missing,
  }
}

function statusesOf(group: StreamsGroup, { member, input, target, configured }: Answered): StreamsStatusRow[] {
  const statuses: StreamsStatusRow[] = []
  const groupEpoch = group.topology?.epoch ?? -1
  if (member.topologyEpoch < groupEpoch) {
    const detail = `The member's topology epoch ${member.topologyEpoch} is behind the group's topology epoch ${groupEpoch}.`
    statuses.push({ code: StreamsStatus.STALE_TOPOLOGY, detail })
  }
  if (target.status !== null) statuses.push(target.status)
  if (configured.problem !== null) statuses.push(configured.problem)
  const requester = group.soft.shutdownRequestedBy ?? (input.shutdown ? input.memberId : null)
  if (requester !== null) {
    const detail = `Streams group member ${requester} encountered a fatal error and requested a shutdown for the entire application.`
    statuses.push({ code: StreamsStatus.SHUTDOWN_APPLICATION, detail })
  }
  return statuses
}
