/** Questions about where to read on that come when the last ones were just answered. */
import { expect, test } from 'bun:test'
import type { Cluster } from '../../../src/client/cluster.ts'
import { resolveSettings } from '../../../src/client/consumer/options.ts'
import { PartitionTable } from '../../../src/client/consumer/partition-table.ts'
import { Positions } from '../../../src/client/consumer/positions.ts'

test('what is asked while the last error is told is not forgotten', async () => {
  const cluster = { retry: { backoffMs: 1, backoffMaxMs: 1 } } as unknown as Cluster
  const table = new PartitionTable<Buffer, Buffer>(
    () => 0,
    () => undefined,
  )
  const state = table.add({ topic: 'orders', partition: 0 })
  const settings = resolveSettings({ offsetReset: 'none' })
  let errors = 0
  const { promise: isToldTwice, resolve: toldTwice } = Promise.withResolvers<void>()
  const positions = new Positions(cluster, settings, table, null, {
    fatal: () => {
      errors += 1
      if (errors === 1) positions.begin(state)
      else toldTwice()
    },
    settled: () => undefined,
    skipped: () => undefined,
  })
  positions.begin(state)
  await isToldTwice
  await positions.close()
  expect(errors).toBe(2)
})
