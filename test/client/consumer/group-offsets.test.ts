/** Commits that nobody wants any more. */
import { expect, test } from 'bun:test'
import type { Cluster } from '../../../src/client/cluster.ts'
import type { CoordinatorLink } from '../../../src/client/consumer/coordinator-link.ts'
import { GroupOffsets } from '../../../src/client/consumer/group-offsets.ts'
import { KafkaError } from '../../../src/client/errors.ts'

test('a signal that fired before the call: nothing is committed', async () => {
  let begun = 0
  const guard = {
    whenCommittable: async () => {
      begun += 1
      throw new KafkaError('ERR_INVALID_STATE', 'no member')
    },
    mayCommit: () => true,
  }
  const offsets = new GroupOffsets({ timeoutMs: 1_000 } as Cluster, 'g', {} as CoordinatorLink, guard)
  const commit = offsets.commit([{ topic: 'orders', partition: 0, offset: 1 }], AbortSignal.abort())
  const code = await commit.then(
    () => null,
    (error: unknown) => (error as KafkaError).code,
  )
  expect(code).toBe('ERR_ABORTED')
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
  expect(begun).toBe(0)
  offsets.close()
})
