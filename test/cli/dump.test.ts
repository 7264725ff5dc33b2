// `samsa dump` on the files of a real Kafka (golden): what it shows agrees with what Kafka's tool shows, damage is told with file and
// position, and nothing is written.

import { afterAll, describe, expect, test } from 'bun:test'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileKindOf, recordKindOf } from '../../src/cli/dump/file-kinds.ts'
import { dumpIndex } from '../../src/cli/dump/index-files.ts'
import { type Item, isProblem, type Problem } from '../../src/cli/dump/item.ts'
import { dumpLog } from '../../src/cli/dump/log-file.ts'
import { dumpSmall } from '../../src/cli/dump/small-files.ts'
import { encodeShareState } from '../../src/coordinator/share-state/records.ts'
import { buildBatch } from '../../src/records/batch.ts'
import { goldenMetadataRecords, writeGoldenFolder } from '../broker/adopt/golden-folder.ts'
import { samsa } from './program.ts'

const root = mkdtempSync(join(tmpdir(), 'samsa-dump-'))
const kafka = join(root, 'kafka')
writeGoldenFolder(kafka)
afterAll(() => rmSync(root, { recursive: true, force: true }))

const LOG = '00000000000000000000.log'

interface Line {
  readonly file: string
  readonly kind: string
  readonly position: number
  readonly [name: string]: unknown
}

async function dumped(...args: string[]): Promise<Line[]> {
  const { exitCode, stdout, stderr } = await samsa(['dump', '--format', 'json', ...args])
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
}

function partitionFolders(): string[] {
  return readdirSync(kafka, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(kafka, name))
}

let copies = 0

/** The files of a partition in a folder of their own, one of them changed. */
function spoiled(partition: string, file: string, change: (bytes: Buffer) => Buffer): string {
  const folder = join(root, `copy-${copies++}`, partition)
  mkdirSync(folder, { recursive: true })
  for (const name of readdirSync(join(kafka, partition))) copyFileSync(join(kafka, partition, name), join(folder, name))
  const path = join(folder, file)
  writeFileSync(path, change(readFileSync(path)))
  return path
}

function flip(at: number): (bytes: Buffer) => Buffer {
  return (bytes) => {
    const changed = Buffer.from(bytes)
    changed[at]! ^= 1
    return changed
  }
}

function problemsOf(items: Iterable<Item>): Problem[] {
  return [...items].filter(isProblem)
}

const ALL = { records: true, from: 0, to: Number.POSITIVE_INFINITY, isSnapshot: false }

function logProblems(path: string): Problem[] {
  return problemsOf(dumpLog(path, { ...ALL, kind: recordKindOf(path) }))
}

describe('a whole folder of Kafka', () => {
  test('nothing is wrong with any file of it, and none is touched', async () => {
    const files = readdirSync(kafka).filter((name) => fileKindOf(name) !== null)
    const stats = () =>
      readdirSync(kafka, { recursive: true }).map((name) => [name, statSync(join(kafka, String(name))).mtimeMs])
    const before = stats()
    const checked = await samsa(['dump', '--check', ...partitionFolders(), ...files.map((name) => join(kafka, name))])
    expect(checked).toMatchObject({ exitCode: 0, stderr: '' })
    expect(checked.stdout).toMatch(/^\d+ files, \d+ entries, 0 problems\n$/)
    expect(stats()).toEqual(before)
  })

  test('files that may only be read are read', async () => {
    const path = spoiled('trimmed-0', LOG, (bytes) => bytes)
    chmodSync(path, 0o444)
    expect((await dumped(path)).length).toBeGreaterThan(0)
  })
})

describe('records', () => {
  test("of __cluster_metadata, as Kafka's own tool shows them", async () => {
    const lines = await dumped('--records', join(kafka, '__cluster_metadata-0'))
    const expected = goldenMetadataRecords()
    const records = lines.filter(({ kind, control }) => kind === 'record' && control === undefined)
    expect(records.map(({ offset }) => String(offset))).toEqual(Object.keys(expected))
    for (const { offset, data } of records) {
      expect(data as object).toMatchObject(expected[String(offset)]!.data as Record<string, unknown>)
    }
    expect(lines.find(({ control }) => control === 'LeaderChange')).toMatchObject({
      data: { leaderId: 1, voters: [{ voterId: 1 }] },
    })
  })

  test('of a snapshot of the metadata', async () => {
    const lines = await dumped('--records', join(kafka, 'bootstrap.checkpoint'))
    const shown = lines.filter(({ kind }) => kind === 'record').map(({ control, type }) => control ?? type)
    expect(shown[0]).toBe('SnapshotHeader')
    expect(shown).toContain('FeatureLevel')
    expect(shown.at(-1)).toBe('SnapshotFooter')
  })

  test('of __consumer_offsets and __transaction_state', async () => {
    const folders = partitionFolders().filter((path) => /__(consumer_offsets|transaction_state)-/.test(path))
    const records = (await dumped('--records', ...folders)).filter(({ kind }) => kind === 'record')
    const types = new Set(records.map(({ type }) => type ?? 'control'))
    for (const type of [
      'offset-commit',
      'group-metadata',
      'consumer-group',
      'consumer-member',
      'transaction',
      'control',
    ]) {
      expect(types).toContain(type)
    }
    const commit = records.find(({ data }) => (data as { group?: string })?.group === 'g-offsets-only')
    expect(commit?.data).toMatchObject({ topic: expect.any(String), value: { metadata: expect.any(String) } })
    const open = records.findLast(({ data }) => (data as { transactionalId?: string })?.transactionalId === 't-open')
    expect(open?.data).toMatchObject({ value: { status: 'Ongoing', partitions: { accounts: [0] } } })
  })

  test('of __share_group_state', () => {
    const folder = join(root, '__share_group_state-0')
    mkdirSync(folder)
    const value = {
      snapshotEpoch: 1,
      stateEpoch: 2,
      leaderEpoch: 3,
      startOffset: 7,
      createTimestamp: 0,
      writeTimestamp: 0,
      stateBatches: [{ firstOffset: 7, lastOffset: 9, deliveryState: 2, deliveryCount: 1 }],
      deliveryCompleteCount: 3,
    }
    const key = { groupId: 'g-share', topicId: 'AAAAAAAAAAAAAAAAAAAAZg', partition: 3 }
    const encoded = encodeShareState({ type: 'snapshot', key, value })
    writeFileSync(join(folder, LOG), buildBatch({ records: [{ timestamp: 0, ...encoded }] }))
    const path = join(folder, LOG)
    expect([...dumpLog(path, { ...ALL, kind: recordKindOf(path) })][1]).toMatchObject({
      fields: { type: 'snapshot', data: { key, value } },
    })
  })

  test("anybody's, with keys, values and headers, in every codec", async () => {
    for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
      const records = (await dumped('--records', join(kafka, `stored-${codec}-0`))).filter(
        ({ kind }) => kind === 'record',
      )
      expect(records).toHaveLength(20)
      expect(records[1]).toMatchObject({ offset: 1, key: 'key-1', value: 'none-1 none-1 ', headers: [] })
      expect(records[4]).toMatchObject({
        headers: [
          { key: 'h', value: 'v4' },
          { key: 'h', value: null },
        ],
      })
      expect(records[10]).toMatchObject({ value: null })
    }
  })

  test('only the offsets that are wanted', async () => {
    const path = join(kafka, 'plain-0', LOG)
    const offsets = async (range: string): Promise<unknown[]> =>
      (await dumped('--records', '--offsets', range, path))
        .filter(({ kind }) => kind === 'record')
        .map(({ offset }) => offset)
    expect(await offsets('7..9')).toEqual([7, 8, 9])
    expect(await offsets('3')).toEqual([3])
    expect(await offsets('..2')).toEqual([0, 1, 2])
    expect((await offsets('5..'))[0]).toBe(5)
  })

  test('of a file that lies elsewhere, as said by --as', async () => {
    const path = join(root, LOG)
    copyFileSync(join(kafka, '__cluster_metadata-0', LOG), path)
    expect((await dumped('--records', path)).some(({ type }) => type === 'Topic')).toBe(false)
    expect((await dumped('--records', '--as', 'metadata', path)).some(({ type }) => type === 'Topic')).toBe(true)
  })
})

test('text: one line for each thing, below the name of its file', async () => {
  const path = join(kafka, 'accounts-0', LOG)
  const { stdout } = await samsa(['dump', '--records', path])
  const lines = stdout.split('\n')
  expect(lines[0]).toBe(path)
  expect(lines[1]).toMatch(
    /^ {2}offsets 0 to \d+ at 0: \d+ records, \d+ bytes, uncompressed, leader epoch 0, CreateTime .*Z producer \d+ epoch 0 sequence 0 transactional$/,
  )
  expect(lines[2]).toMatch(/^ {4}0 .*Z key null value "txn0-0 " headers \{"h": "v0", "h": null\}$/)
  expect(stdout).toContain('commit marker, coordinator epoch 0')
})

describe('damage', () => {
  test('is told with file and position, and the rest is shown', async () => {
    const path = spoiled('plain-0', LOG, flip(100))
    const { exitCode, stdout, stderr } = await samsa(['dump', '--records', path])
    expect(exitCode).toBe(1)
    expect(stderr).toContain(`${path}: at byte 0: wrong checksum of the batch at offset 0`)
    expect(stderr).toContain('1 problems in 1 of 1 files')
    expect(stdout.match(/offsets \d+ to/g)!.length).toBeGreaterThan(1)
  })

  test('in JSON, too', async () => {
    const path = spoiled('plain-0', LOG, flip(100))
    const { exitCode, stdout } = await samsa(['dump', '--format', 'json', '--check', path])
    expect(exitCode).toBe(1)
    expect(JSON.parse(stdout)).toEqual({
      file: path,
      kind: 'problem',
      position: 0,
      message: 'wrong checksum of the batch at offset 0',
    })
  })

  const size = (partition: string): number => statSync(join(kafka, partition, LOG)).size

  test.each([
    ['a batch that is cut', () => spoiled('plain-0', LOG, (bytes) => bytes.subarray(0, -1)), 'past the end'],
    [
      'a few bytes after the last batch',
      () => spoiled('plain-0', LOG, (bytes) => Buffer.concat([bytes, Buffer.alloc(9)])),
      'no whole batch',
    ],
    [
      'zeros after the last batch',
      () => spoiled('plain-0', LOG, (bytes) => Buffer.concat([bytes, Buffer.alloc(99)])),
      'too small',
    ],
    ['another magic', () => spoiled('plain-0', LOG, flip(16)), 'magic 3'],
    ['the same batch twice', () => spoiled('trimmed-0', LOG, (bytes) => Buffer.concat([bytes, bytes])), 'comes next'],
  ])('of a log: %s', (_name, spoil, message) => {
    expect(logProblems(spoil())[0]?.message).toContain(message)
  })

  test('the position is that of the damage', () => {
    const path = spoiled('plain-0', LOG, (bytes) => Buffer.concat([bytes, Buffer.alloc(9)]))
    expect(logProblems(path)[0]?.position).toBe(size('plain-0'))
  })

  test('of a snapshot of the metadata: its end is missing', () => {
    const path = join(root, 'bootstrap.checkpoint')
    const whole = readFileSync(join(kafka, 'bootstrap.checkpoint'))
    writeFileSync(path, whole.subarray(0, whole.length - 75))
    const found = problemsOf(dumpLog(path, { ...ALL, kind: 'metadata', isSnapshot: true }))
    expect(found.map(({ message }) => message)).toEqual(['the snapshot has no footer: it is incomplete'])
  })

  test('of a metadata log: a record that cannot be read', () => {
    const folder = join(root, '__cluster_metadata-0')
    mkdirSync(folder)
    const records = [{ timestamp: 0, key: null, value: Buffer.from([1, 2, 0, 9]) }]
    writeFileSync(join(folder, LOG), buildBatch({ records }))
    expect(logProblems(join(folder, LOG))[0]?.message).toContain('record 0:')
  })

  test.each([
    ['.snapshot', 'producer-snapshot', /snapshot$/, flip(12), 'wrong checksum'],
    [
      'leader-epoch-checkpoint',
      'leader-epochs',
      /^leader-epoch/,
      (bytes: Buffer) => Buffer.concat([bytes, bytes]),
      'entries instead of',
    ],
    ['partition.metadata', 'partition-metadata', /^partition\.metadata/, flip(0), 'cannot be understood'],
  ] as const)('of %s', (_name, kind, pattern, change, message) => {
    const file = readdirSync(join(kafka, 'accounts-0')).find((name) => pattern.test(name))!
    const [first] = problemsOf(dumpSmall(spoiled('accounts-0', file, change), kind))
    expect(first?.message).toContain(message)
  })
})

describe('indexes are held against their log', () => {
  /** A segment of batches of one record each, at offsets 0, 1, ... with timestamps 1000, 1001, ... */
  function segment(name: string, index: Buffer, suffix: string): string {
    const folder = join(root, name)
    mkdirSync(folder, { recursive: true })
    const batches = [0, 1, 2, 3].map((offset) =>
      buildBatch({ baseOffset: offset, records: [{ timestamp: 1000 + offset, key: null, value: Buffer.from('x') }] }),
    )
    writeFileSync(join(folder, LOG), Buffer.concat(batches))
    const path = join(folder, `00000000000000000000${suffix}`)
    writeFileSync(path, index)
    return path
  }

  const batchBytes = buildBatch({ records: [{ timestamp: 1000, key: null, value: Buffer.from('x') }] }).length
  const entry = (offset: number, place: number): Buffer => {
    const bytes = Buffer.alloc(8)
    bytes.writeInt32BE(offset, 0)
    bytes.writeInt32BE(place, 4)
    return bytes
  }
  const timeEntry = (timestamp: number, offset: number): Buffer => {
    const bytes = Buffer.alloc(12)
    bytes.writeBigInt64BE(BigInt(timestamp), 0)
    bytes.writeInt32BE(offset, 8)
    return bytes
  }

  test.each([
    ['right', [entry(1, batchBytes), entry(3, 3 * batchBytes)], null],
    ['right, with space set aside', [entry(1, batchBytes), Buffer.alloc(80)], null],
    ['another place', [entry(1, batchBytes + 1)], 'the log has that offset at'],
    ['the place of another batch', [entry(1, 2 * batchBytes)], 'the log has that offset at'],
    ['not growing', [entry(2, 2 * batchBytes), entry(1, batchBytes)], 'not above the one before'],
    ['beyond the end', [entry(9, 9 * batchBytes)], 'beyond the end'],
    ['half an entry', [entry(1, batchBytes), Buffer.from([1, 2, 3])], 'within an entry'],
  ])('offsets: %s', (name, entries, message) => {
    const path = segment(`offsets ${name}`, Buffer.concat(entries), '.index')
    const [first] = problemsOf(dumpIndex(path, 'offset-index'))
    if (message === null) expect(first).toBeUndefined()
    else expect(first?.message).toContain(message)
  })

  test.each([
    ['right', [timeEntry(1001, 1), timeEntry(1003, 3)], null],
    ['a timestamp of another batch', [timeEntry(1001, 2)], 'the largest timestamp there is 1002'],
    ['not growing', [timeEntry(1002, 2), timeEntry(1001, 1)], 'not above the one before'],
    ['beyond the end', [timeEntry(1009, 9)], 'beyond the end'],
  ])('timestamps: %s', (name, entries, message) => {
    const path = segment(`times ${name}`, Buffer.concat(entries), '.timeindex')
    const [first] = problemsOf(dumpIndex(path, 'time-index'))
    if (message === null) expect(first).toBeUndefined()
    else expect(first?.message).toContain(message)
  })

  test('aborted transactions: there must be an abort marker of that producer', () => {
    const file = (change: (bytes: Buffer) => void): string => {
      const bytes = Buffer.alloc(34)
      bytes.writeBigInt64BE(7n, 2)
      change(bytes)
      return segment(`aborted ${copies++}`, bytes, '.txnindex')
    }
    expect(
      problemsOf(
        dumpIndex(
          file(() => {}),
          'txn-index',
        ),
      )[0]?.message,
    ).toContain('no abort marker')
    expect(
      problemsOf(
        dumpIndex(
          file((bytes) => bytes.writeInt16BE(3, 0)),
          'txn-index',
        ),
      )[0]?.message,
    ).toContain('version 3')
  })
})

describe('usage', () => {
  test.each([
    ['no file', [], 2],
    ['a file that is none of theirs', [join(import.meta.dir, 'dump.test.ts')], 2],
    ['a folder with none of theirs', [import.meta.dir], 2],
    ['a range that ends before it begins', ['--offsets', '9..3', 'x.log'], 2],
    ['a range of nothing', ['--offsets', '..', 'x.log'], 2],
    ['a file that is not there', [join(root, 'nowhere.log')], 1],
  ])('%s', async (_name, args, exitCode) => {
    const ended = await samsa(['dump', ...args])
    expect(ended.exitCode).toBe(exitCode)
    expect(ended.stderr).toMatch(/^samsa: .+\n$/)
  })

  test('names tell what files are', () => {
    const kinds = [
      '0.log',
      `${'0'.repeat(20)}-${'0'.repeat(10)}.checkpoint`,
      'replication-offset-checkpoint',
      '0.index.deleted',
      'a.txt',
    ]
    expect(kinds.map(fileKindOf)).toEqual(['log', 'metadata-snapshot', 'offset-checkpoint', 'offset-index', null])
    expect(basename(dirname(join(kafka, '__consumer_offsets-3', LOG)))).toBe('__consumer_offsets-3')
    expect(recordKindOf(join(kafka, '__consumer_offsets-3', LOG))).toBe('offsets')
  })
})
