import { describe, expect, test } from 'bun:test'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { GroupTest } from '../group-test.ts'

describe('DescribeGroups', () => {
  test('unknown group: Dead without an error before v6, GROUP_ID_NOT_FOUND and a message from v6', () => {
    const groups = new GroupTest()
    const dead = { groupState: 'Dead', protocolType: '', protocolData: '', members: [] }
    expect(groups.describe('none', 5)).toEqual({ errorCode: 0, groupId: 'none', ...dead })
    const { errorMessage, ...described } = groups.describe('none', 6)
    expect(described).toEqual({ errorCode: ErrorCode.GROUP_ID_NOT_FOUND, groupId: 'none', ...dead })
    expect(errorMessage).toContain('none')
  })

  test('Stable: protocol, metadata and assignment are shown', () => {
    const groups = new GroupTest()
    const [member] = groups.stableGroup(1)
    expect(groups.describe()).toEqual({
      errorCode: 0,
      groupId: 'group',
      groupState: 'Stable',
      protocolType: 'consumer',
      protocolData: 'range',
      members: [
        {
          memberId: member!.memberId,
          groupInstanceId: null,
          clientId: 'client',
          clientHost: '/127.0.0.1',
          memberMetadata: Buffer.from('metadata'),
          memberAssignment: Buffer.from('0'),
        },
      ],
    })
  })

  test('PreparingRebalance and CompletingRebalance: members without protocol and metadata, with their last assignment', () => {
    const groups = new GroupTest()
    const [leader, follower] = groups.stableGroup(2)
    const bare = { protocolData: '', protocolType: 'consumer' }
    const members = ['0', '1'].map((last) => ({ memberMetadata: Buffer.alloc(0), memberAssignment: Buffer.from(last) }))
    groups.join({ memberId: leader!.memberId })
    expect(groups.describe()).toMatchObject({ ...bare, groupState: 'PreparingRebalance', members })
    groups.join({ memberId: follower!.memberId })
    expect(groups.describe()).toMatchObject({ ...bare, groupState: 'CompletingRebalance', members })
  })

  test('a group that the principal may not describe: GROUP_AUTHORIZATION_FAILED', () => {
    const groups = new GroupTest()
    groups.stableGroup(1)
    groups.forbidden.add('group')
    expect(groups.describe().errorCode).toBe(ErrorCode.GROUP_AUTHORIZATION_FAILED)
  })
})

describe('ListGroups', () => {
  function list(groups: GroupTest, statesFilter: string[] = [], typesFilter: string[] = []) {
    const { answer } = groups.call(groups.coordinator.listGroups, 5, { statesFilter, typesFilter })
    return answer.groups
      .map(
        ({ groupId, protocolType, groupState, groupType }) => `${groupId} ${protocolType} ${groupState} ${groupType}`,
      )
      .sort()
  }

  function several(): GroupTest {
    const groups = new GroupTest({ partitions: 5 })
    groups.stableGroup(1, { groupId: 'stable' })
    groups.join({ groupId: 'completing', version: 3, protocolType: 'connect' })
    groups.commit({ groupId: 'simple' })
    return groups
  }

  test('every group of every partition, simple ones too', () => {
    expect(list(several())).toEqual([
      'completing connect CompletingRebalance classic',
      'simple  Empty classic',
      'stable consumer Stable classic',
    ])
  })

  test('filters by state, trimmed and without regard to case; unknown states match nothing', () => {
    const groups = several()
    expect(list(groups, [' sTABLE ', 'empty'])).toEqual(['simple  Empty classic', 'stable consumer Stable classic'])
    expect(list(groups, ['nonsense'])).toEqual([])
  })

  test('filters by type; unknown types match nothing', () => {
    const groups = several()
    expect(list(groups, [], ['Classic'])).toHaveLength(3)
    expect(list(groups, [], ['consumer', 'nonsense'])).toEqual([])
  })

  test('groups that the principal may not describe are left out', () => {
    const groups = several()
    groups.forbidden.add('stable')
    expect(list(groups)).toHaveLength(2)
  })

  test('while a partition loads: COORDINATOR_LOAD_IN_PROGRESS, so that no group seems gone', () => {
    const groups = several()
    groups.log.areLoadsHeld = true
    groups.coordinator.load(0)
    const { answer } = groups.call(groups.coordinator.listGroups, 5, { statesFilter: [], typesFilter: [] })
    expect(answer).toEqual({ errorCode: ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, groups: [] })
  })
})
