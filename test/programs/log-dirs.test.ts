// Two data folders, a real Kafka and Samsa: the same requests and the same programs, from spreading partitions over moving replicas to a
// folder that fails while it is served.
import { afterAll, beforeAll, expect } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/00-produce.ts'
import { ListOffsetsRequest, ListOffsetsResponse } from '../../src/protocol/messages/02-list-offsets.ts'
import { MetadataRequest, MetadataResponse } from '../../src/protocol/messages/03-metadata.ts'
import { CreateTopicsRequest, CreateTopicsResponse } from '../../src/protocol/messages/19-create-topics.ts'
import {
  AlterReplicaLogDirsRequest,
  AlterReplicaLogDirsResponse,
} from '../../src/protocol/messages/34-alter-replica-log-dirs.ts'
import { DescribeLogDirsRequest, DescribeLogDirsResponse } from '../../src/protocol/messages/35-describe-log-dirs.ts'
import {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponse,
} from '../../src/protocol/messages/44-incremental-alter-configs.ts'
import { buildBatch } from '../../src/records/batch.ts'
import { DifferentialBroker } from '../differential/broker.ts'
import type { BrokerTarget } from '../support/broker-target.ts'
import { startKafka } from '../support/kafka-process.ts'
import { startSamsaWith } from '../support/samsa-process.ts'
import { ToolRunner } from '../support/tool-runner.ts'
import { interopDescribe, interopTest } from '../support/tools.ts'

const SETUP_TIMEOUT_MS = 180_000
const CASE_TIMEOUT_MS = 120_000
/** What was produced to a folder that is gone is still taken until the broker has found out. */
const FOUND_OUT_MS = 90_000
const BROKER = 4
const SET = 0
const DELETE = 1
const STORAGE_ERROR = 56

/** One broker with two folders. */
class Side {
  readonly broker: DifferentialBroker
  readonly folders: readonly string[]

  constructor(target: BrokerTarget, folders: readonly string[]) {
    this.broker = new DifferentialBroker(target)
    this.folders = folders
  }

  /** `<0>` or `<1>` for the folders; what lies in them is the same for both brokers. */
  label(text: string): string {
    return this.folders.reduce((result, folder, index) => result.replaceAll(folder, `<${index}>`), text)
  }

  async rows() {
    const connection = await this.broker.connection('dirs')
    const { results } = await connection.send(
      DescribeLogDirsRequest,
      DescribeLogDirsResponse,
      { topics: null },
      { version: 5 },
    )
    return results
  }

  /** Every folder with the replicas of the topic, those on their way marked with F. */
  async describe(topic: string): Promise<unknown[]> {
    const results = await this.rows()
    return results
      .map(({ logDir, errorCode, isCordoned, totalBytes, topics }) => ({
        folder: this.label(logDir),
        errorCode,
        isCordoned,
        hasSpace: totalBytes > 0,
        replicas: topics
          .filter(({ name }) => name === topic)
          .flatMap(({ partitions }) => partitions)
          .map(
            ({ partitionIndex, partitionSize, isFutureKey }) =>
              `${partitionIndex}${isFutureKey ? 'F' : ''}: ${partitionSize}`,
          )
          .sort(),
      }))
      .sort((a, b) => (a.folder < b.folder ? -1 : 1))
  }

  /** The folder in which the partition is served, and whether it is moving. */
  async placeOf(topic: string, partition: number): Promise<{ folder: string; isMoving: boolean }> {
    const found = (await this.rows()).flatMap(({ logDir, topics }) =>
      topics
        .filter(({ name }) => name === topic)
        .flatMap(({ partitions }) => partitions)
        .filter(({ partitionIndex }) => partitionIndex === partition)
        .map(({ isFutureKey }) => ({ folder: logDir, isFutureKey })),
    )
    const current = found.find(({ isFutureKey }) => !isFutureKey)
    return { folder: current?.folder ?? '', isMoving: found.some(({ isFutureKey }) => isFutureKey) }
  }

  async countIn(topic: string): Promise<number[]> {
    const results = await this.rows()
    return this.folders.map((folder) =>
      results
        .filter(({ logDir }) => logDir === folder)
        .flatMap(({ topics }) => topics)
        .filter(({ name }) => name === topic)
        .reduce((sum, { partitions }) => sum + partitions.length, 0),
    )
  }

  async other(topic: string, partition: number): Promise<string> {
    const { folder } = await this.placeOf(topic, partition)
    return this.folders.find((each) => each !== folder) ?? ''
  }

  async move(path: string, topic: string, ...partitions: number[]): Promise<unknown> {
    return this.moveAll([{ path, topics: [{ name: topic, partitions }] }])
  }

  async moveAll(dirs: { path: string; topics: { name: string; partitions: number[] }[] }[]): Promise<unknown> {
    const connection = await this.broker.connection('dirs')
    const answer = await connection.send(
      AlterReplicaLogDirsRequest,
      AlterReplicaLogDirsResponse,
      { dirs },
      { version: 2 },
    )
    return answer.results.flatMap(({ topicName, partitions }) =>
      [...partitions]
        .sort((a, b) => a.partitionIndex - b.partitionIndex)
        .map(({ partitionIndex, errorCode }) => `${topicName.slice(0, 20)}-${partitionIndex}: ${errorCode}`),
    )
  }

  arrived(topic: string, partition: number, folder: string): Promise<void> {
    return this.broker.until(`${topic}-${partition} is in ${folder}`, async () => {
      const place = await this.placeOf(topic, partition)
      return place.folder === folder && !place.isMoving
    })
  }

  async configure(name: string, value: string | null): Promise<unknown> {
    const connection = await this.broker.connection('dirs')
    const configs = [{ name, configOperation: value === null ? DELETE : SET, value }]
    const { responses } = await connection.send(
      IncrementalAlterConfigsRequest,
      IncrementalAlterConfigsResponse,
      { resources: [{ resourceType: BROKER, resourceName: '1', configs }], validateOnly: false },
      { version: 1 },
    )
    return responses.map(({ errorCode, errorMessage }) => ({ errorCode, errorMessage }))
  }

  async create(name: string, numPartitions: number): Promise<unknown> {
    const connection = await this.broker.connection('dirs')
    const topic = { name, numPartitions, replicationFactor: 1, assignments: [], configs: [] }
    const { topics } = await connection.send(
      CreateTopicsRequest,
      CreateTopicsResponse,
      { topics: [topic] },
      { version: 7 },
    )
    return topics.map(({ errorCode, errorMessage }) => ({ errorCode, errorMessage }))
  }

  async produce(topic: string, index: number, count = 1, valueBytes = 10): Promise<number> {
    const connection = await this.broker.connection('produce')
    const record = { timestamp: Date.now(), key: null, value: Buffer.alloc(valueBytes, 0x61) }
    const records = [buildBatch({ records: Array.from({ length: count }, () => record) })]
    const value = { acks: -1, timeoutMs: 5_000, topicData: [{ name: topic, partitionData: [{ index, records }] }] }
    const answer = await connection.send(ProduceRequest, ProduceResponse, value, { version: 9 })
    return answer.responses[0]?.partitionResponses[0]?.errorCode ?? -1
  }

  async endOffsets(topic: string, count: number): Promise<unknown> {
    const connection = await this.broker.connection('dirs')
    const partitions = Array.from({ length: count }, (_, partitionIndex) => ({ partitionIndex, timestamp: -1 }))
    const value = { replicaId: -1, topics: [{ name: topic, partitions }] }
    const answer = await connection.send(ListOffsetsRequest, ListOffsetsResponse, value, { version: 5 })
    return (answer.topics[0]?.partitions ?? [])
      .map(({ partitionIndex, errorCode, offset }) => `${partitionIndex}: ${errorCode} ${offset}`)
      .sort()
  }

  async leadership(topic: string): Promise<unknown> {
    const connection = await this.broker.connection('dirs')
    const value = { topics: [{ name: topic }], allowAutoTopicCreation: false }
    const { topics } = await connection.send(MetadataRequest, MetadataResponse, value, { version: 8 })
    return (topics[0]?.partitions ?? [])
      .map(({ leaderEpoch: _, ...rest }) => rest)
      .sort((a, b) => a.partitionIndex - b.partitionIndex)
  }
}

interopDescribe('two data folders, like Kafka 4.3.1', ['java'], () => {
  let sides: Side[] = []
  let tools: ToolRunner
  let root: string

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'samsa-log-dirs-'))
    tools = new ToolRunner()
    const folders = (name: string): [string, string] => [join(root, `${name}-0`), join(root, `${name}-1`)]
    const [kafka, samsa] = [folders('kafka'), folders('samsa')]
    const targets = await Promise.all([
      startKafka({ 'log.dirs': kafka.join(','), 'metadata.log.dir': join(root, 'kafka-metadata') }),
      startSamsaWith({
        dataDirectory: samsa[0],
        arguments: ['--data', samsa[1]],
        settings: { 'metadata.log.dir': join(root, 'samsa-metadata') },
      }),
    ])
    sides = [new Side(targets[0], kafka), new Side(targets[1], samsa)]
  }, SETUP_TIMEOUT_MS)

  afterAll(async () => {
    await tools?.close()
    for (const { broker } of sides) {
      await broker.close()
      await broker.target.stop()
    }
    rmSync(root, { recursive: true, force: true })
  }, SETUP_TIMEOUT_MS)

  const same = (name: string, observe: (side: Side) => Promise<unknown>): void =>
    interopTest(
      name,
      ['java'],
      async () => {
        const [kafka, samsa] = await Promise.all(sides.map(observe))
        expect(samsa).toEqual(kafka)
      },
      { timeoutMs: CASE_TIMEOUT_MS },
    )

  same('partitions are spread over the folders', async (side) => {
    await side.broker.createTopic('spread', { partitions: 6 })
    return side.countIn('spread')
  })

  same('a replica moves with its records, and goes on there', async (side) => {
    await side.broker.createTopic('moved', { partitions: 1 })
    const codes = [await side.produce('moved', 0, 5)]
    const there = await side.other('moved', 0)
    const answer = await side.move(there, 'moved', 0)
    await side.arrived('moved', 0, there)
    codes.push(await side.produce('moved', 0, 2))
    const { folder } = await side.placeOf('moved', 0)
    const back = await side.other('moved', 0)
    const answerBack = await side.move(back, 'moved', 0)
    await side.arrived('moved', 0, back)
    codes.push(await side.produce('moved', 0, 3))
    return { codes, answer, answerBack, arrived: folder === there, offsets: await side.endOffsets('moved', 1) }
  })

  same('what cannot move is refused; where a partition is to be made is remembered', async (side) => {
    const [first = '', second = ''] = side.folders
    await side.broker.createTopic('asked', { partitions: 1 })
    const long = 'l'.repeat(249)
    await side.broker.createTopic(long, { partitions: 1 })
    const here = (await side.placeOf('asked', 0)).folder
    const answers = [
      await side.move('/no/such/folder', 'asked', 0),
      await side.move(`${second}/`, 'asked', 0),
      await side.move('relative', 'asked', 0),
      await side.move(here, 'asked', 0),
      await side.move(second, 'asked', 7),
      await side.move(second, long, 0),
      await side.move('/no/such/folder', long, 0),
      await side.move(second, 'wished', 0, 1),
      await side.moveAll([
        { path: '/no/such/folder', topics: [{ name: 'asked', partitions: [0] }] },
        { path: here, topics: [{ name: 'asked', partitions: [0] }] },
      ]),
      await side.moveAll([{ path: first, topics: [] }]),
    ]
    await side.broker.createTopic('wished', { partitions: 2 })
    return { answers, wished: await side.countIn('wished') }
  })

  same('cordoned folders get nothing new', async (side) => {
    const [first = '', second = ''] = side.folders
    const seen: unknown[] = []
    seen.push(await side.configure('cordoned.log.dirs', '/no/such/folder'))
    seen.push(await side.configure('cordoned.log.dirs', second))
    const shown = (wanted: boolean[]) => async () => {
      const rows = await side.rows()
      return side.folders.every(
        (folder, index) => rows.find(({ logDir }) => logDir === folder)?.isCordoned === wanted[index],
      )
    }
    await side.broker.until('the second is cordoned', shown([false, true]))
    seen.push(await side.create('beside', 4))
    await side.broker.until('beside is there', async () => (await side.countIn('beside')).join() === '4,0')
    seen.push(await side.move(second, 'beside', 0), await side.move(second, 'never', 0))
    seen.push(await side.describe('beside'))
    seen.push(await side.configure('cordoned.log.dirs', `${first},${second}`))
    await side.broker.until('both are cordoned', shown([true, true]))
    seen.push(await side.create('nowhere', 1))
    seen.push(await side.configure('cordoned.log.dirs', '*'))
    seen.push(await side.move(first, 'beside', 0))
    seen.push(await side.configure('cordoned.log.dirs', null))
    await side.broker.until('none is cordoned', shown([false, false]))
    seen.push(await side.move(second, 'beside', 0))
    await side.arrived('beside', 0, second)
    return side.label(JSON.stringify(seen, null, 1)).split('\n')
  })

  same('a move that is slow is shown, and can be called off', async (side) => {
    await side.broker.createTopic('slow', { partitions: 1 })
    for (let count = 0; count < 4; count++) await side.produce('slow', 0, 100, 5_000)
    await side.configure('replica.alter.log.dirs.io.max.bytes.per.second', '1000')
    const { folder } = await side.placeOf('slow', 0)
    const there = await side.other('slow', 0)
    const answer = await side.move(there, 'slow', 0)
    await side.broker.until('it is shown', async () => (await side.placeOf('slow', 0)).isMoving)
    const back = await side.move(folder, 'slow', 0)
    await side.arrived('slow', 0, folder)
    await side.configure('replica.alter.log.dirs.io.max.bytes.per.second', null)
    return { answer, back, offsets: await side.endOffsets('slow', 1), code: await side.produce('slow', 0) }
  })

  same('kafka-log-dirs and kafka-reassign-partitions with log_dirs', async (side) => {
    await side.broker.createTopic('planned', { partitions: 1 })
    await side.produce('planned', 0, 3)
    const there = await side.other('planned', 0)
    const plan = join(root, `${side.broker.target.kind}-plan.json`)
    const partitions = [{ topic: 'planned', partition: 0, replicas: [1], log_dirs: [there] }]
    writeFileSync(plan, JSON.stringify({ version: 1, partitions }))
    const bootstrap = ['--bootstrap-server', side.broker.target.bootstrap]
    const reassign = (...args: string[]) =>
      tools.run('kafka-reassign-partitions', [...bootstrap, '--reassignment-json-file', plan, ...args])
    const outputs = [await reassign('--execute', '--replica-alter-log-dirs-throttle', '10000000')]
    await side.arrived('planned', 0, there)
    outputs.push(await reassign('--verify'))
    outputs.push(await tools.run('kafka-log-dirs', [...bootstrap, '--describe', '--topic-list', 'planned']))
    const isOwn = (line: string) => line.trim() !== '' && !/WARN|SLF4J/.test(line)
    const text = ({ exitCode, stdout }: (typeof outputs)[number]): unknown => ({
      exitCode,
      lines: side
        .label(stdout)
        .replaceAll(there === side.folders[0] ? '<0>' : '<1>', '<there>')
        .replaceAll(there === side.folders[0] ? '<1>' : '<0>', '<here>')
        .replaceAll(/"(size|totalBytes|usableBytes)":\d+/g, '"$1":<n>')
        .split('\n')
        .filter(isOwn)
        .map((line) => (line.startsWith('{"brokers"') ? sortedFolders(line) : line)),
    })
    return outputs.map(text)
  })

  same('a folder that is gone is offline; the other one goes on', async (side) => {
    await side.broker.createTopic('halves', { partitions: 4 })
    const [, second = ''] = side.folders
    // The same two partitions in the folder that goes.
    for (const partition of [0, 1, 2, 3]) {
      const folder = side.folders[partition < 2 ? 0 : 1] ?? ''
      await side.move(folder, 'halves', partition)
      await side.arrived('halves', partition, folder)
      await side.produce('halves', partition, 2)
    }
    rmSync(second, { recursive: true, force: true })
    writeFileSync(second, 'a file where a folder was')
    const deadline = Date.now() + FOUND_OUT_MS
    while ((await side.produce('halves', 2)) !== STORAGE_ERROR && Date.now() < deadline) await Bun.sleep(200)
    await side.broker.until('the metadata says so', async () =>
      JSON.stringify(await side.leadership('halves')).includes('"leaderId":-1'),
    )
    const afterwards = [
      await side.produce('halves', 2),
      await side.produce('halves', 3),
      await side.produce('halves', 0),
      await side.leadership('halves'),
      await side.endOffsets('halves', 4),
      await side.describe('halves'),
      await side.move(second, 'halves', 0),
      await side.move(side.folders[0] ?? '', 'halves', 2),
      await side.create('later', 3),
    ]
    await side.broker.until('later is there', async () => (await side.countIn('later')).join() === '3,0')
    return afterwards
  })
})

/** What `kafka-log-dirs` prints: the folders in no particular order. */
function sortedFolders(line: string): unknown {
  const { brokers } = JSON.parse(line.replaceAll('<n>', '0')) as { brokers: { logDirs: { logDir: string }[] }[] }
  return brokers.map(({ logDirs, ...rest }) => ({
    ...rest,
    logDirs: logDirs.sort((a, b) => (a.logDir < b.logDir ? -1 : 1)),
  }))
}
