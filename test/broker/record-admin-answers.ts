/**
 * Records the answers of a Kafka broker to admin-steps.ts: `bun test/broker/record-admin-answers.ts HOST PORT`. The broker must be
 * fresh, with node id 1, and `offsets.topic.replication.factor=1` its only setting that shows.
 */
import { Connection } from '../../src/client/connection.ts'
import { ADMIN_SCHEMAS, ADMIN_STEPS, normalised } from './admin-steps.ts'

const [host = '127.0.0.1', port = '9092'] = process.argv.slice(2)
const connect = (): Promise<Connection> => Connection.connect({ host, port: Number(port), timeoutMs: 30_000 })
let connection = await connect()
const answers: string[] = []
for (const { title, key, version, request } of ADMIN_STEPS) {
  const schemas = ADMIN_SCHEMAS.get(key)!
  let answer: unknown = null
  try {
    answer = await connection.send(schemas.request, schemas.response, request as never, { version, timeoutMs: 8000 })
  } catch {
    void connection.close()
    // Kafka leaves some impossible requests without an answer: null stands for that.
    connection = await connect()
  }
  answers.push(`${JSON.stringify(title)}: ${JSON.stringify(normalised(answer))}`)
  // What a change does to the broker itself is seen a moment after its answer.
  if (key !== 32) await Bun.sleep(300)
}
connection.close()
await Bun.write(new URL('../golden/admin/answers.json', import.meta.url).pathname, `{\n${answers.join(',\n')}\n}\n`)
process.exit(0)
