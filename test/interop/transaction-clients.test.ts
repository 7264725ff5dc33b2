// Transactions of the client libraries other than Kafka's own, each in its own words, against the real process.
import { afterAll, beforeAll, expect } from 'bun:test'
import { Connection } from '../../src/client/connection.ts'
import { readCommitted, stableOffset } from '../crash/transaction-session.ts'
import { type BrokerTarget, startTarget } from '../support/broker-target.ts'
import { CLIENT_PROGRAMS, ProgramClient } from '../support/client-driver.ts'
import { interopTest } from '../support/tools.ts'

const SETUP_TIMEOUT_MS = 180_000
/** The others have no transactions, or none of which they let the position of a group be a part. */
const CLIENTS = new Map([
  ['confluent-kafka', { position: 3 }],
  ['kafka-python', { position: 3 }],
  ['aiokafka', { position: 3 }],
  ['sarama', { position: 3 }],
  ['kafkajs', { position: 3 }],
  ['franz-go', { position: 0 }],
])

let target: BrokerTarget

beforeAll(async () => {
  target = await startTarget()
}, SETUP_TIMEOUT_MS)

afterAll(() => target?.stop())

async function valuesIn(connection: Connection, topic: string, count: number): Promise<string[]> {
  const values: string[] = []
  for (let position = 0; values.length < count; ) {
    const { records, nextOffset } = await readCommitted(connection, topic, 0, position)
    values.push(...records.map(({ value }) => value))
    position = nextOffset
  }
  return values
}

for (const { name, needs, command } of CLIENT_PROGRAMS) {
  const expected = CLIENTS.get(name)
  if (expected === undefined) continue
  const run = async (): Promise<void> => {
    const topic = `transactions-${name}`
    const client = new ProgramClient(command(target.bootstrap))
    const connection = await Connection.connect({ host: target.host, port: target.port, negotiate: false })
    try {
      await client.create(topic, 1)
      await client.transact(topic, `${topic}-id`, `${topic}-group`)
      expect(await valuesIn(connection, topic, 2)).toEqual(['kept 1', 'kept 2'])
      expect(await stableOffset(connection, `${topic}-group`, topic, 0)).toBe(expected.position)
    } finally {
      await connection.close()
      await client.close()
    }
  }
  interopTest(`${name} commits and aborts`, needs, run, { concurrent: true })
}
