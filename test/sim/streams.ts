/**
 * Members of a streams group (KIP-1071): they say which tasks they have, give up what they must, commit positions of their tasks, lose answers,
 * vanish and come back. No two of them have a task at the same time, no process has one twice, and epochs do not go back.
 */
import { ErrorCode } from '../../src/protocol/errors.ts'
import {
  StreamsGroupHeartbeatRequest,
  StreamsGroupHeartbeatResponse,
} from '../../src/protocol/messages/88-streams-group-heartbeat.ts'
import type { Input } from '../../src/protocol/schema.ts'
import { Refused, type SimClient } from './client.ts'
import { type Beliefs, commit } from './members.ts'
import { ConnectionLost } from './wire.ts'

export const STREAMS_SESSION_TIMEOUT_MS = 10_000
const REBALANCE_TIMEOUT_MS = 120_000

export interface StreamsSetup {
  /** Who has which active task, as `SUBTOPOLOGY_PARTITION` and as partitions of its topic. */
  readonly beliefs: Beliefs
  /** The topic that each subtopology reads. */
  readonly sources: Readonly<Record<string, string>>
  readonly processId: string
}

type TaskIds = readonly { readonly subtopologyId: string; readonly partitions: readonly number[] }[]

const NOT_NOW: ReadonlySet<number> = new Set([
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.NOT_COORDINATOR,
])

export async function runStreamsMember(client: SimClient, setup: StreamsSetup): Promise<void> {
  client.dropsLate = true
  while (!client.isEnding()) {
    const memberId = client.random.uuid()
    try {
      await client.findCoordinator(0, setup.beliefs.group)
      await streamsSession(client, setup, memberId)
    } catch (error) {
      if (error instanceof Refused) client.model.problems.push(`${client.name}: ${error.message}`)
      else if (!(error instanceof ConnectionLost)) throw error
    }
    setup.beliefs.giveUp(client)
    client.leave()
    await client.rest()
  }
}

function topologyOf(sources: StreamsSetup['sources']) {
  const subtopologies = Object.entries(sources).map(([subtopologyId, topic]) => ({
    subtopologyId,
    sourceTopics: [topic],
    sourceTopicRegex: [],
    stateChangelogTopics: [
      { name: `changelog-${subtopologyId}`, partitions: 0, replicationFactor: 0, topicConfigs: [] },
    ],
    repartitionSinkTopics: [],
    repartitionSourceTopics: [],
    copartitionGroups: [],
  }))
  return { epoch: 1, subtopologies }
}

/** From joining to leaving, being fenced, or vanishing. */
async function streamsSession(client: SimClient, setup: StreamsSetup, memberId: string): Promise<void> {
  const { world } = client
  const { beliefs, sources, processId } = setup
  let epoch = 0
  let saysEverything = true
  let active: TaskIds = []
  let standby: TaskIds = []
  const owned = () => ({ activeTasks: listed(active), standbyTasks: listed(standby), warmupTasks: [] })
  while (!client.isEnding()) {
    const identity = { groupId: beliefs.group, memberId, memberEpoch: epoch, endpointInformationEpoch: -1 }
    const sentMs = world.clock.now()
    const joining = { topology: topologyOf(sources), rebalanceTimeoutMs: REBALANCE_TIMEOUT_MS, processId }
    const request =
      epoch === 0 ? { ...identity, ...joining, ...owned() } : saysEverything ? { ...identity, ...owned() } : identity
    let answer: Awaited<ReturnType<typeof heartbeat>>
    try {
      answer = await heartbeat(client, request)
    } catch (error) {
      if (!(error instanceof ConnectionLost) || client.chance(0.3)) throw error
      // Its session goes on; it says everything again.
      saysEverything = true
      await client.rest()
      continue
    }
    const { errorCode, memberEpoch } = answer
    if (NOT_NOW.has(errorCode)) {
      await client.rest()
      continue
    }
    if (errorCode === ErrorCode.FENCED_MEMBER_EPOCH || errorCode === ErrorCode.UNKNOWN_MEMBER_ID) return
    // A task of a topic that was deleted: whoever says that it has it joins anew.
    if (errorCode === ErrorCode.INVALID_REQUEST && saysEverything && epoch > 0) return
    if (errorCode !== ErrorCode.NONE) throw new Refused('StreamsGroupHeartbeat', errorCode)
    if (memberEpoch < epoch) client.model.problems.push(`${client.name}: epoch ${memberEpoch} after ${epoch}`)
    epoch = memberEpoch
    const untilMs = sentMs + STREAMS_SESSION_TIMEOUT_MS
    beliefs.extend(client, untilMs)
    saysEverything = false
    if (answer.activeTasks !== null) {
      active = answer.activeTasks
      standby = answer.standbyTasks ?? []
      checkRoles(client, setup, active, standby)
      beliefs.believe(client, partitionsOf(active, sources), world.clock.now(), untilMs)
      saysEverything = true
    }
    if (client.chance(0.2)) await commit(client, beliefs, { memberId, generation: epoch })
    if (client.chance(0.03)) {
      beliefs.giveUp(client)
      await heartbeat(client, { ...identity, memberEpoch: -1 })
      return
    }
    await client.rest()
  }
}

async function heartbeat(client: SimClient, request: Input<typeof StreamsGroupHeartbeatRequest>) {
  const answer = await client.wire.ask(StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse, 0, request)
  return answer.value
}

const listed = (tasks: TaskIds) =>
  tasks.map(({ subtopologyId, partitions }) => ({ subtopologyId, partitions: [...partitions] }))

const namesOf = (tasks: TaskIds) =>
  tasks.flatMap(({ subtopologyId, partitions }) => partitions.map((partition) => `${subtopologyId}_${partition}`))

/** The state of a task is one folder per process: nobody may have it in two roles. */
function checkRoles(client: SimClient, { beliefs }: StreamsSetup, active: TaskIds, standby: TaskIds): void {
  const both = namesOf(active).filter((task) => namesOf(standby).includes(task))
  if (both.length > 0) client.model.problems.push(`${beliefs.group}: ${client.name} has ${both.join()} in two roles`)
}

function partitionsOf(tasks: TaskIds, sources: StreamsSetup['sources']): string[] {
  return tasks.flatMap(({ subtopologyId, partitions }) =>
    partitions.map((partition) => `${sources[subtopologyId]}-${partition}`),
  )
}
