import { expect, test } from 'bun:test'
import { Admin } from '../../../src/client/admin/admin.ts'
import { Broker } from '../../../src/index.ts'
import { describeAdmin } from './contract.ts'

describeAdmin('Samsa', () => Broker.start())

test('an address that is none is an error of the caller', () => {
  expect(() => new Admin({ bootstrap: 'nowhere:port' })).toThrow('bootstrap: ')
  expect(() => new Admin({})).toThrow('bootstrap: no broker address given')
})

test('offsets of a group: what is wrong with a partition is answered, what passes is tried again', async () => {
  await using broker = await Broker.start()
  await using admin = new Admin({ bootstrap: broker.bootstrap, retry: { backoffMs: 1, backoffMaxMs: 5 } })
  await admin.createTopics([{ name: 'orders', partitions: 2 }])
  const offsets = [0, 1].map((partition) => ({ topic: 'orders', partition, offset: 0 }))
  const gone = broker.inject({
    api: 'OffsetCommit',
    topic: 'orders',
    partition: 0,
    error: 'UNKNOWN_TOPIC_OR_PARTITION',
  })
  const [first, second] = await admin.alterOffsets('readers', offsets)
  expect(first?.error?.code).toBe('UNKNOWN_TOPIC_OR_PARTITION')
  expect(second?.error).toBeNull()
  expect(gone.hits).toBe(1)
  gone.remove()
  const busy = broker.inject({
    api: 'OffsetCommit',
    partition: 1,
    topic: 'orders',
    error: 'REBALANCE_IN_PROGRESS',
    times: 2,
  })
  expect((await admin.alterOffsets('readers', offsets)).map(({ error }) => error)).toEqual([null, null])
  expect(busy.hits).toBe(2)
})
