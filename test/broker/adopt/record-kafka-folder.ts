/**
 * Records the data folder of a real Kafka that real clients have filled, and what it says of itself: `bun
 * test/broker/adopt/record-kafka-folder.ts`. Writes test/golden/kafka-folder: `files.json` (path -> base64), `described.json` (answers of
 * the broker before its stop) and `metadata-records.json` (the records of its metadata log, as Kafka's own tool shows them).
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { runCommand } from '../../support/child-process.ts'
import { startKafkaWith } from '../../support/kafka-process.ts'
import { javaCommand } from '../../support/tools.ts'
import { GOLDEN_FOLDER } from './golden-folder.ts'

const data = mkdtempSync(join(tmpdir(), 'samsa-record-'))
const run = async (...command: string[]): Promise<string> => {
  const { exitCode, stdout, stderr } = await runCommand(javaCommand(command[0]!, ...command.slice(1)))
  if (exitCode !== 0) throw new Error(stderr)
  return stdout
}
const kafka = await startKafkaWith({
  dataDirectory: data,
  settings: {
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:ANONYMOUS',
    'offsets.topic.num.partitions': '3',
    'transaction.state.log.num.partitions': '3',
    'share.coordinator.state.topic.num.partitions': '3',
    'log.initial.task.delay.ms': '100',
    'log.cleaner.backoff.ms': '500',
  },
})
await run('KafkaState', 'fill', kafka.bootstrap)
const described = JSON.parse(await run('KafkaState', 'describe', kafka.bootstrap)) as unknown
await kafka.stop()

const files: [string, string][] = readdirSync(data, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name))
  .filter((path) => !/-delete\/|\.deleted$/.test(path))
  .sort()
  .map((path) => [relative(data, path), readFileSync(path).toString('base64')])
const log = join(data, '__cluster_metadata-0/00000000000000000000.log')
const dumped = await run('org.apache.kafka.tools.DumpLogSegments', '--cluster-metadata-decoder', '--files', log)
const records = [...dumped.matchAll(/^\| offset: (\d+) .* payload: (\{.*\})$/gm)].map(([, offset, payload]) => [
  offset,
  JSON.parse(payload!) as unknown,
])
mkdirSync(GOLDEN_FOLDER, { recursive: true })
const write = (name: string, entries: readonly (readonly unknown[])[]): void => {
  const lines = entries.map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`)
  writeFileSync(join(GOLDEN_FOLDER, name), `{\n${lines.join(',\n')}\n}\n`)
}
write('files.json', files)
write('described.json', Object.entries(described as object))
write('metadata-records.json', records)
rmSync(data, { recursive: true, force: true })
process.exit(0)
