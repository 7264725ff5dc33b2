// Programs as people write them for kafkajs, with `samsa/kafkajs`, against a broker in memory. That every one of them passes with
// kafkajs itself, too, is what test/programs/kafkajs.test.ts shows.
import { afterAll, beforeAll, test } from 'bun:test'
import { Broker } from '../../src/index.ts'
import * as kafkajs from '../../src/kafkajs/index.ts'
import { programs } from './programs/index.ts'
import { naming } from './programs/program.ts'

// A loaded machine takes its time.
const TIMEOUT_MS = 120_000
const name = naming()
let broker: Broker

beforeAll(async () => {
  broker = await Broker.start()
}, TIMEOUT_MS)

afterAll(() => broker.stop(), TIMEOUT_MS)

for (const [title, program] of Object.entries(programs)) {
  test(title, () => program({ kafkajs, brokers: [broker.bootstrap], hasAuthorizer: false, name }), TIMEOUT_MS)
}
