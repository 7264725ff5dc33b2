/**
 * What exactly-once costs, here and in Kafka: `bun bench/transactions.ts --rounds 3 --seconds 5`.
 *
 *   --producers N  producers beside each other, each with one unit of work under way (default 4)
 *   --seconds N    length of a measurement (default 5)
 *   --rounds N     rounds; the brokers take turns (default 3)
 *   --only NAME    samsa or kafka
 *   --path DIR     folder for the brokers' data
 *
 * Three works, each of one record of 100 bytes: an awaited idempotent send, and a transaction from its first record to the answered commit,
 * in the protocol of `transaction.version` 2 (KIP-890) and in the one before it. The same client drives both brokers; where a broker still
 * writes the markers of the transaction before, the client asks again after `RETRY_BACKOFF_MS`, as often as Java's producer does.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Admin } from '../src/client/admin/admin.ts'
import { Producer } from '../src/client/producer/producer.ts'
import { type StartedTarget, startKafka, startSamsa } from '../src/lab/broker/brokers.ts'
import { kafkaJars } from '../src/lab/broker/kafka-jars.ts'
import { cpuSecondsOf } from '../src/lab/broker/target.ts'

const RECORD = Buffer.alloc(100, 'x')
const TOPIC = 'transactions'
const WARM_UP_SECONDS = 2
/** What Java's producer waits before it asks again when a transaction is still being completed. */
const RETRY_BACKOFF_MS = 20

const { values: flags } = parseArgs({
  options: {
    producers: { type: 'string', default: '4' },
    seconds: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
    path: { type: 'string', default: tmpdir() },
  },
})

interface Work {
  readonly name: string
  readonly transactionVersion: number
  readonly transactional: boolean
}

const WORKS: readonly Work[] = [
  { name: 'idempotent sends', transactionVersion: 2, transactional: false },
  { name: 'transactions, version 2', transactionVersion: 2, transactional: true },
  { name: 'transactions, version 1', transactionVersion: 1, transactional: true },
]

interface Measured {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly cpuMicros: number
}

async function unit(producer: Producer, transactional: boolean): Promise<void> {
  const record = { topic: TOPIC, value: RECORD }
  if (!transactional) {
    await producer.send(record)
    return
  }
  await producer.transaction(async (transaction) => {
    await transaction.send(record)
  })
}

async function measure(started: StartedTarget, work: Work): Promise<Measured> {
  const { host, port } = started.target.address
  const bootstrap = `${host}:${port}`
  const producers = Array.from(
    { length: Number(flags.producers) },
    (_, index) =>
      new Producer({
        bootstrap,
        retry: { backoffMs: RETRY_BACKOFF_MS, backoffMaxMs: RETRY_BACKOFF_MS },
        ...(work.transactional ? { transactionalId: `bench-${work.transactionVersion}-${index}` } : {}),
      }),
  )
  try {
    const run = async (seconds: number): Promise<number[]> => {
      const latencies: number[] = []
      const endMs = performance.now() + seconds * 1000
      const loop = async (producer: Producer): Promise<void> => {
        for (let beganMs = performance.now(); beganMs < endMs; ) {
          await unit(producer, work.transactional)
          const nowMs = performance.now()
          latencies.push(nowMs - beganMs)
          beganMs = nowMs
        }
      }
      await Promise.all(producers.map(loop))
      return latencies.sort((a, b) => a - b)
    }
    await run(WARM_UP_SECONDS)
    const cpuBefore = cpuSecondsOf(started.target.pid!)
    const beganMs = performance.now()
    const latencies = await run(Number(flags.seconds))
    const seconds = (performance.now() - beganMs) / 1000
    const cpuSeconds = cpuSecondsOf(started.target.pid!) - cpuBefore
    const at = (share: number) => latencies[Math.floor((latencies.length - 1) * share)] ?? 0
    return {
      perSecond: latencies.length / seconds,
      p50Ms: at(0.5),
      p99Ms: at(0.99),
      cpuMicros: (cpuSeconds * 1e6) / latencies.length,
    }
  } finally {
    for (const producer of producers) await producer.close()
  }
}

async function round(started: StartedTarget, into: Map<string, Measured[]>): Promise<void> {
  const { host, port } = started.target.address
  const admin = new Admin({ bootstrap: `${host}:${port}` })
  try {
    await admin.createTopics([{ name: TOPIC, partitions: 1, replicationFactor: 1 }])
    for (const work of WORKS) {
      await admin.updateFeatures([
        {
          name: 'transaction.version',
          level: work.transactionVersion,
          type: work.transactionVersion === 2 ? 'upgrade' : 'safe-downgrade',
        },
      ])
      const measured = await measure(started, work)
      const rows = into.get(work.name) ?? []
      into.set(work.name, [...rows, measured])
      console.log(
        `${started.target.name}: ${work.name}: ${measured.perSecond.toFixed(0)} per second, ` +
          `p50 ${measured.p50Ms.toFixed(2)} ms, p99 ${measured.p99Ms.toFixed(2)} ms, ` +
          `CPU ${measured.cpuMicros.toFixed(0)} us each`,
      )
    }
  } finally {
    await admin.close()
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? 0
}

const directory = mkdtempSync(join(flags.path, 'samsa-bench-transactions-'))
const command = [process.execPath, join(import.meta.dir, '../src/cli/main.ts')]
const sides = ['samsa', 'kafka'].filter((each) => flags.only === '' || flags.only === each)
const results = new Map(sides.map((side) => [side, new Map<string, Measured[]>()]))
try {
  for (let index = 0; index < Number(flags.rounds); index++) {
    for (const side of index % 2 === 0 ? sides : sides.toReversed()) {
      const options = { directory, durability: 'os' } as const
      const started =
        side === 'samsa'
          ? await startSamsa(command, options)
          : await startKafka(await kafkaJars({ onProgress: () => {} }), options)
      try {
        await round(started, results.get(side)!)
      } finally {
        await started.stop()
      }
    }
  }
} finally {
  rmSync(directory, { recursive: true, force: true })
}
for (const { name } of WORKS) {
  const medians = sides.map((side) => median((results.get(side)!.get(name) ?? []).map(({ perSecond }) => perSecond)))
  const ratio = medians.length === 2 ? `, ${(medians[0]! / medians[1]!).toFixed(1)}x` : ''
  console.log(`${name}, medians: ${sides.map((side, at) => `${side} ${medians[at]!.toFixed(0)}`).join(', ')}${ratio}`)
}
