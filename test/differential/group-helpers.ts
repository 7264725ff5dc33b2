// Group requests in a few words, for cases that tell the story of a group.
import { FindCoordinatorRequest, FindCoordinatorResponse } from '../../src/protocol/messages/10-find-coordinator.ts'
import { JoinGroupRequest, JoinGroupResponse } from '../../src/protocol/messages/11-join-group.ts'
import { HeartbeatRequest, HeartbeatResponse } from '../../src/protocol/messages/12-heartbeat.ts'
import { LeaveGroupRequest, LeaveGroupResponse } from '../../src/protocol/messages/13-leave-group.ts'
import { SyncGroupRequest, SyncGroupResponse } from '../../src/protocol/messages/14-sync-group.ts'
import { DescribeGroupsRequest, DescribeGroupsResponse } from '../../src/protocol/messages/15-describe-groups.ts'
import type { Infer, Input } from '../../src/protocol/schema.ts'
import type { DifferentialBroker } from './broker.ts'

export type Joined = Infer<typeof JoinGroupResponse>
type JoinInput = Input<typeof JoinGroupRequest>

/** ConsumerProtocolSubscription version 0. */
export function subscription(...topics: string[]): Buffer {
  const names = topics.map((topic) => {
    const length = Buffer.alloc(2)
    length.writeInt16BE(Buffer.byteLength(topic))
    return Buffer.concat([length, Buffer.from(topic)])
  })
  const head = Buffer.alloc(6)
  head.writeInt32BE(topics.length, 2)
  return Buffer.concat([head, ...names, Buffer.from([0xff, 0xff, 0xff, 0xff])])
}

export function protocols(...names: string[]): JoinInput['protocols'] {
  return names.map((name) => ({ name, metadata: subscription('group-topic') }))
}

export function joining(groupId: string, more: Partial<JoinInput> = {}): JoinInput {
  return {
    groupId,
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    memberId: '',
    protocolType: 'consumer',
    protocols: protocols('range'),
    ...more,
  }
}

/** One client of a group, on a connection of its own; remembers its id. */
export class Participant {
  readonly name: string
  readonly #broker: DifferentialBroker
  readonly groupId: string
  memberId = ''
  generationId = -1
  instanceId: string | null

  constructor(broker: DifferentialBroker, groupId: string, name: string, instanceId: string | null = null) {
    this.#broker = broker
    this.groupId = groupId
    this.name = name
    this.instanceId = instanceId
  }

  /** Joins, with the second request that version 4 and above ask for. */
  async join(more: Partial<JoinInput> = {}, version = 9): Promise<Joined> {
    const first = await this.joinOnce(more, version)
    return first.errorCode === 79 ? this.joinOnce(more, version) : first
  }

  async joinOnce(more: Partial<JoinInput> = {}, version = 9): Promise<Joined> {
    const groupInstanceId = version < 5 ? null : this.instanceId
    const value = joining(this.groupId, { memberId: this.memberId, groupInstanceId, ...more })
    const connection = await this.#broker.connection(`${this.groupId}-${this.name}`)
    const answer = await connection.send(JoinGroupRequest, JoinGroupResponse, value, { version })
    if (answer.memberId !== '') {
      this.memberId = answer.memberId
      this.#broker.label(answer.memberId, `<${this.name}>`)
    }
    if (answer.errorCode === 0) this.generationId = answer.generationId
    return answer
  }

  async sync(
    assignments: [Participant, string][] = [],
    more: Partial<Input<typeof SyncGroupRequest>> = {},
    version = 5,
  ): Promise<Infer<typeof SyncGroupResponse>> {
    const connection = await this.#broker.connection(`${this.groupId}-${this.name}`)
    const value = {
      groupId: this.groupId,
      generationId: this.generationId,
      memberId: this.memberId,
      groupInstanceId: version < 3 ? null : this.instanceId,
      protocolType: 'consumer',
      protocolName: 'range',
      assignments: assignments.map(([{ memberId }, text]) => ({ memberId, assignment: Buffer.from(text) })),
      ...more,
    }
    return connection.send(SyncGroupRequest, SyncGroupResponse, value, { version })
  }

  async heartbeat(more: Partial<Input<typeof HeartbeatRequest>> = {}): Promise<number> {
    const connection = await this.#broker.connection(`${this.groupId}-${this.name}-heart`)
    const value = {
      groupId: this.groupId,
      generationId: this.generationId,
      memberId: this.memberId,
      groupInstanceId: this.instanceId,
      ...more,
    }
    return (await connection.send(HeartbeatRequest, HeartbeatResponse, value, { version: 4 })).errorCode
  }

  async leave(version = 5): Promise<Infer<typeof LeaveGroupResponse>> {
    const connection = await this.#broker.connection(`${this.groupId}-${this.name}-heart`)
    const { groupId, memberId, instanceId: groupInstanceId } = this
    const value =
      version < 3 ? { groupId, memberId, members: [] } : { groupId, members: [{ memberId, groupInstanceId }] }
    return connection.send(LeaveGroupRequest, LeaveGroupResponse, value, { version })
  }
}

export async function describeGroup(
  broker: DifferentialBroker,
  groupId: string,
  version = 6,
): Promise<Infer<typeof DescribeGroupsResponse>> {
  const connection = await broker.connection('describe')
  return connection.send(
    DescribeGroupsRequest,
    DescribeGroupsResponse,
    { groups: [groupId], includeAuthorizedOperations: false },
    { version },
  )
}

export async function untilState(broker: DifferentialBroker, groupId: string, state: string): Promise<void> {
  await broker.until(
    `${groupId} is ${state}`,
    async () => (await describeGroup(broker, groupId)).groups[0]?.groupState === state,
  )
}

/** Until the coordinator answers: the offsets topic is created when it is first asked for. */
export async function untilCoordinated(broker: DifferentialBroker): Promise<void> {
  const connection = await broker.connection('setup')
  await broker.until('there is a group coordinator', async () => {
    const value = { keyType: 0, coordinatorKeys: ['any'] }
    const answer = await connection.send(FindCoordinatorRequest, FindCoordinatorResponse, value, { version: 4 })
    return answer.coordinators[0]?.errorCode === 0
  })
  for (let index = 0; index < 20; index++) {
    // A group that nobody knows: once its shard is loaded the answer is UNKNOWN_MEMBER_ID.
    await broker.until('the coordinator has loaded', async () => {
      const participant = new Participant(broker, `untilCoordinated-${index}`, 'nobody')
      return (await participant.heartbeat({ memberId: 'nobody', generationId: 0 })) === 25
    })
  }
}

/** A stable group of the named members; the first is the leader and everybody is assigned its own name. */
export async function stableGroup(
  broker: DifferentialBroker,
  groupId: string,
  ...names: string[]
): Promise<Participant[]> {
  const members: Participant[] = []
  for (const name of names) {
    const member = new Participant(broker, groupId, name)
    members.push(member)
    await member.joinOnce()
    const joins = [member.joinOnce()]
    // The others must come back for the join phase to end.
    if (members.length > 1) {
      await untilState(broker, groupId, 'PreparingRebalance')
      joins.push(...members.slice(0, -1).map((other) => other.joinOnce()))
    }
    await Promise.all(joins)
    const leader = members[0] as Participant
    await Promise.all(members.map((each) => each.sync(each === leader ? members.map((one) => [one, one.name]) : [])))
  }
  return members
}
