import { describe, expect, test } from 'bun:test'
import { GroupTest, subscription } from '../../group-test.ts'

const CHECK_MS = 600_000
const config = { offsetsRetentionMs: 3_600_000 }

describe('a simple group', () => {
  test('loses a commit offsets.retention.minutes after it, and goes with the last one', () => {
    const groups = new GroupTest({ config })
    groups.commit({ offsets: { 'orders/0': 1 } })
    groups.sleep(CHECK_MS)
    groups.commit({ offsets: { 'orders/1': 2 } })
    groups.sleep(3_600_000 - CHECK_MS)
    expect(groups.committed()).toEqual({ 'orders/1': 2 })
    groups.sleep(CHECK_MS)
    expect(groups.state()).toBe('Dead')
    expect(groups.log.batches().at(-1)).toMatchObject([
      { type: 'offset-commit', partition: 1, value: null },
      { type: 'group-metadata', value: null },
    ])
  })

  test('keeps what is committed again', () => {
    const groups = new GroupTest({ config })
    for (let round = 0; round < 4; round++) {
      groups.commit()
      groups.sleep(3_000_000)
    }
    expect(groups.committed()).toEqual({ 'orders/0': 7 })
  })
})

describe('a group with a protocol type', () => {
  test('Empty: keeps its commits until it has been empty for that long, however old they are', () => {
    const groups = new GroupTest({ config })
    const [member] = groups.stableGroup(1, { protocols: { range: subscription('orders') } })
    groups.commit(member)
    for (let round = 0; round < 500; round++) {
      groups.sleep(9_000)
      groups.heartbeat(member!)
    }
    groups.leave([member!])
    groups.sleep(3_000_000)
    expect(groups.committed()).toEqual({ 'orders/0': 7 })
    groups.sleep(1_200_000)
    expect(groups.committed()).toEqual({})
    expect(groups.state()).toBe('Dead')
  })

  test('the time since it is empty survives a restart', () => {
    const groups = new GroupTest({ config })
    const [member] = groups.stableGroup(1)
    groups.commit(member)
    groups.leave([member!])
    groups.sleep(3_000_000)
    groups.crash()
    groups.sleep(CHECK_MS)
    expect(groups.state()).toBe('Dead')
  })

  test('Stable consumers: topics that nobody subscribes to expire by commit time, subscribed ones never', () => {
    const groups = new GroupTest({ config })
    const long = { sessionTimeoutMs: 1_800_000 }
    const [member] = groups.stableGroup(1, { ...long, protocols: { range: subscription('orders') } })
    groups.commit({ ...member, offsets: { 'orders/0': 1, 'payments/0': 2 } })
    for (let round = 0; round < 8; round++) {
      groups.sleep(CHECK_MS)
      groups.heartbeat(member!)
    }
    expect(groups.committed()).toEqual({ 'orders/0': 1 })
    expect(groups.state()).toBe('Stable')
  })

  test('Stable, of another protocol type: nothing expires', () => {
    const groups = new GroupTest({ config })
    const [member] = groups.stableGroup(1, { sessionTimeoutMs: 1_800_000, protocolType: 'connect' })
    groups.commit(member)
    for (let round = 0; round < 8; round++) {
      groups.sleep(CHECK_MS)
      groups.heartbeat(member!)
    }
    expect(groups.committed()).toEqual({ 'orders/0': 7 })
  })

  test('Empty without commits: deleted at the next check', () => {
    const groups = new GroupTest({ config })
    const [member] = groups.stableGroup(1)
    groups.leave([member!])
    expect(groups.state()).toBe('Empty')
    groups.sleep(CHECK_MS)
    expect(groups.state()).toBe('Dead')
  })

  test('Empty with a pending joiner: stays', () => {
    const groups = new GroupTest({ config })
    groups.sleep(CHECK_MS - 1)
    const { memberId } = groups.join().answer
    groups.sleep(1)
    expect(groups.join({ memberId }).answer.errorCode).toBe(0)
  })
})

describe('a commit with an expiry of its own', () => {
  test('dies at it, before the broker would let it', () => {
    const groups = new GroupTest({ config })
    groups.commit({ version: 4, retentionTimeMs: 900_000, offsets: { 'orders/0': 1 } })
    groups.commit({ version: 4, offsets: { 'orders/1': 2 } })
    groups.sleep(CHECK_MS)
    expect(groups.committed()).toEqual({ 'orders/0': 1, 'orders/1': 2 })
    groups.sleep(CHECK_MS)
    expect(groups.committed()).toEqual({ 'orders/1': 2 })
  })

  test('lives until it, after the broker would have let it die', () => {
    const groups = new GroupTest({ config })
    groups.commit({ version: 4, retentionTimeMs: 10_000_000 })
    groups.sleep(9_000_000)
    expect(groups.committed()).toEqual({ 'orders/0': 7 })
    groups.crash()
    groups.sleep(1_200_000)
    expect(groups.committed()).toEqual({})
  })
})
