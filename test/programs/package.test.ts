// The package as others install it: packed, put into an empty project by npm, used from Bun and from Node, type-checked, with the test runners
// of docs/embedded.md.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Child } from '../support/child-process.ts'
import { REPOSITORY } from '../support/kafka-jars.ts'
import { nodeProgram } from '../support/node-program.ts'
import { interopDescribe } from '../support/tools.ts'

const TIMEOUT_MS = 300_000
/** The packed file, and the whole of it unpacked. */
const PACKED_BYTES_MAX = 3 * 1024 * 1024
const folder = mkdtempSync(join(tmpdir(), 'samsa-package-'))
const project = join(folder, 'project')
const samsa = join(project, 'node_modules/.bin/samsa')

function run(command: readonly string[], cwd = project): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], { cwd, env: { ...process.env, NO_COLOR: '1' } })
  expect(`${exitCode === 0 ? '' : stdout.toString() + stderr.toString()}ended with ${exitCode}`).toBe('ended with 0')
  return stdout.toString() + stderr.toString()
}

function write(path: string, text: string): void {
  const file = join(project, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

/** The blocks of the page that are files, each with its name in a comment on its first line. */
function writeDocumentedFiles(): void {
  const page = readFileSync(join(REPOSITORY, 'docs/embedded.md'), 'utf8')
  for (const [, path, text] of page.matchAll(/^```\w+\n(?:\/\/|#) ([\w./-]+\.\w+)\n([\s\S]*?)^```$/gm))
    write(path!, text!)
}

async function withBroker(use: (bootstrap: string) => unknown): Promise<void> {
  const command = [samsa, 'serve', '--listen', '127.0.0.1:0', '--http', 'off', '--storage', 'memory']
  const broker = new Child({ command })
  const ready = await broker.line((line) => line.includes(' ready on '), TIMEOUT_MS)
  try {
    await use(ready.match(/ ready on (\S+)/)![1]!)
  } finally {
    await broker.stop()
  }
}

const PROGRAM = `
import { Admin, Producer } from 'samsa'
export async function produceOne(bootstrap: string): Promise<number> {
  await using admin = new Admin({ bootstrap })
  await admin.createTopics([{ name: 'orders', partitions: 1 }])
  await using producer = new Producer({ bootstrap })
  const { offset } = await producer.send({ topic: 'orders', key: 'k', value: 'v' })
  return offset
}
`

const ON_NODE = `
import { Admin, Consumer, jsonSerde, KafkaError, Producer, type ProducerRecord } from 'samsa/client'
import { Kafka } from 'samsa/kafkajs'
import { startSamsa } from 'samsa/testing'
interface Order {
  readonly item: string
}
export async function main(): Promise<number> {
  await using broker = await startSamsa()
  const producer = new Producer({ bootstrap: broker.bootstrap, serdes: { value: jsonSerde<Order>() } })
  const record: ProducerRecord<Order> = { topic: 'orders', value: { item: 'tea' } }
  const { offset } = await producer.send(record)
  await using consumer = new Consumer({ bootstrap: broker.bootstrap, groupId: 'g' })
  const value = (await consumer.messages().next()).value?.value satisfies Buffer | null | undefined
  await using admin = new Admin({ bootstrap: broker.bootstrap })
  await admin.listTopics().catch((error: unknown) => error instanceof KafkaError && console.log(error.code))
  void new Kafka({ brokers: [broker.bootstrap] }).producer()
  return offset + (value?.length ?? 0)
}
`

interopDescribe('the packed package', ['node'], () => {
  beforeAll(() => {
    mkdirSync(project)
    run(['npm', 'pack', '--silent', '--pack-destination', folder], REPOSITORY)
    const packed = readdirSync(folder).find((name) => name.endsWith('.tgz'))!
    writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'user', private: true, type: 'module' }))
    run(['npm', 'install', '--silent', '--no-audit', '--no-fund', join(folder, packed)])
  }, TIMEOUT_MS)

  afterAll(() => rmSync(folder, { recursive: true, force: true }), TIMEOUT_MS)

  test('holds what is used, and nothing else', () => {
    const packed = readdirSync(folder).find((name) => name.endsWith('.tgz'))!
    expect(statSync(join(folder, packed)).size).toBeLessThan(PACKED_BYTES_MAX)
    const own = join(project, 'node_modules/samsa')
    expect(readdirSync(own).sort()).toEqual(['LICENSE', 'README.md', 'dist', 'docs', 'package.json', 'src'])
    expect(readdirSync(join(own, 'dist')).sort()).toEqual(['node', 'types'])
    const files = readdirSync(own, { recursive: true, encoding: 'utf8' })
    expect(files.filter((path) => /(\.test\.ts|\.map|\.cache|samsa-data)$/.test(path))).toEqual([])
    const { exports } = JSON.parse(readFileSync(join(own, 'package.json'), 'utf8')) as {
      exports: Record<string, Record<string, string>>
    }
    const targets = Object.values(exports).flatMap((conditions) => Object.values(conditions))
    expect(targets.filter((target) => !files.includes(target.slice(2)))).toEqual([])
  })

  test(
    'the command runs, and its broker serves the command',
    async () => {
      expect(run([samsa, '--version'])).toMatch(/^samsa \d+\.\d+\.\d+\n$/)
      await withBroker((bootstrap) => {
        expect(run([samsa, 'topics', 'create', 'orders', '--bootstrap', bootstrap])).toBe('Created topic orders.\n')
      })
    },
    TIMEOUT_MS,
  )

  test(
    'Bun: a broker and a client in one program',
    () => {
      write('produce.ts', PROGRAM)
      write(
        'with-broker.ts',
        `import { Broker } from 'samsa'
import { produceOne } from './produce.ts'
await using broker = await Broker.start()
console.log(await produceOne(broker.bootstrap), await broker.topic('orders').values())
`,
      )
      expect(run([process.execPath, 'with-broker.ts'])).toBe('0 [ "v" ]\n')
    },
    TIMEOUT_MS,
  )

  test(
    'Node: the client, and a clear word about the broker',
    async () => {
      write(
        'node.js',
        `import { Broker, Producer } from 'samsa'
import * as client from 'samsa/client'
const producer = new Producer({ bootstrap: process.argv[2] })
console.log((await producer.send({ topic: 'by-node', key: 'k', value: 'v' })).offset, client.Producer === Producer)
await producer.close()
await Broker.start().catch((error) => console.log(error.message))
`,
      )
      await withBroker((bootstrap) => {
        const output = run([nodeProgram()!, 'node.js', bootstrap])
        expect(output).toStartWith('0 true\na broker runs on Bun only')
      })
    },
    TIMEOUT_MS,
  )

  test(
    'samsa/kafkajs: imported and required, on Node and on Bun, with its types',
    async () => {
      const broker = new Child({
        command: [samsa, 'serve', '--listen', '127.0.0.1:0', '--http', 'off', '--storage', 'memory'],
      })
      const ready = await broker.line((line) => line.includes(' ready on '), TIMEOUT_MS)
      const bootstrap = ready.match(/ ready on (\S+)/)![1]!
      const program = `async function main(kafkajs, { Kafka, CompressionTypes }) {
  const kafka = new Kafka({ brokers: [process.argv[2]], logLevel: kafkajs.logLevel.ERROR })
  const producer = kafka.producer()
  await producer.connect()
  const messages = [{ value: 'v' }]
  const [{ baseOffset }] = await producer.send({ topic: 'as-kafkajs', messages, compression: CompressionTypes.GZIP })
  console.log(baseOffset, kafkajs.Kafka === Kafka)
  await producer.disconnect()
}
`
      const imported = "import kafkajs, * as named from 'samsa/kafkajs'\nawait main(kafkajs, named)\n"
      const required = "const named = require('samsa/kafkajs')\nmain(named, named)\n"
      writeFileSync(join(project, 'kafkajs.mjs'), program + imported)
      writeFileSync(join(project, 'kafkajs.cjs'), program + required)
      const node = [nodeProgram()!, '--disable-warning=ExperimentalWarning']
      expect(run([...node, 'kafkajs.mjs', bootstrap])).toBe('0 true\n')
      expect(run([...node, 'kafkajs.cjs', bootstrap])).toBe('1 true\n')
      expect(run([process.execPath, 'kafkajs.cjs', bootstrap])).toBe('2 true\n')
      await broker.stop()

      const types = "import { Kafka, type Producer } from 'samsa/kafkajs'\n"
      const right = 'export const producer: Producer = new Kafka({ brokers: [] }).producer()\n'
      writeFileSync(join(project, 'kafkajs-types.ts'), types + right)
      writeFileSync(join(project, 'kafkajs-wrong.ts'), `${types}new Kafka({ brokers: 9092 })\n`)
      const check = (file: string): string => {
        const compilerOptions = { target: 'esnext', module: 'nodenext', lib: ['esnext'], strict: true, noEmit: true }
        const typeRoots = [join(REPOSITORY, 'node_modules')]
        const config = { compilerOptions: { ...compilerOptions, types: ['bun-types'], typeRoots }, files: [file] }
        writeFileSync(join(project, 'kafkajs.tsconfig.json'), JSON.stringify(config))
        const command = [join(REPOSITORY, 'node_modules/.bin/tsc'), '-p', 'kafkajs.tsconfig.json']
        return Bun.spawnSync(command, { cwd: project }).stdout.toString()
      }
      expect(check('kafkajs-types.ts')).toBe('')
      expect(check('kafkajs-wrong.ts')).toContain('kafkajs-wrong.ts(2,')
    },
    TIMEOUT_MS,
  )

  test(
    'types: the public API checks under every module resolution, and what is wrong does not',
    () => {
      const typeRoots = [join(REPOSITORY, 'node_modules')]
      const check = (files: readonly string[], options: Readonly<Record<string, unknown>>) => {
        const strict = { strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true }
        const common = { target: 'esnext', lib: ['esnext'], noEmit: true, skipLibCheck: false, typeRoots }
        const compilerOptions = { ...common, ...strict, allowImportingTsExtensions: true, ...options }
        write('tsconfig.json', JSON.stringify({ compilerOptions, files }))
        const { stdout } = Bun.spawnSync([join(REPOSITORY, 'node_modules/.bin/tsc'), '-p', '.'], { cwd: project })
        return stdout.toString()
      }
      write('on-node.ts', ON_NODE)
      write('wrong.ts', "import { Producer } from 'samsa'\nnew Producer({ bootstrap: 9092 })\n")
      for (const options of [
        { module: 'nodenext' },
        { module: 'node16', moduleResolution: 'node16' },
        { module: 'esnext', moduleResolution: 'bundler' },
      ]) {
        expect(check(['on-node.ts'], { ...options, types: ['@types/node'] })).toBe('')
      }
      expect(check(['produce.ts', 'with-broker.ts'], { module: 'nodenext', types: ['bun-types'] })).toBe('')
      expect(check(['wrong.ts'], { module: 'nodenext', types: ['bun-types'] })).toContain('wrong.ts(2,')
    },
    TIMEOUT_MS,
  )

  test(
    'test runners, as documented: bun test, node:test and vitest',
    () => {
      writeDocumentedFiles()
      expect(run([process.execPath, 'test', './test/bun.test.ts'])).toContain(' 2 pass\n 0 fail')
      const node = nodeProgram()!
      expect(run([node, '--test', 'node/orders.test.js'])).toMatch(/pass 1\n[\s\S]*fail 0\n/)
      run(['npm', 'install', '--silent', '--no-audit', '--no-fund', 'vitest@5.1.1'])
      expect(run([node, 'node_modules/vitest/vitest.mjs', 'run'])).toMatch(/Tests +1 passed/)
    },
    TIMEOUT_MS,
  )

  test(
    'without optional packages Node has the client, and the command says what is missing',
    () => {
      const packed = readdirSync(folder).find((name) => name.endsWith('.tgz'))!
      const small = join(folder, 'small')
      mkdirSync(small)
      writeFileSync(join(small, 'package.json'), JSON.stringify({ name: 'user', private: true, type: 'module' }))
      run(['npm', 'install', '--silent', '--no-audit', '--no-fund', '--omit=optional', join(folder, packed)], small)
      expect(readdirSync(join(small, 'node_modules'))).not.toContain('bun')
      const program = "import('samsa/client').then(({ Producer }) => console.log(typeof Producer))"
      expect(run([nodeProgram()!, '-e', program], small)).toBe('function\n')
      const { stderr } = Bun.spawnSync([nodeProgram()!, 'node_modules/samsa/src/cli/launcher.js', '--version'], {
        cwd: small,
        env: { PATH: '' },
      })
      expect(stderr.toString()).toBe('samsa: it runs on Bun, which is not here: npm install bun\n')
    },
    TIMEOUT_MS,
  )
})
