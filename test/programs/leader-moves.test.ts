/**
 * A real cluster of two brokers whose partitions move between them while clients write and read: leaders elected anew, replicas
 * reassigned, a broker that is killed. What was acknowledged is read where the answer said, and nothing else is.
 */
import { afterAll, beforeAll, expect } from 'bun:test'
import { Admin } from '../../src/client/admin/admin.ts'
import { Consumer } from '../../src/client/consumer/consumer.ts'
import { Producer } from '../../src/client/producer/producer.ts'
import { uniqueName, until } from '../client/consumer/scenarios.ts'
import { type KafkaProcess, startKafkaWith } from '../support/kafka-process.ts'
import { interopDescribe, interopTest } from '../support/tools.ts'

const SETUP_TIMEOUT_MS = 120_000
const TEST_TIMEOUT_MS = 200_000
const PARTITIONS = 3
const BOTH_WAYS = [
  [1, 2],
  [2, 1],
] as const
const SETTINGS = {
  'group.consumer.min.heartbeat.interval.ms': '200',
  'group.consumer.heartbeat.interval.ms': '200',
  'offsets.topic.num.partitions': '2',
  'offsets.topic.replication.factor': '2',
  'transaction.state.log.num.partitions': '2',
  'transaction.state.log.replication.factor': '2',
  'auto.leader.rebalance.enable': 'false',
  // The broker that is killed is taken out of the cluster soon.
  'broker.session.timeout.ms': '3000',
  'broker.heartbeat.interval.ms': '500',
  'replica.selector.class': 'org.apache.kafka.common.replica.RackAwareReplicaSelector',
}

interopDescribe('leaders that move between two brokers', ['java'], () => {
  let first: KafkaProcess
  let second: KafkaProcess
  let bootstrap: string

  beforeAll(async () => {
    first = await startKafkaWith({ settings: { ...SETTINGS, 'broker.rack': 'here' } })
    second = await startKafkaWith({
      settings: { ...SETTINGS, 'broker.rack': 'there' },
      joins: { controllerPort: first.controllerPort, nodeId: 2 },
    })
    bootstrap = `${first.bootstrap},${second.bootstrap}`
  }, SETUP_TIMEOUT_MS)
  afterAll(async () => {
    await second?.stop()
    await first?.stop()
  }, SETUP_TIMEOUT_MS)

  interopTest(
    'an idempotent producer, a transactional one, and groups of both protocols go on through all of it',
    ['java'],
    async () => {
      await using admin = new Admin({ bootstrap })
      const topic = uniqueName('moving')
      const configs = { 'min.insync.replicas': '1' }
      await until('there are two brokers', async () => (await admin.describeCluster()).brokers.length === 2)
      const [made] = await admin.createTopics([{ name: topic, partitions: PARTITIONS, replicationFactor: 2, configs }])
      expect(made?.error ?? null).toBeNull()
      const traffic = new Traffic(bootstrap, topic)
      await traffic.readAllSoFar()

      for (const [round, replicas] of [...BOTH_WAYS, ...BOTH_WAYS].entries()) {
        await traffic.readAllSoFar()
        await reassign(admin, topic, replicas)
        await admin.electLeaders('preferred', places(topic))
        await until(`round ${round}: broker ${replicas[0]} leads`, () => isLedBy(admin, topic, replicas[0]))
      }
      // To one broker and back to both: the fetch of the one that lost its replica is refused.
      await reassign(admin, topic, [2])
      await until('the second has it all', () => isLedBy(admin, topic, 2))
      await traffic.readAllSoFar()
      await reassign(admin, topic, [1, 2])
      await admin.electLeaders('preferred', places(topic))
      await until('the first leads', () => isLedBy(admin, topic, 1))
      await traffic.readAllSoFar()

      // The one with the controller stays; the other one, leader of everything, vanishes without a word.
      await reassign(admin, topic, [2, 1])
      await admin.electLeaders('preferred', places(topic))
      await until('the second leads', () => isLedBy(admin, topic, 2))
      await traffic.readAllSoFar()
      traffic.checkNothingRepeated()
      second.child.kill('SIGKILL')
      await second.child.exited
      await until('the first has taken over', () => isLedBy(admin, topic, 1))
      await traffic.readAllSoFar()

      await traffic.stopAndCheck()
    },
    { timeoutMs: TEST_TIMEOUT_MS },
  )
})

function places(topic: string): { topic: string; partition: number }[] {
  return Array.from({ length: PARTITIONS }, (_, partition) => ({ topic, partition }))
}

async function reassign(admin: Admin, topic: string, replicas: readonly number[]): Promise<void> {
  await admin.alterPartitionReassignments(places(topic).map((place) => ({ ...place, replicas })))
  await until('the replicas have moved', async () => (await admin.listPartitionReassignments()).length === 0)
}

async function isLedBy(admin: Admin, topic: string, nodeId: number): Promise<boolean> {
  const [description] = await admin.describeTopics([topic])
  return description?.partitions.every(({ leader }) => leader === nodeId) ?? false
}

/** Two producers that write without a pause, and readers that have to see it all. */
class Traffic {
  private readonly topic: string
  private readonly plain: Producer
  private readonly transactional: Producer
  private readonly readers: Reader[]
  /** By value: where it was acknowledged. */
  private readonly stored = new Map<string, { partition: number; offset: number }>()
  private readonly writing: Promise<void>[]
  private isStopping = false

  constructor(bootstrap: string, topic: string) {
    this.topic = topic
    this.plain = new Producer({ bootstrap })
    this.transactional = new Producer({ bootstrap, transactionalId: topic })
    this.readers = [
      new Reader(bootstrap, topic, { groupProtocol: 'classic' }),
      new Reader(bootstrap, topic, { groupProtocol: 'consumer' }),
      // Reads from the second broker while that is in sync, whoever leads (KIP-392).
      new Reader(bootstrap, topic, { groupProtocol: 'classic', rack: 'there' }),
    ]
    this.writing = [this.write(), this.writeTransactions()]
    for (const each of this.writing) each.catch(() => undefined)
  }

  /** Resolves when every reader has seen what is stored when this is called, and something was. */
  async readAllSoFar(): Promise<void> {
    const count = this.stored.size
    await until('more is written', () => this.stored.size > count + 20)
    const values = [...this.stored.keys()]
    for (const reader of this.readers) {
      await until(`${reader.name} sees it`, async () => {
        await Promise.race([...this.writing, reader.running, new Promise<void>((resolve) => setImmediate(resolve))])
        return values.every((value) => reader.seen.has(value))
      })
    }
  }

  /** While brokers go in order nobody has to give anything up, so nothing is read twice. */
  checkNothingRepeated(): void {
    for (const reader of this.readers) expect(reader.repeated, reader.name).toEqual([])
  }

  async stopAndCheck(): Promise<void> {
    this.isStopping = true
    await Promise.all(this.writing)
    await this.readAllThere()
    for (const reader of this.readers) {
      for (const [value, { partition, offset }] of this.stored) {
        expect(reader.seen.get(value), reader.name).toEqual({ partition, offset })
      }
      expect(new Set(reader.seen.keys()), reader.name).toEqual(new Set(this.stored.keys()))
      await reader.close()
    }
    await this.plain.close()
    await this.transactional.close()
  }

  private async readAllThere(): Promise<void> {
    const values = [...this.stored.keys()]
    for (const reader of this.readers) {
      await until(`${reader.name} sees all`, () => values.every((value) => reader.seen.has(value)))
    }
  }

  private async write(): Promise<void> {
    for (let number = 0; !this.isStopping; number++) {
      const value = `p${number}`
      const partition = number % PARTITIONS
      const { offset } = await this.plain.send({ topic: this.topic, partition, value })
      this.stored.set(value, { partition, offset })
      await Bun.sleep(2)
    }
  }

  private async writeTransactions(): Promise<void> {
    for (let number = 0; !this.isStopping; number++) {
      const places = await this.transactional.transaction((transaction) =>
        Promise.all(
          [0, 1].map((part) => {
            const partition = (number + part) % PARTITIONS
            return transaction.send({ topic: this.topic, partition, value: `t${number}-${part}` })
          }),
        ),
      )
      for (const [part, { partition, offset }] of places.entries()) {
        this.stored.set(`t${number}-${part}`, { partition, offset })
      }
      await Bun.sleep(5)
    }
  }
}

class Reader {
  readonly seen = new Map<string, { partition: number; offset: number }>()
  readonly repeated: string[] = []
  readonly name: string
  readonly running: Promise<void>
  private readonly consumer: Consumer

  constructor(bootstrap: string, topic: string, options: { groupProtocol: 'classic' | 'consumer'; rack?: string }) {
    this.name = `${options.groupProtocol}${options.rack === undefined ? '' : `, in the rack '${options.rack}'`}`
    this.consumer = new Consumer({
      bootstrap,
      groupId: uniqueName('g'),
      offsetReset: 'earliest',
      readCommitted: true,
      heartbeatIntervalMs: 200,
      ...options,
    })
    this.running = this.consumer.subscribe(topic).then(() =>
      this.consumer.run({
        eachMessage: ({ partition, offset, value }) => {
          const text = String(value)
          if (this.seen.has(text)) this.repeated.push(text)
          this.seen.set(text, { partition, offset })
        },
      }),
    )
    this.running.catch(() => undefined)
  }

  async close(): Promise<void> {
    await this.consumer.close()
    await this.running
  }
}
