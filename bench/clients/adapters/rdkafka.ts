/** librdkafka as node-rdkafka binds it. Its install compiles, so it is taken from .cache/rdkafka if somebody has installed it there. */
import { createRequire } from 'node:module'
import type { Adapter } from '../work.ts'

type Settings = Readonly<Record<string, string | number | boolean>>
/** As far as it is used here. */
interface Package {
  readonly HighLevelProducer: new (settings: Settings, topicSettings: Settings) => Producer
  readonly KafkaConsumer: new (settings: Settings, topicSettings: Settings) => Consumer
}
interface Handle {
  connect(options: object, done: (error: Error | null) => void): void
  disconnect(done: (error: Error | null) => void): void
}
interface Producer extends Handle {
  setPollInterval(ms: number): void
  produce(
    topic: string,
    partition: null,
    value: Buffer,
    key: null,
    timestamp: number,
    done: (error: Error | null) => void,
  ): void
}
interface Consumer extends Handle {
  subscribe(topics: string[]): void
  consume(): void
  on(event: 'data', heard: (message: { value: Buffer | null }) => void): void
}

const POLL_MS = 1

function load(): Package {
  return createRequire(`${process.env.SAMSA_BENCH_RDKAFKA ?? ''}/`)('node-rdkafka') as Package
}

function finished(start: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => start((error) => (error === null ? resolve() : reject(error))))
}

export const adapter: Adapter = {
  async sender(bootstrap, topic) {
    const { HighLevelProducer } = load()
    const settings = { 'metadata.broker.list': bootstrap, 'linger.ms': 0, 'enable.idempotence': true }
    const producer = new HighLevelProducer(settings, { acks: -1 })
    await finished((done) => producer.connect({}, done))
    producer.setPollInterval(POLL_MS)
    const one = (value: Buffer): Promise<void> =>
      finished((done) => producer.produce(topic, null, value, null, Date.now(), done))
    return {
      one,
      many: (values) => Promise.all(values.map(one)),
      close: () => finished((done) => producer.disconnect(done)),
    }
  },

  async read(bootstrap, topic, group, seen) {
    const { KafkaConsumer } = load()
    const settings = { 'metadata.broker.list': bootstrap, 'group.id': group, 'enable.auto.commit': true }
    const consumer = new KafkaConsumer(settings, { 'auto.offset.reset': 'earliest' })
    await finished((done) => consumer.connect({}, done))
    consumer.subscribe([topic])
    const { promise: enough, resolve } = Promise.withResolvers<void>()
    let isDone = false
    consumer.on('data', ({ value }) => {
      if (isDone || !seen(value)) return
      isDone = true
      resolve()
    })
    consumer.consume()
    await enough
    await finished((done) => consumer.disconnect(done))
  },
}
