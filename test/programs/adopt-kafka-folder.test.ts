// A real Kafka is filled by real clients and stopped, and Samsa takes over its folders: whatever a client can learn is then what it was
// before, everybody can go on, Kafka's own tool finds nothing wrong in any file, and Kafka starts on it when it is handed back. After a kill a Kafka on a copy of the folders is the judge.

import { afterAll, expect } from 'bun:test'
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { samsa } from '../cli/program.ts'
import { FINDINGS } from '../log/kafka-judge.ts'
import { runCommand } from '../support/child-process.ts'
import { type KafkaProcess, startKafkaWith } from '../support/kafka-process.ts'
import { startSamsaWith } from '../support/samsa-process.ts'
import { interopTest, javaCommand } from '../support/tools.ts'

/** Some four starts of a JVM each; only ends what hangs. */
const TIMEOUT_MS = 580_000
const root = mkdtempSync(join(tmpdir(), 'samsa-adopt-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const SETTINGS = {
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'super.users': 'User:ANONYMOUS',
  'offsets.topic.num.partitions': '5',
  'transaction.state.log.num.partitions': '5',
  'share.coordinator.state.topic.num.partitions': '5',
  // Compaction begins at once, so that there is something compacted.
  'log.initial.task.delay.ms': '100',
  'log.cleaner.backoff.ms': '500',
}

async function program(mode: 'fill' | 'describe' | 'more', bootstrap: string): Promise<Record<string, unknown>> {
  const { exitCode, stdout, stderr } = await runCommand(javaCommand('KafkaState', mode, bootstrap))
  if (exitCode !== 0) throw new Error(`KafkaState ${mode} ended with ${exitCode}\n${stderr}`)
  return JSON.parse(Buffer.from(stdout, 'latin1').toString()) as Record<string, unknown>
}

/** Every path with its size, time of change and content. */
function treeOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => {
      const path = join(entry.parentPath, entry.name)
      const { mtimeMs, ctimeMs, size, mode } = statSync(path)
      const content = entry.isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : 'folder'
      return `${path} ${mode} ${size} ${mtimeMs} ${ctimeMs} ${content}`
    })
    .concat(String(statSync(folder).mtimeMs))
    .sort()
}

function logFilesIn(folders: readonly string[]): string[] {
  return folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /^\d{20}\.(log|index|timeindex|txnindex|snapshot)$/.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => !path.includes('-delete/')),
  )
}

async function expectKafkaFindsNothing(folders: readonly string[]): Promise<void> {
  const files = logFilesIn(folders)
  const main = 'org.apache.kafka.tools.DumpLogSegments'
  const { stdout } = await runCommand(
    javaCommand(main, '--deep-iteration', '--print-data-log', '--files', files.join(',')),
  )
  expect(stdout.split('\n').filter((line) => FINDINGS.test(line))).toEqual([])
  for (const file of files) expect(stdout).toContain(file)
}

interopTest(
  'a folder of a cleanly stopped Kafka is described, refused, taken over, and gone on with',
  ['java'],
  async () => {
    const data = join(root, 'clean')
    const kafka = await startKafkaWith({ dataDirectory: data, settings: SETTINGS })
    let before: Record<string, unknown>
    try {
      await program('fill', kafka.bootstrap)
      before = await program('describe', kafka.bootstrap)
      const running = await samsa(['serve', '--listen', '127.0.0.1:0', '--http', 'off', '--data', data, '--adopt'])
      expect(running.stderr).toContain('in use by another broker')
      expect(running.exitCode).toBe(1)
    } finally {
      await kafka.stop()
    }
    const tree = treeOf(data)
    const refused = await samsa(['serve', '--listen', '127.0.0.1:0', '--http', 'off', '--data', data])
    expect(refused.exitCode).toBe(2)
    expect(refused.stderr).toContain('--adopt')
    expect(refused.stdout).toContain('cluster id           kafkaToCompareWithSams')
    expect(refused.stdout).toMatch(/topics +16, 35 partitions/)
    expect(refused.stdout).toMatch(/ACLs +3\n/)
    expect(treeOf(data)).toEqual(tree)

    const segments = new Map(logFilesIn([data]).map((path) => [path, readFileSync(path)]))
    const broker = await startSamsaWith({ dataDirectory: data, arguments: ['--adopt'] })
    try {
      expect(await program('describe', broker.bootstrap)).toEqual(before)
      await program('more', broker.bootstrap)
    } finally {
      await broker.stop()
    }
    for (const [path, bytes] of segments) {
      const now = path.endsWith('.log') && !/grown|compacted|__/.test(path) ? readFileSync(path) : null
      if (now !== null) expect(now.subarray(0, bytes.length).equals(bytes), path).toBe(true)
    }
    await expectKafkaFindsNothing([data])
    const folders = readdirSync(data, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    const checked = await samsa(['dump', '--check', ...folders.map(({ name }) => join(data, name))])
    expect(checked).toMatchObject({ exitCode: 0, stderr: '' })

    // It is Samsa's folder now.
    const again = await startSamsaWith({ dataDirectory: data })
    const after = await program('describe', again.bootstrap).finally(() => again.stop())
    const names = Object.keys(after.topics as Record<string, unknown>)
    expect(names).toContain('fresh')
    expect(names).not.toContain('grown')

    // And Kafka's again.
    expect(await samsa(['hand-back', '--data', data])).toMatchObject({ exitCode: 0, stderr: '' })
    const returned = await startKafkaWith({ dataDirectory: data, settings: SETTINGS })
    try {
      expect(await program('describe', returned.bootstrap)).toEqual(after)
    } finally {
      await returned.stop()
    }
  },
  { timeoutMs: TIMEOUT_MS },
)

interopTest(
  'after a kill: two data folders, the metadata log in a third, snapshots of it; the judge is a Kafka on a copy',
  ['java'],
  async () => {
    const folders = ['one', 'two', 'metadata']
    const settingsIn = (place: string) => ({
      ...SETTINGS,
      'log.dirs': [join(root, place, 'one'), join(root, place, 'two')].join(','),
      'metadata.log.dir': join(root, place, 'metadata'),
      // A snapshot after every few records.
      'metadata.log.max.record.bytes.between.snapshots': '2000',
    })
    for (const place of ['killed', 'copy'])
      for (const name of folders) mkdirSync(join(root, place, name), { recursive: true })
    const start = (place: string): Promise<KafkaProcess> =>
      startKafkaWith({ dataDirectory: join(root, place, 'one'), settings: settingsIn(place) })
    const kafka = await start('killed')
    try {
      await program('fill', kafka.bootstrap)
    } finally {
      kafka.child.kill('SIGKILL')
      await kafka.stop()
    }
    cpSync(join(root, 'killed'), join(root, 'copy'), { recursive: true })
    expect(readdirSync(join(root, 'killed/metadata/__cluster_metadata-0')).join(' ')).toMatch(/\d\.checkpoint/)

    const configuration = join(root, 'server.properties')
    const settings = { 'log.dirs': settingsIn('killed')['log.dirs'], 'metadata.log.dir': join(root, 'killed/metadata') }
    writeFileSync(
      configuration,
      Object.entries(settings)
        .map(([key, value]) => `${key}=${value}\n`)
        .join(''),
    )
    const half = join(root, 'killed/one')
    const incomplete = await samsa([
      'serve',
      '--data',
      half,
      '--set',
      `metadata.log.dir=${settings['metadata.log.dir']}`,
    ])
    expect(incomplete).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('not in the given data folders') })
    const without = await samsa(['serve', '--data', half])
    expect(without).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('metadata.log.dir') })
    const refused = await samsa(['serve', '--config', configuration])
    expect(refused).toMatchObject({ exitCode: 2, stdout: expect.stringContaining('not clean') })

    const again = await start('copy')
    const expected = await program('describe', again.bootstrap).finally(() => again.stop())
    const data = `${join(root, 'killed/one')},${join(root, 'killed/two')}`
    const broker = await startSamsaWith({ dataDirectory: data, arguments: ['--adopt', '--config', configuration] })
    try {
      expect(await program('describe', broker.bootstrap)).toEqual(expected)
      await program('more', broker.bootstrap)
    } finally {
      await broker.stop()
    }
    await expectKafkaFindsNothing([join(root, 'killed/one'), join(root, 'killed/two')])
  },
  { timeoutMs: TIMEOUT_MS },
)
