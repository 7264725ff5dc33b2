/**
 * A broker that is killed and started again, a network that cuts, freezes and delays, and clients that have to live with it: idempotent
 * producers, groups of both protocols, a share group and a pipeline of transactions. One round is a run of faults and the peace after it, in which everything that
 * was promised has to be there.
 *
 * What is checked: every acknowledged record is in the log where its answer said, no record is there twice, each producer's records lie
 * in the order of their sending; every group has read every record, and what it committed is the end of the log; buffers are empty, and
 * everything closes in bounded time.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Admin } from '../../../src/client/admin/admin.ts'
import { Consumer } from '../../../src/client/consumer/consumer.ts'
import { KafkaError } from '../../../src/client/errors.ts'
import { Producer } from '../../../src/client/producer/producer.ts'
import { Random } from '../../support/random.ts'
import { type SamsaProcess, startSamsaWith } from '../../support/samsa-process.ts'
import { uniqueName, until } from '../consumer/scenarios.ts'
import { type ConnectionFaults, FaultyProxy } from '../faulty-proxy.ts'
import {
  GroupReaders,
  type Log,
  PARTITIONS,
  Pipeline,
  RETRY,
  type Readers,
  ShareReaders,
  TIMEOUT_MS,
} from './readers.ts'

const PRODUCERS = 2
/** A member whose join was answered into the void is a ghost until its session ends, and so are locks of lost share sessions. */
const SETTINGS = {
  'group.min.session.timeout.ms': '500',
  'group.consumer.min.session.timeout.ms': '500',
  'group.consumer.session.timeout.ms': '4000',
  'group.consumer.min.heartbeat.interval.ms': '100',
  'group.consumer.heartbeat.interval.ms': '200',
  'group.share.min.session.timeout.ms': '500',
  'group.share.session.timeout.ms': '4000',
  'group.share.min.heartbeat.interval.ms': '100',
  'group.share.heartbeat.interval.ms': '200',
  'group.share.min.record.lock.duration.ms': '1000',
  'group.share.record.lock.duration.ms': '3000',
  'group.share.delivery.count.limit': '10',
  'group.share.max.delivery.count.limit': '10',
}

export interface RoundReport {
  readonly seed: number
  readonly records: number
  readonly cuts: number
  readonly freezes: number
  readonly kills: number
  readonly failedTransactions: number
  readonly closeMs: number
  /** Of this process, after the round. */
  readonly residentBytes: number
}

/** The faults of one round: until `calm`, by the seed. */
class Weather {
  isCalm = true
  private readonly random: Random

  constructor(seed: number) {
    this.random = new Random(seed)
  }

  next(): ConnectionFaults {
    if (this.isCalm) return {}
    const { random } = this
    const kind = random.next()
    const bytes = random.chance(0.4) ? 1 + random.below(300) : 1 + random.below(20_000)
    if (kind < 0.4) return { cutAfterBytes: bytes }
    if (kind < 0.55) return { freezeAfterBytes: bytes }
    if (kind < 0.85) {
      const most = 1 + random.below(80)
      // Now and then longer than requests wait.
      return { delayMs: () => (random.chance(0.02) ? TIMEOUT_MS * 1.5 : random.below(most)), cutAfterBytes: 50 * bytes }
    }
    return {}
  }
}

interface Sent {
  readonly value: string
  readonly partition: number
  /** Null where the producer gave up: the record may be there or not. */
  offset: number | null
}

export class ChaosWorld {
  private samsa: SamsaProcess
  private readonly proxy: FaultyProxy
  private readonly dataDirectory: string
  private weather = new Weather(0)

  private constructor(samsa: SamsaProcess, proxy: FaultyProxy, dataDirectory: string) {
    this.samsa = samsa
    this.proxy = proxy
    this.dataDirectory = dataDirectory
  }

  static async start(): Promise<ChaosWorld> {
    const dataDirectory = mkdtempSync(join(tmpdir(), 'samsa-chaos-'))
    let world: ChaosWorld | null = null
    const proxy = await FaultyProxy.listen(() => world?.weather.next() ?? {})
    const samsa = await startSamsaWith({ dataDirectory, settings: settingsFor(proxy) })
    proxy.forwardTo(samsa.port)
    world = new ChaosWorld(samsa, proxy, dataDirectory)
    return world
  }

  async stop(): Promise<void> {
    await this.proxy.close()
    await this.samsa.stop()
    rmSync(this.dataDirectory, { recursive: true, force: true })
  }

  /** `faultMs`: how long things go wrong. */
  async round(seed: number, faultMs: number): Promise<RoundReport> {
    const random = new Random(seed)
    const { cuts, freezes } = this.proxy
    const topic = uniqueName(`chaos-${seed}`)
    await this.prepare(topic)
    const pipeline = new Pipeline(this.bootstrap, topic, `${topic}-copy`)
    const readers: Readers[] = [
      new GroupReaders(this.bootstrap, topic, 'classic'),
      new GroupReaders(this.bootstrap, topic, 'consumer'),
      new ShareReaders(this.bootstrap, topic),
      pipeline,
    ]
    const writers = Array.from(
      { length: PRODUCERS },
      (_, index) => new Writer(this.bootstrap, topic, index, random.below(1e9)),
    )
    this.weather = new Weather(random.below(1e9))
    this.weather.isCalm = false
    // Connections from before the storm would never see it.
    this.proxy.cutAll()
    const untilMs = performance.now() + faultMs
    let kills = 0
    while (performance.now() < untilMs) {
      await Bun.sleep(200 + random.below(800))
      if (random.chance(0.15)) {
        kills += 1
        await this.killAndRestart(random.below(1_000))
      } else if (random.chance(0.1)) {
        this.proxy.isRefusing = true
        await Bun.sleep(random.below(500))
        this.proxy.isRefusing = false
      }
    }
    this.weather.isCalm = true
    const sent = (await Promise.all(writers.map((writer) => writer.finish()))).flat()
    const log = await this.readLog(topic)
    checkLog(log, sent)
    const values = new Set(log.flat())
    for (const reader of readers)
      await until(`${reader.name} reads everything (seed ${seed})`, () => reader.hasSeen(values), 120_000)
    for (const reader of readers) await reader.check(log)
    const startMs = performance.now()
    await Promise.all(readers.map((reader) => reader.close()))
    const closeMs = Math.round(performance.now() - startMs)
    return {
      seed,
      records: values.size,
      cuts: this.proxy.cuts - cuts,
      freezes: this.proxy.freezes - freezes,
      kills,
      failedTransactions: pipeline.failures,
      closeMs,
      residentBytes: process.memoryUsage.rss(),
    }
  }

  private get bootstrap(): string {
    return `127.0.0.1:${this.proxy.port}`
  }

  private async killAndRestart(downMs: number): Promise<void> {
    this.samsa.child.kill('SIGKILL')
    await this.samsa.child.exited
    await Bun.sleep(downMs)
    this.samsa = await startSamsaWith({ dataDirectory: this.dataDirectory, settings: settingsFor(this.proxy) })
    this.proxy.forwardTo(this.samsa.port)
  }

  private async prepare(topic: string): Promise<void> {
    const admin = new Admin({ bootstrap: this.bootstrap })
    try {
      const names = [topic, `${topic}-copy`]
      const outcomes = await admin.createTopics(
        names.map((name) => ({ name, partitions: PARTITIONS, replicationFactor: 1 })),
      )
      for (const { error } of outcomes) assert.equal(error, null)
      const earliest = { name: 'share.auto.offset.reset', operation: 'set', value: 'earliest' } as const
      await admin.alterConfigs([{ type: 'group', name: `${topic}-share`, changes: [earliest] }])
    } finally {
      await admin.close()
    }
  }

  private async readLog(topic: string): Promise<string[][]> {
    const consumer = new Consumer({ bootstrap: this.samsa.bootstrap, timeoutMs: TIMEOUT_MS, retry: RETRY })
    const places = Array.from({ length: PARTITIONS }, (_, partition) => ({ topic, partition }))
    const log: string[][] = places.map(() => [])
    const ends = await consumer.endOffsets(places)
    await consumer.assign(ends.map(({ partition, offset: end }) => ({ topic, partition, offset: 0, until: end })))
    for await (const { partition, offset, value } of consumer.messages()) log[partition]![offset] = String(value)
    await consumer.close()
    return log
  }
}

function settingsFor(proxy: FaultyProxy): Record<string, string> {
  return { ...SETTINGS, 'advertised.listeners': `PLAINTEXT://127.0.0.1:${proxy.port}` }
}

function checkLog(log: Log, sent: readonly Sent[]): void {
  const all = log.flat()
  assert.equal(new Set(all).size, all.length, 'a record was stored twice')
  for (const { value, partition, offset } of sent) {
    if (offset !== null)
      assert.equal(log[partition]![offset], value, `an acknowledged record is not at ${partition}:${offset}`)
  }
  for (const values of log) {
    for (let writer = 0; writer < PRODUCERS; writer++) {
      const numbers = values
        .filter((value) => value.startsWith(`${writer}:`))
        .map((value) => Number(value.split(':')[1]))
      assert.deepEqual(
        numbers,
        numbers.toSorted((one, other) => one - other),
        'records were stored in another order',
      )
    }
  }
}

/** Sends until told to stop, several records at a time, and remembers what was said of each. */
class Writer {
  private readonly sent: Sent[] = []
  private readonly waiting: Promise<void>[] = []
  private readonly producer: Producer
  private readonly random: Random
  private readonly running: Promise<void>
  private isStopping = false

  constructor(bootstrap: string, topic: string, index: number, seed: number) {
    this.random = new Random(seed)
    this.producer = new Producer({
      bootstrap,
      retry: RETRY,
      requestTimeoutMs: TIMEOUT_MS,
      deliveryTimeoutMs: 60_000,
      bufferBytes: 256 * 1024,
      batchBytes: 4_096,
    })
    this.running = this.run(topic, index)
  }

  async finish(): Promise<readonly Sent[]> {
    this.isStopping = true
    await this.running
    await Promise.all(this.waiting)
    assert.equal(this.producer.bufferedBytes, 0)
    await this.producer.close()
    return this.sent
  }

  private async run(topic: string, index: number): Promise<void> {
    for (let number = 0; !this.isStopping; ) {
      for (let count = 1 + this.random.below(20); count > 0; count--) {
        const row: Sent = { value: `${index}:${number++}`, partition: this.random.below(PARTITIONS), offset: null }
        const sending = this.producer.send({ topic, value: row.value, partition: row.partition })
        this.sent.push(row)
        const stored = ({ offset }: { readonly offset: number }): void => {
          row.offset = offset
        }
        this.waiting.push(sending.then(stored, assertGivenUp))
      }
      await Bun.sleep(this.random.below(30))
    }
  }
}

function assertGivenUp(error: unknown): void {
  assert(error instanceof KafkaError, String(error))
  assert(['ERR_DELIVERY_TIMEOUT', 'ERR_BUFFER_FULL'].includes(error.code), `${error.code}: ${error.message}`)
}
