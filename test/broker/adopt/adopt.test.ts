// The data folder of a real Kafka (golden) is taken over without a JVM: what it becomes, what is refused and why, and that an end of the
// process at any time leaves either Kafka's folder or Samsa's.

import { afterEach, describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Broker, BrokerStartError } from '../../../src/broker/server.ts'
import { ACLS_PREFIX, type AclValue } from '../../../src/metadata/acls.ts'
import { SqliteMetadataStore } from '../../../src/metadata/store-sqlite.ts'
import { decodeValue, PRODUCER_IDS_KEY, type ProducerIdsValue } from '../../../src/metadata/values.ts'
import { realClock } from '../../../src/storage/clock-real.ts'
import { RealDisk } from '../../../src/storage/disk-real.ts'
import { RealTimers } from '../../../src/storage/timers-real.ts'
import { SAMSA } from '../../cli/program.ts'
import { batch, frame, type RecordType } from '../../metadata/kafka-log/support.ts'
import { Child } from '../../support/child-process.ts'
import { goldenAnswers, goldenMetadataRecords, writeGoldenFolder } from './golden-folder.ts'

const METADATA = 'samsa-metadata.db'
const METADATA_LOG = '__cluster_metadata-0/00000000000000000000.log'
const silent = { debug() {}, info() {}, warn() {}, error() {} }
const folders: string[] = []

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

function goldenCopy(): string {
  const folder = mkdtempSync(join(tmpdir(), 'samsa-adopt-'))
  folders.push(folder)
  writeGoldenFolder(folder)
  return folder
}

function start(folder: string, more: Partial<Parameters<typeof Broker.start>[0]> = {}): Promise<Broker> {
  return Broker.start({
    listen: { host: '127.0.0.1', port: 0 },
    dataDirectory: folder,
    storage: 'disk',
    durability: 'os',
    nodeId: 1,
    config: new Map(),
    logger: silent,
    adopt: true,
    ...more,
  })
}

async function refusal(
  folder: string,
  more: Partial<Parameters<typeof Broker.start>[0]> = {},
): Promise<BrokerStartError> {
  try {
    const broker = await start(folder, more)
    await broker.stop()
  } catch (error) {
    if (error instanceof BrokerStartError) return error
    throw error
  }
  throw new Error('it was not refused')
}

function treeOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => {
      const path = join(entry.parentPath, entry.name)
      const { mtimeMs, ctimeMs, size } = statSync(path)
      return `${path} ${size} ${mtimeMs} ${ctimeMs} ${entry.isFile() ? contentOf(path) : 'folder'}`
    })
    .concat(`${folder} ${statSync(folder).mtimeMs}`)
    .sort()
}

function contentOf(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}

/** One more record at the end of the metadata log. */
function appendRecord<T extends RecordType>(
  folder: string,
  type: T,
  version: number,
  fields: Parameters<typeof frame<T>>[2],
): void {
  const offsets = Object.keys(goldenMetadataRecords()).map(Number)
  appendFileSync(join(folder, METADATA_LOG), batch(Math.max(...offsets) + 1, [frame(type, version, fields)]))
}

describe('taken over', () => {
  test('what the metadata said is what the broker knows', async () => {
    const broker = await start(goldenCopy())
    try {
      const { context } = broker
      const expected = goldenAnswers()
      expect(context.clusterId).toBe(expected.clusterId)
      const topics = context.image
        .topics()
        .map(({ name, topicId, internal, partitions }) => [name, [topicId, internal, partitions.length]])
      expect(Object.fromEntries(topics)).toEqual(expected.topics)
      for (const [name, level] of Object.entries(expected.features))
        expect(context.features.level(name as 'group.version')).toBe(level)
      expect(context.scram.describe(null).map(({ user }) => user)).toEqual(Object.keys(expected.scram))
      expect(context.image.config('group', 'g-consumer').values.get('consumer.session.timeout.ms')).toBe('50000')
      expect(context.image.config('broker', '1').values.get('max.connections')).toBe('4000')
      expect(context.image.config('client-metrics', 'all').values.get('match')).toBe('client_id=app-.*')
      expect(context.image.topic('plain')?.configs).toEqual(new Map([['segment.bytes', '2097152']]))
      expect(context.clientQuotas.limitOf('consumer_byte_rate', 'alice', 'app')?.limit).toBe(2_000_000)
      expect(context.clientQuotas.connectionRate('10.1.2.3')).toBe(9000)
    } finally {
      await broker.stop()
    }
  })

  test('every log has the offsets it had, and a leader epoch above all it has seen', async () => {
    const broker = await start(goldenCopy())
    try {
      for (const partition of broker.context.partitions.all()) {
        if (partition.isInternal) continue
        const name = `${partition.topic}-${partition.index}`
        const { offsets } = goldenAnswers()
        expect(`${name} ${partition.log?.logStartOffset} -1`).toBe(
          `${name} ${offsets[`earliest read_uncommitted ${name}`]}`,
        )
        expect(`${name} ${partition.log?.highWatermark} -1`).toBe(
          `${name} ${offsets[`latest read_uncommitted ${name}`]}`,
        )
        // Created at 0, given up at the stop (1), led again (2).
        expect(partition.leaderEpoch).toBe(2)
        expect(partition.isr).toEqual([1])
      }
    } finally {
      await broker.stop()
    }
  })

  test('an epoch that only the log knows is passed, too', async () => {
    const folder = goldenCopy()
    writeFileSync(join(folder, 'plain-1/leader-epoch-checkpoint'), '0\n2\n0 0\n7 20\n')
    const broker = await start(folder)
    try {
      expect(broker.context.partitions.get('plain', 1)?.leaderEpoch).toBe(8)
      expect(broker.context.partitions.get('plain', 0)?.leaderEpoch).toBe(2)
    } finally {
      await broker.stop()
    }
  })

  test('ACLs and the next producer id are in the metadata file', async () => {
    const folder = goldenCopy()
    await (await start(folder)).stop()
    const timers = new RealTimers(realClock)
    const store = new SqliteMetadataStore({
      path: join(folder, METADATA),
      clock: realClock,
      timers,
      logger: silent,
      exclusive: true,
    })
    try {
      const { entries } = await store.list(ACLS_PREFIX)
      const acls = entries.map(({ key, value }) => decodeValue<AclValue>(key, value))
      expect(acls.map(({ principal, resourceName }) => `${principal} ${resourceName}`).sort()).toEqual([
        'User:alice g-',
        'User:alice plain',
        'User:bob plain',
      ])
      const ids = await store.get(PRODUCER_IDS_KEY)
      expect(decodeValue<ProducerIdsValue>(ids!.key, ids!.value).next).toBeGreaterThanOrEqual(1000)
    } finally {
      store.close()
      timers.cancelAll()
    }
  })

  test('once: the next start needs no leave, and what changed meanwhile stays', async () => {
    const folder = goldenCopy()
    const first = await start(folder)
    await first.context.topics.delete([{ name: 'grown', topicId: 'AAAAAAAAAAAAAAAAAAAAAA' }])
    await first.stop()
    const second = await start(folder, { adopt: false })
    expect(second.context.image.topic('grown')).toBeUndefined()
    expect(second.context.image.topic('plain')?.topicId).toBe(goldenAnswers().topics.plain![0])
    await second.stop()
  })
})

describe('nothing is written', () => {
  test('without leave', async () => {
    const folder = goldenCopy()
    const before = treeOf(folder)
    const error = await refusal(folder, { adopt: false })
    expect(error.code).toBe('KAFKA_FOLDER')
    expect(error.details.join('\n')).toMatch(/node id +1\n/)
    expect(treeOf(folder)).toEqual(before)
  })

  test('to a folder whose broker runs', async () => {
    const folder = goldenCopy()
    const lock = new RealDisk().lock(join(folder, '.lock'))
    const before = treeOf(folder)
    expect((await refusal(folder)).code).toBe('DATA_LOCKED')
    expect((await refusal(folder, { adopt: false })).code).toBe('DATA_LOCKED')
    expect(treeOf(folder)).toEqual(before)
    lock?.release()
  })

  const replica = (replicas: number[]) => ({ partitionId: 0, topicId: goldenAnswers().topics.plain![0], replicas })
  test.each([
    [
      'replicas on other nodes',
      (folder: string) => appendRecord(folder, 'PartitionChange', 2, replica([1, 2])),
      'plain-0 on 1, 2',
    ],
    [
      'a feature of a later release',
      (folder: string) => appendRecord(folder, 'FeatureLevel', 0, { name: 'new.version', featureLevel: 1 }),
      'new.version',
    ],
    [
      'a level of a later release',
      (folder: string) => appendRecord(folder, 'FeatureLevel', 0, { name: 'metadata.version', featureLevel: 31 }),
      'level 31',
    ],
    [
      'a level of before Kafka 3.3',
      (folder: string) => appendRecord(folder, 'FeatureLevel', 0, { name: 'metadata.version', featureLevel: 4 }),
      '3.3-IV0',
    ],
    [
      'tiered storage',
      (folder: string) =>
        appendRecord(folder, 'Config', 0, {
          resourceType: 2,
          resourceName: 'plain',
          name: 'remote.storage.enable',
          value: 'true',
        }),
      'remote storage',
    ],
    [
      'a config that cannot be',
      (folder: string) =>
        appendRecord(folder, 'Config', 0, {
          resourceType: 2,
          resourceName: 'plain',
          name: 'retention.ms',
          value: 'soon',
        }),
      'retention.ms',
    ],
    [
      'an unfinished move from ZooKeeper',
      (folder: string) => appendRecord(folder, 'ZkMigrationState', 0, { zkMigrationState: 2 }),
      'ZooKeeper',
    ],
    [
      'a partition in a folder that was not given',
      (folder: string) => {
        rmSync(join(folder, 'plain-2'), { recursive: true })
        appendRecord(folder, 'PartitionChange', 2, {
          ...replica([1]),
          partitionId: 2,
          directories: ['sGUhBR5vTGGmU6e7cTyS0A'],
        })
      },
      'plain-2',
    ],
    [
      'another node',
      (folder: string) => writeFileSync(join(folder, 'meta.properties'), 'version=1\nnode.id=4\ncluster.id=x\n'),
      '--node-id',
    ],
    ['no meta.properties', (folder: string) => rmSync(join(folder, 'meta.properties')), 'meta.properties is missing'],
    [
      'a metadata log that is elsewhere',
      (folder: string) => rmSync(join(folder, '__cluster_metadata-0'), { recursive: true }),
      'metadata.log.dir',
    ],
    [
      'a damaged metadata log',
      (folder: string) => {
        writeFileSync(join(folder, '__cluster_metadata-0/00000000000000000007-0000000001.checkpoint'), 'no batch')
      },
      'is damaged',
    ],
  ])('when it cannot be taken over: %s', async (_name, spoil, reason) => {
    const folder = goldenCopy()
    spoil(folder)
    const before = treeOf(folder)
    const error = await refusal(folder)
    expect(error.code).toBe('DATA_UNUSABLE')
    expect(error.message).toContain(reason)
    expect(treeOf(folder)).toEqual(before)
  })
})

describe('cut short', () => {
  test('a metadata file that was not finished is begun anew', async () => {
    const folder = goldenCopy()
    writeFileSync(join(folder, `${METADATA}.adopting`), 'half of a file')
    writeFileSync(join(folder, `${METADATA}.adopting-wal`), 'half of a journal')
    expect((await refusal(folder, { adopt: false })).code).toBe('KAFKA_FOLDER')
    const broker = await start(folder)
    expect(broker.topicCount).toBe(Object.keys(goldenAnswers().topics).length)
    await broker.stop()
    expect(readdirSync(folder).filter((name) => name.includes('.adopting'))).toEqual([])
  })

  /** Starts `serve --adopt` and kills it: after so many milliseconds, or at once when it has logged this. True: it served. */
  async function startAndKill(folder: string, when: number | string): Promise<boolean> {
    const reached = Promise.withResolvers<boolean>()
    const child = new Child({
      command: [...SAMSA, 'serve', '--listen', '127.0.0.1:0', '--http', 'off', '--data', folder, '--adopt'],
      onErrorLine: (line) => {
        if (typeof when === 'string' && line.includes(when)) reached.resolve(false)
      },
      onLine: (line) => {
        if (line.includes(' ready on ')) reached.resolve(true)
      },
    })
    child.exited.then(() => reached.resolve(false))
    const timer = typeof when === 'number' ? setTimeout(() => reached.resolve(false), when) : null
    const isServed = await reached.promise
    if (timer !== null) clearTimeout(timer)
    child.kill('SIGKILL')
    await child.exited
    return isServed
  }

  async function expectWhole(folder: string, content: string): Promise<void> {
    expect(contentOf(join(folder, 'plain-0/00000000000000000000.log'))).toBe(content)
    if (!existsSync(join(folder, METADATA))) {
      expect((await refusal(folder, { adopt: false })).code).toBe('KAFKA_FOLDER')
    }
  }

  test("killed at any time, it is Kafka's folder or Samsa's, and the next start completes it", async () => {
    const folder = goldenCopy()
    const content = contentOf(join(folder, 'plain-0/00000000000000000000.log'))
    // The last line before anything is written.
    await startAndKill(folder, 'next producer id')
    await expectWhole(folder, content)
    // Each time later, until the process comes so far that it serves.
    for (let delayMs = 60; !(await startAndKill(folder, delayMs)); delayMs *= 1.5) await expectWhole(folder, content)
    const broker = await start(folder, { adopt: false })
    expect(broker.topicCount).toBe(Object.keys(goldenAnswers().topics).length)
    await broker.stop()
  }, 180_000)

  test('killed when it has just been taken over', async () => {
    const folder = goldenCopy()
    await startAndKill(folder, 'was taken over')
    const broker = await start(folder, { adopt: false })
    expect(broker.topicCount).toBe(Object.keys(goldenAnswers().topics).length)
    await broker.stop()
  })
})

test('a folder that was only formatted is taken over, with its features', async () => {
  const folder = goldenCopy()
  for (const name of readdirSync(folder)) {
    if (!['meta.properties', 'bootstrap.checkpoint'].includes(name)) rmSync(join(folder, name), { recursive: true })
  }
  mkdirSync(join(folder, '__cluster_metadata-0'))
  const broker = await start(folder)
  expect(broker.topicCount).toBe(0)
  expect(broker.context.features.level('transaction.version')).toBe(2)
  await broker.stop()
})
