// Names, checkpoint files, identity: the small things that Kafka must be able to read and that must survive being damaged.

import { describe, expect, test } from 'bun:test'
import {
  formatCleanShutdown,
  formatEpochCheckpoint,
  formatMetaProperties,
  formatOffsetCheckpoint,
  formatPartitionMetadata,
  formatSegmentFacts,
  parseEpochCheckpoint,
  parseMetaProperties,
  parseOffsetCheckpoint,
  parsePartitionMetadata,
  parseSegmentFacts,
} from '../../src/log/checkpoints.ts'
import {
  offsetFileName,
  offsetInName,
  parsePartitionFolder,
  retiredFolderName,
  uuidHex,
} from '../../src/log/file-names.ts'
import { TOPIC_ID } from './support.ts'

describe('names', () => {
  test('segment files', () => {
    expect(offsetFileName(42, '.log')).toBe('00000000000000000042.log')
    expect(offsetFileName(Number.MAX_SAFE_INTEGER, '.index')).toBe('00009007199254740991.index')
    expect(offsetInName('00000000000000000042.log', '.log')).toBe(42)
    for (const name of [
      '42.log',
      '00000000000000000042.log.deleted',
      '0000000000000000004x.log',
      '00000000000000000042.index',
    ]) {
      expect(offsetInName(name, '.log')).toBeNull()
    }
    expect(offsetInName('99999999999999999999.log', '.log')).toBeNull()
  })

  test.each([
    ['orders-0', { topic: 'orders', partition: 0, state: 'live' }],
    ['a-b.c_d-12', { topic: 'a-b.c_d', partition: 12, state: 'live' }],
    [`orders-3.${'0af'.padEnd(32, '0')}-delete`, { topic: 'orders', partition: 3, state: 'delete' }],
    [`x-y-3.${'f'.repeat(32)}-future`, { topic: 'x-y', partition: 3, state: 'future' }],
    [`x-y-3.${'f'.repeat(32)}-stray`, { topic: 'x-y', partition: 3, state: 'stray' }],
  ] as const)('folder %s', (name, expected) => {
    expect(parsePartitionFolder(name)).toEqual(expected)
  })

  test.each([
    'lost+found',
    'orders',
    '-3',
    'orders-',
    'orders-x',
    'remote-log-index-cache',
    'with space-0',
    `orders.${'f'.repeat(32)}-delete`,
  ])('folder %s is no partition', (name) => {
    expect(parsePartitionFolder(name)).toBeNull()
  })

  test('a retired folder fits 255 characters and is recognised', () => {
    const hex = uuidHex(TOPIC_ID)
    expect(hex).toMatch(/^[0-9a-f]{32}$/)
    const name = retiredFolderName('t'.repeat(249), 7, 'delete', hex)
    expect(name.length).toBe(255)
    expect(parsePartitionFolder(name)).toMatchObject({ partition: 7, state: 'delete' })
    expect(retiredFolderName('short', 7, 'stray', hex)).toBe(`short-7.${hex}-stray`)
  })
})

describe('offset checkpoints', () => {
  test('are written as Kafka writes them', () => {
    const entries = [
      { topic: 'a', partition: 0, offset: 5 },
      { topic: 'b-c', partition: 12, offset: 0 },
    ]
    expect(formatOffsetCheckpoint(entries).toString()).toBe('0\n2\na 0 5\nb-c 12 0\n')
    expect(formatOffsetCheckpoint([]).toString()).toBe('0\n0\n')
    expect(parseOffsetCheckpoint('0\n2\na 0 5\nb-c 12 0\n')).toEqual({ ok: true, value: entries })
  })

  test.each(['', '0\n', '0\n0\n'])('%j has no entries', (text) => {
    expect(parseOffsetCheckpoint(text)).toEqual({ ok: true, value: [] })
  })

  test('any white space separates', () => {
    expect(parseOffsetCheckpoint('0\n1\na \t 0  7\n')).toEqual({
      ok: true,
      value: [{ topic: 'a', partition: 0, offset: 7 }],
    })
  })

  test.each([
    '1\n0\n',
    '0\nx\n',
    '0\n2\na 0 5\n',
    '0\n1\na 0 5\nb 0 5\n',
    '0\n1\na 0\n',
    '0\n1\na 0 5 6\n',
    '0\n1\na x 5\n',
    '0\n1\na 0 -5\n',
    '0\n1\na 0 1e3\n',
    '\0\0\0\0',
    'a 0 5',
  ])('%j is refused with a reason', (text) => {
    const parsed = parseOffsetCheckpoint(text)
    expect(parsed.ok).toBe(false)
    if (!parsed.ok) expect(parsed.reason.length).toBeGreaterThan(3)
  })
})

describe('leader epochs', () => {
  test('there and back', () => {
    const text = '0\n2\n0 0\n2 326\n'
    const parsed = parseEpochCheckpoint(text)
    expect(parsed).toEqual({
      ok: true,
      value: [
        { epoch: 0, startOffset: 0 },
        { epoch: 2, startOffset: 326 },
      ],
    })
    if (parsed.ok) expect(formatEpochCheckpoint(parsed.value).toString()).toBe(text)
  })

  test.each(['0\n2\n2 0\n1 5\n', '0\n2\n1 9\n2 5\n', '0\n1\n-1 5\n', '0\n1\nx\n'])('%j is refused', (text) => {
    expect(parseEpochCheckpoint(text).ok).toBe(false)
  })
})

test('segment facts, there and back', () => {
  const entries = [
    {
      topic: 'a-b',
      partition: 3,
      baseOffset: 5,
      endOffset: 9,
      logBytes: 100,
      offsetIndexBytes: 8,
      timeIndexBytes: 24,
      maxTimestamp: -1,
      offsetOfMaxTimestamp: 5,
    },
  ]
  expect(parseSegmentFacts(formatSegmentFacts(entries).toString())).toEqual({ ok: true, value: entries })
  expect(parseSegmentFacts('0\n1\na 1 2 3\n').ok).toBe(false)
  expect(parseSegmentFacts('0\n1\na 1 2 3 4 5 6 7 x\n').ok).toBe(false)
})

describe('partition.metadata', () => {
  test('43 bytes without a newline', () => {
    const bytes = formatPartitionMetadata(TOPIC_ID)
    expect(bytes.length).toBe(43)
    expect(bytes.toString()).toBe(`version: 0\ntopic_id: ${TOPIC_ID}`)
    expect(parsePartitionMetadata(bytes.toString())).toEqual({ ok: true, value: TOPIC_ID })
    expect(parsePartitionMetadata(`version:  0\ntopic_id:\t${TOPIC_ID}\n`)).toEqual({ ok: true, value: TOPIC_ID })
  })

  test.each([
    '',
    'version: 0',
    `version: 1\ntopic_id: ${TOPIC_ID}`,
    'version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA',
    'version: 0\ntopic_id: short',
    'nonsense',
  ])('%j is refused', (text) => {
    expect(parsePartitionMetadata(text).ok).toBe(false)
  })
})

describe('meta.properties', () => {
  const meta = { clusterId: 'MkU3OEVBNTcwNTJENDM2Qg', nodeId: 1, directoryId: TOPIC_ID }

  test('there and back', () => {
    expect(parseMetaProperties(formatMetaProperties(meta).toString())).toEqual({ ok: true, value: meta })
    const odd = { ...meta, clusterId: 'a=b:c#d e\\f' }
    expect(parseMetaProperties(formatMetaProperties(odd).toString())).toEqual({ ok: true, value: odd })
  })

  test("Kafka's own, in any order, with comments", () => {
    const text = `#\n#Tue Oct 14 08:00:00 UTC 2025\nnode.id=1\r\ndirectory.id=${TOPIC_ID}\nversion=1\ncluster.id=${meta.clusterId}\n`
    expect(parseMetaProperties(text)).toEqual({ ok: true, value: meta })
  })

  test('the older form, before directories had ids', () => {
    expect(parseMetaProperties('version=0\nbroker.id=3\ncluster.id=abc')).toEqual({
      ok: true,
      value: { clusterId: 'abc', nodeId: 3, directoryId: null },
    })
  })

  test.each([
    '',
    'version=2\ncluster.id=a\nnode.id=1',
    'version=1\nnode.id=1',
    'version=1\ncluster.id=a',
    'version=1\ncluster.id=a\nnode.id=x',
    'version=1\ncluster.id=a\nnode.id=1\ndirectory.id=short',
  ])('%j is refused', (text) => {
    expect(parseMetaProperties(text).ok).toBe(false)
  })
})

test('clean-stop marker', () => {
  expect(formatCleanShutdown(11).toString()).toBe('{"version":0,"brokerEpoch":11}')
})
