// The package as others install it: packed, put into an empty project by npm, used from Bun and from Node, type-checked.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Child } from '../support/child-process.ts'
import { REPOSITORY } from '../support/kafka-jars.ts'
import { nodeProgram } from '../support/node-program.ts'
import { interopDescribe } from '../support/tools.ts'

const TIMEOUT_MS = 300_000
const folder = mkdtempSync(join(tmpdir(), 'samsa-package-'))
const project = join(folder, 'project')
const samsa = join(project, 'node_modules/.bin/samsa')

function run(command: readonly string[], cwd = project): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], { cwd, env: { ...process.env, NO_COLOR: '1' } })
  expect(`${exitCode === 0 ? '' : stdout.toString() + stderr.toString()}ended with ${exitCode}`).toBe('ended with 0')
  return stdout.toString()
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

interopDescribe('the packed package', ['node'], () => {
  beforeAll(() => {
    mkdirSync(project)
    run(['npm', 'pack', '--silent', '--pack-destination', folder], REPOSITORY)
    const packed = readdirSync(folder).find((name) => name.endsWith('.tgz'))!
    writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'user', private: true, type: 'module' }))
    run(['npm', 'install', '--silent', '--no-audit', '--no-fund', join(folder, packed)])
  }, TIMEOUT_MS)

  afterAll(() => rmSync(folder, { recursive: true, force: true }), TIMEOUT_MS)

  test(
    'the command runs, and its broker serves the command',
    async () => {
      expect(run([samsa, '--version'])).toMatch(/^samsa \d+\.\d+\.\d+\n$/)
      const broker = new Child({
        command: [samsa, 'serve', '--listen', '127.0.0.1:0', '--http', 'off', '--storage', 'memory'],
      })
      const ready = await broker.line((line) => line.includes(' ready on '), TIMEOUT_MS)
      const bootstrap = ready.match(/ ready on (\S+)/)![1]!
      expect(run([samsa, 'topics', 'create', 'orders', '--bootstrap', bootstrap])).toBe('Created topic orders.\n')
      await broker.stop()
    },
    TIMEOUT_MS,
  )

  test(
    'Bun: a broker and a client in one program',
    () => {
      writeFileSync(join(project, 'produce.ts'), PROGRAM)
      writeFileSync(
        join(project, 'with-broker.ts'),
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
      const broker = new Child({
        command: [samsa, 'serve', '--listen', '127.0.0.1:0', '--http', 'off', '--storage', 'memory'],
      })
      const ready = await broker.line((line) => line.includes(' ready on '), TIMEOUT_MS)
      const bootstrap = ready.match(/ ready on (\S+)/)![1]!
      writeFileSync(
        join(project, 'node.js'),
        `import { Broker, Producer } from 'samsa'
import * as client from 'samsa/client'
const producer = new Producer({ bootstrap: process.argv[2] })
console.log((await producer.send({ topic: 'by-node', key: 'k', value: 'v' })).offset, client.Producer === Producer)
await producer.close()
await Broker.start().catch((error) => console.log(error.message))
`,
      )
      const output = run([nodeProgram()!, 'node.js', bootstrap])
      expect(output).toStartWith('0 true\na broker runs on Bun only')
      await broker.stop()
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
    'types: the public API checks, and what is wrong does not',
    () => {
      const options = {
        target: 'esnext',
        module: 'nodenext',
        lib: ['esnext'],
        types: ['bun-types'],
        strict: true,
        noEmit: true,
        skipLibCheck: false,
      }
      const typeRoots = [join(REPOSITORY, 'node_modules')]
      const check = (files: readonly string[]) => {
        const compilerOptions = { ...options, allowImportingTsExtensions: true, typeRoots }
        writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
        const { stdout } = Bun.spawnSync([join(REPOSITORY, 'node_modules/.bin/tsc'), '-p', '.'], { cwd: project })
        return stdout.toString()
      }
      expect(check(['produce.ts', 'with-broker.ts'])).toBe('')
      writeFileSync(join(project, 'wrong.ts'), "import { Producer } from 'samsa'\nnew Producer({ bootstrap: 9092 })\n")
      expect(check(['wrong.ts'])).toContain('wrong.ts(2,')
    },
    TIMEOUT_MS,
  )
})
