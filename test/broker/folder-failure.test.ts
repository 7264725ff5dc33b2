// A broker with two data folders on the real disk, one of which goes away while it is served, then the other.
import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Broker } from '../../src/broker/server.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { MetadataRequest, MetadataResponse } from '../../src/protocol/messages/03-metadata.ts'
import { FindCoordinatorRequest, FindCoordinatorResponse } from '../../src/protocol/messages/10-find-coordinator.ts'
import { batchOf, connect, createTopic, produce, startBroker } from './support/test-broker.ts'

const TIMEOUT_MS = 180_000
const POLL_MS = 20

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + TIMEOUT_MS / 2
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error('not in time')
    await Bun.sleep(POLL_MS)
  }
}

/** A file where the folder was: every call that names it fails, whoever makes it. */
function breakFolder(path: string): void {
  rmSync(path, { recursive: true })
  writeFileSync(path, '')
}

function partitionsIn(broker: Broker, folder: string): number[] {
  return broker.context.logs
    .replicasIn(folder)
    .filter(({ topic }) => topic === 'halves')
    .map(({ partition }) => partition)
}

test(
  'a folder that fails takes its partitions along, the last one the broker',
  async () => {
    const root = mkdtempSync(join(tmpdir(), 'samsa-folder-failure-'))
    const [first, second] = [join(root, 'one'), join(root, 'two')]
    const failed = Promise.withResolvers<string>()
    const broker = await startBroker({
      storage: 'disk',
      durability: 'os',
      dataDirectory: first,
      furtherDataDirectories: [second],
      set: { 'replica.high.watermark.checkpoint.interval.ms': '100' },
      onFailed: failed.resolve,
    })
    try {
      const client = await connect(broker)
      await createTopic(client, 'halves', { partitions: 4 })
      const inFirst = partitionsIn(broker, first)
      const inSecond = partitionsIn(broker, second)
      expect([inFirst.length, inSecond.length]).toEqual([2, 2])
      const write = async (partition: number): Promise<number> =>
        (await produce(client, batchOf(['x']), { topic: 'halves', partition, version: 9 })).errorCode
      for (const partition of [0, 1, 2, 3]) expect(await write(partition)).toBe(ErrorCode.NONE)

      breakFolder(second)
      await until(async () => (await write(inSecond[0]!)) === ErrorCode.KAFKA_STORAGE_ERROR)
      expect(await write(inSecond[1]!)).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
      expect(await write(inFirst[0]!)).toBe(ErrorCode.NONE)
      const value = { topics: [{ name: 'halves' }], allowAutoTopicCreation: false }
      const { topics } = await client.send(MetadataRequest, MetadataResponse, value, { version: 8 })
      for (const { partitionIndex, ...partition } of topics[0]?.partitions ?? []) {
        const isLost = inSecond.includes(partitionIndex)
        expect(partition).toMatchObject({
          errorCode: isLost ? ErrorCode.LEADER_NOT_AVAILABLE : ErrorCode.NONE,
          leaderId: isLost ? -1 : 1,
          isrNodes: isLost ? [] : [1],
          offlineReplicas: isLost ? [1] : [],
        })
      }
      await createTopic(client, 'later', { partitions: 2 })

      // The metadata is in the first one.
      breakFolder(first)
      client.send(FindCoordinatorRequest, FindCoordinatorResponse, { key: 'g' }, { version: 2 }).catch(() => {})
      write(inFirst[0]!).catch(() => {})
      expect(await failed.promise).toContain(first)
      await client.close()
    } finally {
      await broker.stop().catch(() => {})
      rmSync(root, { recursive: true, force: true })
    }
  },
  TIMEOUT_MS,
)

test('data folders given in another order are refused, not begun anew', async () => {
  const root = mkdtempSync(join(tmpdir(), 'samsa-folder-order-'))
  const [first, second] = [join(root, 'one'), join(root, 'two')]
  const start = (dataDirectory: string, further: string) =>
    startBroker({ storage: 'disk', durability: 'os', dataDirectory, furtherDataDirectories: [further] })
  try {
    await (await start(first, second)).stop()
    await expect(start(second, first)).rejects.toThrow(join(first, 'samsa-metadata'))
    await (await start(first, second)).stop()
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
})
