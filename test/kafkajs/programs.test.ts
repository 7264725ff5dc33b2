// The same programs with kafkajs itself and with `samsa/kafkajs`, against a broker in memory.
import { afterAll, beforeAll, describe, test } from 'bun:test'
import * as original from 'kafkajs'
import { Broker } from '../../src/index.ts'
import * as adapter from '../../src/kafkajs/index.ts'
import { programs } from './programs/index.ts'
import type { KafkaJS } from './programs/program.ts'

// The adapter's types are its own; that they fit kafkajs' is what test/kafkajs/types shows.
const MODULES: readonly [string, KafkaJS][] = [
  ['kafkajs', original as unknown as KafkaJS],
  ['samsa/kafkajs', adapter],
]

const TIMEOUT_MS = 60_000

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1'
let broker: Broker
let names = 0

beforeAll(async () => {
  broker = await Broker.start()
})

afterAll(() => broker.stop())

describe.each(MODULES)('%s', (_, kafkajs) => {
  for (const [title, program] of Object.entries(programs)) {
    test(
      title,
      () => program({ kafkajs, brokers: [broker.bootstrap], name: (kind) => `${kind}-${++names}` }),
      TIMEOUT_MS,
    )
  }
})
