// Records test/golden/*.json: starts a real Kafka behind a recording proxy, lets real clients loose on it, has Kafka's own
// parsers say what the recorded bytes mean, and keeps the most telling exchange of each API key and version.
// Run by hand when a Kafka release is taken up:  bun test/support/golden/record-golden.ts
// Needs the Kafka jars (test/support/kafka-jars.ts), a JDK and kcat.

import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { apiName } from '../../../src/protocol/api-keys.ts'
import { kafkaJars, REPOSITORY } from '../kafka-jars.ts'
import { startKafka } from '../kafka-process.ts'
import { type Exchange, startRecordingProxy } from './recording-proxy.ts'

/** Larger messages would make the files unreadable and show nothing more. */
const MAX_MESSAGE_BYTES = 2500
const GOLDEN = join(REPOSITORY, 'test/golden')
const HERE = import.meta.dir

const jars = kafkaJars()
if (jars === null) throw new Error('no Kafka jars')
const classes = mkdtempSync(join(tmpdir(), 'golden-classes-'))
const classPath = `${jars}/*:${classes}`

async function run(command: string[], options: { input?: string; timeoutMs?: number } = {}): Promise<string> {
  const child = Bun.spawn(command, {
    stdin: Buffer.from(options.input ?? ''),
    stdout: 'pipe',
    stderr: 'inherit',
    timeout: options.timeoutMs ?? 240_000,
  })
  return await new Response(child.stdout).text()
}

async function freePort(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address() as { port: number }
    server.close(() => resolve(port))
  })
  return await promise
}

async function runClients(bootstrap: string): Promise<void> {
  await run(['java', '-Xmx256m', '-cp', classPath, 'GoldenClient', bootstrap])
  await run([process.execPath, join(HERE, 'node-clients.ts'), bootstrap])
  const kcat = ['kcat', '-b', bootstrap, '-X', 'client.id=golden-kcat']
  const lines = 'a:1\nb:2\n'
  const produce = [...kcat, '-P', '-t', 'java-events', '-K:']
  await run([...kcat, '-L'])
  await run([...produce, '-z', 'lz4'], { input: lines })
  await run([...produce, '-X', 'enable.idempotence=true'], { input: lines })
  await run([...produce, '-X', 'transactional.id=kcat-txn'], { input: lines })
  await run([...kcat, '-C', '-t', 'java-events', '-o', 'beginning', '-e'])
  await run([...kcat, '-Q', '-t', 'java-events:0:5'])
  await run([...kcat, '-G', 'kcat-group', '-e', '-X', 'auto.offset.reset=earliest', 'java-events'], {
    timeoutMs: 15_000,
  })
}

interface Judgement {
  readonly header: Record<string, unknown>
  readonly body: Record<string, unknown>
  readonly leftOver: number
  readonly rewritten: string
}

async function judge(
  messages: { type: 'request' | 'response'; key: number; version: number; bytes: Buffer }[],
): Promise<Judgement[]> {
  const input = messages
    .map((each) => `${each.type} ${each.key} ${each.version} ${each.bytes.toString('hex')}\n`)
    .join('')
  const output = await run(['java', '-Xmx256m', '-cp', classPath, 'Judge'], { input })
  return output
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
}

/** One exchange per key and version: the largest below the size limit, since it shows most. */
function mostTelling(exchanges: readonly Exchange[]): Exchange[] {
  const best = new Map<string, Exchange>()
  const size = (each: Exchange): number => each.request.length + (each.response?.length ?? 0)
  for (const exchange of exchanges) {
    if (exchange.request.length > MAX_MESSAGE_BYTES || (exchange.response?.length ?? 0) > MAX_MESSAGE_BYTES) continue
    const name = `${exchange.key} v${exchange.version}`
    const known = best.get(name)
    if (known === undefined || size(known) < size(exchange)) best.set(name, exchange)
  }
  return [...best.values()].sort((a, b) => a.key - b.key || a.version - b.version)
}

async function write(exchanges: readonly Exchange[]): Promise<void> {
  const messages = exchanges.flatMap(({ key, version, request, response }) => [
    { type: 'request' as const, key, version, bytes: request },
    ...(response === null ? [] : [{ type: 'response' as const, key, version, bytes: response }]),
  ])
  const judged = await judge(messages)
  const byKey = Map.groupBy(
    messages.map((message, index) => ({ message, judgement: judged[index]! })),
    ({ message }) => message.key,
  )
  mkdirSync(GOLDEN, { recursive: true })
  for (const name of readdirSync(GOLDEN)) if (name.endsWith('.json')) rmSync(join(GOLDEN, name))
  for (const [key, entries] of byKey) {
    const golden = entries.map(({ message, judgement }) => {
      const hex = message.bytes.toString('hex')
      if (judgement.leftOver > 0) throw new Error(`${apiName(key)} v${message.version}: Kafka leaves bytes over`)
      // Where Kafka itself would write other bytes for the same content, those are kept too.
      const rewritten = judgement.rewritten === hex ? {} : { rewritten: judgement.rewritten }
      return {
        type: message.type,
        version: message.version,
        hex,
        ...rewritten,
        header: judgement.header,
        body: judgement.body,
      }
    })
    const name = `${String(key).padStart(2, '0')}-${apiName(key)
      .replace(/(?<=[a-z0-9])(?=[A-Z])/g, '-')
      .toLowerCase()}.json`
    const text = golden.map((each) => JSON.stringify(each)).join(',\n')
    writeFileSync(join(GOLDEN, name), `[\n${text}\n]\n`)
  }
  console.error(`${messages.length} messages of ${exchanges.length} key/version pairs, ${byKey.size} keys`)
}

try {
  await run(['javac', '-cp', `${jars}/*`, '-d', classes, join(HERE, 'Judge.java'), join(HERE, 'GoldenClient.java')])
  const proxyPort = await freePort()
  const kafka = await startKafka({
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${proxyPort}`,
    // Few partitions keep the descriptions of internal topics small.
    'offsets.topic.num.partitions': '2',
    'transaction.state.log.num.partitions': '2',
    'share.coordinator.state.topic.num.partitions': '2',
  })
  const proxy = await startRecordingProxy(proxyPort, () => kafka.port)
  try {
    await runClients(`127.0.0.1:${proxyPort}`)
    // What Kafka rejected by closing the connection has neither a response nor a meaning.
    await write(mostTelling(proxy.exchanges.filter(({ response, key }) => response !== null || key === 0)))
  } finally {
    proxy.stop()
    await kafka.stop()
  }
} finally {
  rmSync(classes, { recursive: true, force: true })
}
