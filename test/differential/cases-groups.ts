// FindCoordinator, JoinGroup, SyncGroup, Heartbeat and LeaveGroup.
import { FindCoordinatorRequest, FindCoordinatorResponse } from '../../src/protocol/messages/10-find-coordinator.ts'
import { JoinGroupRequest, JoinGroupResponse } from '../../src/protocol/messages/11-join-group.ts'
import { HeartbeatRequest, HeartbeatResponse } from '../../src/protocol/messages/12-heartbeat.ts'
import { LeaveGroupRequest, LeaveGroupResponse } from '../../src/protocol/messages/13-leave-group.ts'
import { SyncGroupRequest, SyncGroupResponse } from '../../src/protocol/messages/14-sync-group.ts'
import type { DifferentialBroker } from './broker.ts'
import { asks, type CaseGroup, type DifferentialCase } from './case.ts'
import {
  describeGroup,
  joining,
  Participant,
  protocols,
  stableGroup,
  subscription,
  untilCoordinated,
  untilState,
} from './group-helpers.ts'

const findCoordinator = asks(FindCoordinatorRequest, FindCoordinatorResponse)
const join = asks(JoinGroupRequest, JoinGroupResponse)
const sync = asks(SyncGroupRequest, SyncGroupResponse)
const heartbeat = asks(HeartbeatRequest, HeartbeatResponse)
const leave = asks(LeaveGroupRequest, LeaveGroupResponse)

/** A case that tells a story and answers what happened in it. */
function story(name: string, tell: (broker: DifferentialBroker) => Promise<unknown>): DifferentialCase {
  return { name, ask: tell }
}

const FIND: CaseGroup = {
  api: 'FindCoordinator',
  cases: [
    heartbeat('a group before there is a coordinator', 4, { groupId: 'early', generationId: 1, memberId: 'm' }),
    findCoordinator('the first call creates the offsets topic', 2, { key: 'early', keyType: 0, coordinatorKeys: [] }),
    story('soon there is a coordinator', async (broker) => {
      await untilCoordinated(broker)
      return true
    }),
    ...[0, 1, 2, 3].map((version) =>
      findCoordinator('a group', version, { key: 'a-group', keyType: 0, coordinatorKeys: [] }),
    ),
    ...[4, 5, 6].map((version) => findCoordinator('two groups', version, { keyType: 0, coordinatorKeys: ['a', 'b'] })),
    findCoordinator('no keys', 4, { keyType: 0, coordinatorKeys: [] }),
    findCoordinator('an empty key', 4, { keyType: 0, coordinatorKeys: [''] }),
    findCoordinator('an unknown key type', 4, { keyType: 7, coordinatorKeys: ['a'] }),
    findCoordinator('an unknown key type in an old version', 1, { key: 'a', keyType: 7, coordinatorKeys: [] }),
    findCoordinator('a share key in a version that has none', 5, {
      keyType: 2,
      coordinatorKeys: ['g:AAAAAAAAAAAAAAAAAAAAAQ:0'],
    }),
    findCoordinator('a malformed share key', 6, { keyType: 2, coordinatorKeys: ['nonsense'] }),
  ],
}

const JOIN: CaseGroup = {
  api: 'JoinGroup',
  prepare: untilCoordinated,
  cases: [
    join('an empty group id', 9, joining('')),
    join('an empty group id in an old version', 5, joining('')),
    join('a session timeout below the minimum', 9, joining('join-none', { sessionTimeoutMs: 10 })),
    join('a session timeout above the maximum', 9, joining('join-none', { sessionTimeoutMs: 2_000_000_000 })),
    join('a member id of an unknown group', 9, joining('join-none', { memberId: 'somebody' })),
    join(
      'an instance id with a member id of an unknown group',
      9,
      joining('join-none', { memberId: 'somebody', groupInstanceId: 'i' }),
    ),
    join('no protocols', 9, joining('join-none', { protocols: [] })),
    join('an empty protocol type', 9, joining('join-none', { protocolType: '' })),
    ...[4, 5, 6, 7, 8, 9].map((version) =>
      join('the first join gets an id', version, joining(`join-first-${version}`)),
    ),
    ...[0, 1, 2, 3].map((version) =>
      story(`v${version}: admits without asking again`, (broker) =>
        new Participant(broker, `join-old-${version}`, 'old').joinOnce({}, version),
      ),
    ),
    ...[4, 5, 6, 7, 8, 9].map((version) =>
      story(`v${version}: the second join is admitted`, (broker) =>
        new Participant(broker, `join-both-${version}`, 'member').join({}, version),
      ),
    ),
    story('a first join leaves the group empty, with a pending member', async (broker) => {
      await new Participant(broker, 'join-pending', 'pending').joinOnce()
      return describeGroup(broker, 'join-pending')
    }),
    story('another protocol type', async (broker) => {
      await stableGroup(broker, 'join-type', 'leader')
      return new Participant(broker, 'join-type', 'other').joinOnce({ protocolType: 'connect' })
    }),
    story('no protocol in common', async (broker) => {
      await stableGroup(broker, 'join-common', 'leader')
      return new Participant(broker, 'join-common', 'other').joinOnce({ protocols: protocols('sticky') })
    }),
    story('an unknown member id of a living group', async (broker) => {
      await stableGroup(broker, 'join-unknown', 'leader')
      return new Participant(broker, 'join-unknown', 'other').joinOnce({ memberId: 'made-up' })
    }),
    story('two members vote for a protocol', async (broker) => {
      const alice = new Participant(broker, 'join-votes', 'alice')
      const bob = new Participant(broker, 'join-votes', 'bob')
      await alice.join({ protocols: protocols('range', 'sticky') })
      await bob.joinOnce()
      const second = bob.joinOnce({ protocols: protocols('sticky') })
      await untilState(broker, 'join-votes', 'PreparingRebalance')
      const first = await alice.joinOnce({ protocols: protocols('range', 'sticky') })
      return { first, second: await second }
    }),
    story('a rebalance tells the members by their heartbeats', async (broker) => {
      const [alice] = (await stableGroup(broker, 'join-heartbeats', 'alice')) as [Participant]
      const stable = await alice.heartbeat()
      const bob = new Participant(broker, 'join-heartbeats', 'bob')
      await bob.joinOnce()
      const whilePending = await alice.heartbeat()
      const joined = bob.joinOnce()
      await untilState(broker, 'join-heartbeats', 'PreparingRebalance')
      const whilePreparing = await alice.heartbeat()
      const waitingSync = await alice.sync()
      const rejoined = await alice.joinOnce()
      const whileCompleting = await alice.heartbeat()
      return { stable, whilePending, whilePreparing, waitingSync, rejoined, joined: await joined, whileCompleting }
    }),
    story('an unchanged follower joins again without a rebalance, a changed one causes it', async (broker) => {
      const [alice, bob] = (await stableGroup(broker, 'join-follower', 'alice', 'bob')) as [Participant, Participant]
      const quiet = await bob.joinOnce()
      const undisturbed = await alice.heartbeat()
      const changed = bob.joinOnce({ protocols: [{ name: 'range', metadata: subscription('another-topic') }] })
      await untilState(broker, 'join-follower', 'PreparingRebalance')
      const disturbed = await alice.heartbeat()
      const leader = await alice.joinOnce()
      return { quiet, undisturbed, disturbed, leader, changed: await changed }
    }),
    story('an unchanged leader causes a rebalance', async (broker) => {
      const [alice, bob] = (await stableGroup(broker, 'join-leader', 'alice', 'bob')) as [Participant, Participant]
      const again = alice.joinOnce()
      await untilState(broker, 'join-leader', 'PreparingRebalance')
      const disturbed = await bob.heartbeat()
      const whilePreparing = await describeGroup(broker, 'join-leader')
      const follower = await bob.joinOnce()
      const whileCompleting = await describeGroup(broker, 'join-leader')
      return { again: await again, disturbed, whilePreparing, follower, whileCompleting }
    }),
    story('joining again while assignments are awaited', async (broker) => {
      const alice = new Participant(broker, 'join-completing', 'alice')
      const first = await alice.join()
      const same = await alice.joinOnce()
      const other = await alice.joinOnce({ protocols: protocols('range', 'sticky') })
      return { first, same, other }
    }),
    story('a member that does not come back is dropped after its rebalance timeout', async (broker) => {
      const alice = new Participant(broker, 'join-dropped', 'alice')
      await alice.join({ rebalanceTimeoutMs: 400 })
      await alice.sync([[alice, 'all']])
      const bob = new Participant(broker, 'join-dropped', 'bob')
      const joined = await bob.join({ rebalanceTimeoutMs: 400 })
      return { joined, dropped: await alice.heartbeat() }
    }),
    story('a silent member is dropped after its session timeout', async (broker) => {
      const alice = new Participant(broker, 'join-silent', 'alice')
      await alice.join({ sessionTimeoutMs: 1_000 })
      await alice.sync([[alice, 'all']])
      await untilState(broker, 'join-silent', 'Empty')
      return { group: await describeGroup(broker, 'join-silent'), dropped: await alice.heartbeat() }
    }),
    story('a leader that never assigns is dropped', async (broker) => {
      const alice = new Participant(broker, 'join-idle', 'alice')
      await alice.join({ rebalanceTimeoutMs: 500 })
      await untilState(broker, 'join-idle', 'Empty')
      return { group: await describeGroup(broker, 'join-idle'), dropped: await alice.heartbeat() }
    }),
    story('a group that is full', async (broker) => {
      await stableGroup(broker, 'join-full', 'alice', 'bob', 'carol')
      const late = new Participant(broker, 'join-full', 'late')
      return { first: await late.joinOnce(), group: await describeGroup(broker, 'join-full') }
    }),
    story('join again into an emptied group', async (broker) => {
      const [alice] = (await stableGroup(broker, 'join-emptied', 'alice')) as [Participant]
      await alice.leave()
      const withOldId = await alice.joinOnce()
      alice.memberId = ''
      return { withOldId, fresh: await alice.join(), group: await describeGroup(broker, 'join-emptied') }
    }),
  ],
}

const STATIC: CaseGroup = {
  api: 'Static members',
  prepare: untilCoordinated,
  cases: [
    story('joins at once', (broker) => new Participant(broker, 'static-first', 'static', 'instance').joinOnce()),
    story('an unchanged restart keeps the generation and the assignment', async (broker) => {
      const before = new Participant(broker, 'static-restart', 'before', 'instance')
      await before.joinOnce()
      await before.sync([[before, 'mine']])
      const after = new Participant(broker, 'static-restart', 'after', 'instance')
      const rejoined = await after.joinOnce()
      const assignment = await after.sync()
      const fenced = {
        heartbeat: await before.heartbeat(),
        withoutInstance: await before.heartbeat({ groupInstanceId: null }),
        sync: await before.sync(),
        join: await before.joinOnce(),
        leave: await before.leave(),
      }
      return { rejoined, assignment, fenced, group: await describeGroup(broker, 'static-restart') }
    }),
    story('an unchanged restart in an older version', async (broker) => {
      const before = new Participant(broker, 'static-older', 'before', 'instance')
      await before.joinOnce({}, 5)
      await before.sync([[before, 'mine']], {}, 3)
      const after = new Participant(broker, 'static-older', 'after', 'instance')
      const rejoined = await after.joinOnce({}, 5)
      return { rejoined, assignment: await after.sync([], {}, 3) }
    }),
    story('a follower restarts', async (broker) => {
      const alice = new Participant(broker, 'static-follower', 'alice', 'a')
      await alice.joinOnce()
      await alice.sync([[alice, 'all']])
      const bob = new Participant(broker, 'static-follower', 'bob', 'b')
      const joined = bob.joinOnce()
      await untilState(broker, 'static-follower', 'PreparingRebalance')
      await alice.joinOnce()
      await joined
      await Promise.all([
        alice.sync([
          [alice, 'half'],
          [bob, 'other half'],
        ]),
        bob.sync(),
      ])
      const again = new Participant(broker, 'static-follower', 'again', 'b')
      const rejoined = await again.joinOnce()
      return { rejoined, assignment: await again.sync(), undisturbed: await alice.heartbeat() }
    }),
    story('an unknown instance with a member id', async (broker) => {
      await stableGroup(broker, 'static-unknown', 'alice')
      return new Participant(broker, 'static-unknown', 'other', 'instance').joinOnce({ memberId: 'made-up' })
    }),
    story('a known instance with another member id', async (broker) => {
      const alice = new Participant(broker, 'static-other', 'alice', 'instance')
      await alice.joinOnce()
      await alice.sync([[alice, 'all']])
      return new Participant(broker, 'static-other', 'other', 'instance').joinOnce({ memberId: 'made-up' })
    }),
    story('leaves by its instance id alone', async (broker) => {
      const alice = new Participant(broker, 'static-leaves', 'alice', 'instance')
      await alice.joinOnce()
      await alice.sync([[alice, 'all']])
      const connection = await broker.connection('asks')
      const members = [
        { memberId: '', groupInstanceId: 'instance' },
        { memberId: '', groupInstanceId: 'nobody' },
      ]
      const left = await connection.send(
        LeaveGroupRequest,
        LeaveGroupResponse,
        { groupId: 'static-leaves', members },
        { version: 5 },
      )
      return { left, group: await describeGroup(broker, 'static-leaves') }
    }),
  ],
}

const unknownMember = { groupId: 'sync-none', generationId: 1, memberId: 'm', assignments: [] }

const SYNC: CaseGroup = {
  api: 'SyncGroup',
  prepare: untilCoordinated,
  cases: [
    ...[0, 1, 2, 3, 4].map((version) => sync('an unknown group', version, unknownMember)),
    sync('an unknown group', 5, { ...unknownMember, protocolType: 'consumer', protocolName: 'range' }),
    sync('no protocol in the version that wants it', 5, unknownMember),
    sync('an empty group id', 4, { ...unknownMember, groupId: '' }),
    story('errors of a living group', async (broker) => {
      const [alice] = (await stableGroup(broker, 'sync-errors', 'alice')) as [Participant]
      return {
        member: await alice.sync([], { memberId: 'made-up' }),
        generation: await alice.sync([], { generationId: 9 }),
        oldGeneration: await alice.sync([], { generationId: 0 }),
        type: await alice.sync([], { protocolType: 'connect' }),
        protocol: await alice.sync([], { protocolName: 'sticky' }),
      }
    }),
    story('a repeated assignment of the leader changes nothing', async (broker) => {
      const [alice] = (await stableGroup(broker, 'sync-repeated', 'alice')) as [Participant]
      return alice.sync([[alice, 'something else']])
    }),
    story('a follower waits for the leader; whoever it leaves out gets nothing', async (broker) => {
      const alice = new Participant(broker, 'sync-waits', 'alice')
      await alice.join()
      const bob = new Participant(broker, 'sync-waits', 'bob')
      await bob.joinOnce()
      const joined = bob.joinOnce()
      await untilState(broker, 'sync-waits', 'PreparingRebalance')
      await alice.joinOnce()
      await joined
      const waiting = bob.sync()
      const leader = await alice.sync([[alice, 'everything']])
      return { leader, follower: await waiting, group: await describeGroup(broker, 'sync-waits') }
    }),
    story('a waiting follower hears of the next rebalance', async (broker) => {
      const [alice, bob] = (await stableGroup(broker, 'sync-disturbed', 'alice', 'bob')) as [Participant, Participant]
      const rejoined = alice.joinOnce()
      await untilState(broker, 'sync-disturbed', 'PreparingRebalance')
      await bob.joinOnce()
      await rejoined
      const waiting = bob.sync()
      const carol = new Participant(broker, 'sync-disturbed', 'carol')
      await carol.joinOnce()
      const third = carol.joinOnce()
      const told = await waiting
      await Promise.all([alice.joinOnce(), bob.joinOnce(), third])
      return told
    }),
  ],
}

const HEARTBEAT: CaseGroup = {
  api: 'Heartbeat',
  prepare: untilCoordinated,
  cases: [
    ...[0, 1, 2, 3, 4].map((version) =>
      heartbeat('an unknown group', version, { groupId: 'beat-none', generationId: 0, memberId: 'm' }),
    ),
    heartbeat('an empty group id', 4, { groupId: '', generationId: 0, memberId: 'm' }),
    story('of a stable, a wrong, a pending and a gone member', async (broker) => {
      const [alice] = (await stableGroup(broker, 'beat', 'alice')) as [Participant]
      const stable = await alice.heartbeat()
      const generation = await alice.heartbeat({ generationId: 7 })
      const member = await alice.heartbeat({ memberId: 'made-up' })
      const instance = await alice.heartbeat({ groupInstanceId: 'made-up' })
      const pending = new Participant(broker, 'beat', 'pending')
      await pending.joinOnce()
      const pendingBeat = await pending.heartbeat({ generationId: 1 })
      await alice.leave()
      return { stable, generation, member, instance, pendingBeat, gone: await alice.heartbeat() }
    }),
  ],
}

const LEAVE: CaseGroup = {
  api: 'LeaveGroup',
  prepare: untilCoordinated,
  cases: [
    ...[0, 1, 2].map((version) =>
      leave('an unknown group', version, { groupId: 'leave-none', memberId: 'm', members: [] }),
    ),
    ...[3, 4, 5].map((version) =>
      leave('an unknown group', version, { groupId: 'leave-none', members: [{ memberId: 'm' }] }),
    ),
    leave('an empty group id', 5, { groupId: '', members: [{ memberId: 'm' }] }),
    leave('nobody leaves an unknown group', 5, { groupId: 'leave-none', members: [] }),
    ...[0, 1, 2, 3, 4, 5].map((version) =>
      story(`v${version}: leaves, once`, async (broker) => {
        const [alice] = (await stableGroup(broker, `leave-${version}`, 'alice')) as [Participant]
        return {
          first: await alice.leave(version),
          again: await alice.leave(version),
          group: await describeGroup(broker, alice.groupId),
        }
      }),
    ),
    story('two members leave in one request, an unknown one beside them', async (broker) => {
      const [alice, bob, carol] = (await stableGroup(broker, 'leave-together', 'alice', 'bob', 'carol')) as [
        Participant,
        Participant,
        Participant,
      ]
      const connection = await broker.connection('asks')
      const members = [...[bob, carol].map(({ memberId }) => ({ memberId })), { memberId: 'made-up' }]
      const left = await connection.send(
        LeaveGroupRequest,
        LeaveGroupResponse,
        { groupId: 'leave-together', members },
        { version: 5 },
      )
      const disturbed = await alice.heartbeat()
      return { left, disturbed, rejoined: await alice.joinOnce() }
    }),
    story('the leader leaves, and another one leads', async (broker) => {
      const [alice, bob] = (await stableGroup(broker, 'leave-leader', 'alice', 'bob')) as [Participant, Participant]
      await alice.leave()
      return bob.joinOnce()
    }),
    story('a pending member leaves', async (broker) => {
      const pending = new Participant(broker, 'leave-pending', 'pending')
      await pending.joinOnce()
      return { left: await pending.leave(), again: await pending.leave() }
    }),
  ],
}

export const GROUP_CASES: CaseGroup[] = [FIND, JOIN, STATIC, SYNC, HEARTBEAT, LEAVE]
