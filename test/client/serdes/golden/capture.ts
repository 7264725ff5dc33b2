/**
 * Writes confluent.json, what Confluent's own serializers make of cases.json: `bun test/client/serdes/golden/capture.ts PYTHON`, with a
 * Python that has `confluent-kafka[avro,json,protobuf,schemaregistry]` (2.16) and `grpcio-tools`. Every case has a registry of its own, so
 * that the ids are known.
 */
import { join } from 'node:path'
import { FakeRegistry } from '../../../support/fake-registry.ts'

const [python = 'python3'] = process.argv.slice(2)
const child = Bun.spawn([python, join(import.meta.dir, 'capture.py')], {
  stdin: 'pipe',
  stdout: 'pipe',
  stderr: 'inherit',
})
const registries: FakeRegistry[] = []

function nextRegistry(): void {
  const registry = new FakeRegistry()
  registries.push(registry)
  child.stdin.write(`${registry.url}\n`)
  child.stdin.flush()
}

const lines: string[] = []
let rest = ''
nextRegistry()
for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
  const parts = (rest + chunk).split('\n')
  rest = parts.pop() ?? ''
  for (const line of parts) {
    lines.push(line)
    nextRegistry()
  }
}
await Promise.all(registries.map((registry) => registry.stop()))
if ((await child.exited) !== 0) process.exit(1)
await Bun.write(join(import.meta.dir, 'confluent.json'), `[\n  ${lines.join(',\n  ')}\n]\n`)
