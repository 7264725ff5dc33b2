import { describe, expect, test } from 'bun:test'
import { describeText, wantedPart } from '../../src/cli/commands/topics.ts'
import { groupText } from '../../src/cli/group-views.ts'
import { table } from '../../src/cli/output.ts'
import { jsonRecords, lineRecords } from '../../src/cli/produce/record-maker.ts'

test('a table pads all columns but the last', () => {
  const text = table(
    ['A', 'LONG', 'C'],
    [
      ['aaa', 'b', 'c'],
      ['a', 'b', ''],
    ],
  )
  expect(text).toBe('A   LONG C\naaa b    c\na   b')
})

test('topics describe prints the fields of kafka-topics', () => {
  const row = { partition: 0, leader: 1, leaderEpoch: 0, replicas: [1, 2], isr: [1], offlineReplicas: [] }
  const topic = {
    name: 'orders',
    topicId: 'abcdefghijklmnopqrstuw',
    internal: false,
    partitions: [
      { ...row, elr: [], lastKnownElr: [] },
      { ...row, partition: 1, leader: -1, elr: null, lastKnownElr: null },
    ],
  }
  const configs = [{ name: 'retention.ms', value: '5', source: 'topic', isDefault: false }]
  expect(describeText(topic, configs, false)).toBe(
    [
      'Topic: orders\tTopicId: abcdefghijklmnopqrstuw\tPartitionCount: 2\tReplicationFactor: 2\tConfigs: retention.ms=5',
      '\tTopic: orders\tPartition: 0\tLeader: 1\tReplicas: 1,2\tIsr: 1\tElr: \tLastKnownElr: ',
      '\tTopic: orders\tPartition: 1\tLeader: none\tReplicas: 1,2\tIsr: 1\tElr: N/A\tLastKnownElr: N/A',
    ].join('\n'),
  )
})

const group = {
  groupId: 'billing',
  type: 'classic',
  state: 'Stable',
  assignor: 'range',
  coordinator: { nodeId: 1, host: '127.0.0.1', port: 9092 },
  members: [
    {
      memberId: 'm-1',
      instanceId: null,
      clientId: 'c',
      clientHost: '/10.0.0.1',
      assignment: [{ topic: 'orders', partitions: [0, 1] }],
    },
  ],
  offsets: [
    {
      topic: 'orders',
      partition: 0,
      currentOffset: 3,
      logEndOffset: 5,
      lag: 2,
      consumerId: 'm-1',
      host: '/10.0.0.1',
      clientId: 'c',
    },
    {
      topic: 'orders',
      partition: 1,
      currentOffset: null,
      logEndOffset: 5,
      lag: null,
      consumerId: null,
      host: null,
      clientId: null,
    },
  ],
}

function columns(line: string | undefined): string[] {
  return (line ?? '').split(/ {2,}| (?=\S)/)
}

test('topics describe: partitions in trouble, topics with configurations of their own', () => {
  const row = {
    leader: 1,
    leaderEpoch: 0,
    replicas: [1, 2],
    isr: [1, 2],
    offlineReplicas: [],
    elr: [],
    lastKnownElr: [],
  }
  const config = { isDefault: false, isReadOnly: false, isSensitive: false, synonyms: [], documentation: null }
  const own = { ...config, name: 'min.insync.replicas', value: '2', source: 'topic' as const }
  const partitions = [
    { ...row, partition: 0 },
    { ...row, partition: 1, isr: [1] },
    { ...row, partition: 2, isr: [], leader: -1 },
  ]
  const topic = { name: 'orders', topicId: 'x', internal: false, partitions, configs: [own] }
  const left = (options: Parameters<typeof wantedPart>[1]): number[] =>
    wantedPart(topic, options).flatMap((part) => part.partitions.map(({ partition }) => partition))
  expect(left({})).toEqual([0, 1, 2])
  expect(left({ underReplicatedPartitions: true })).toEqual([1, 2])
  expect(left({ underMinIsrPartitions: true })).toEqual([1, 2])
  expect(left({ unavailablePartitions: true })).toEqual([2])
  expect(wantedPart({ ...topic, partitions: [partitions[0]!] }, { unavailablePartitions: true })).toEqual([])
  expect(wantedPart(topic, { topicsWithOverrides: true })).toEqual([topic])
  expect(wantedPart({ ...topic, configs: [] }, { topicsWithOverrides: true })).toEqual([])
})

test('groups describe prints the columns of kafka-consumer-groups', () => {
  const [header, first, second] = groupText(group, {}).split('\n')
  expect(columns(header)).toEqual(
    'GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG CONSUMER-ID HOST CLIENT-ID'.split(' '),
  )
  expect(columns(first)).toEqual(['billing', 'orders', '0', '3', '5', '2', 'm-1', '/10.0.0.1', 'c'])
  expect(columns(second)).toEqual(['billing', 'orders', '1', '-', '5', '-', '-', '-', '-'])
})

test('groups describe --members and --state', () => {
  expect(columns(groupText(group, { members: true }).split('\n')[1])).toEqual([
    ...['billing', 'm-1', '/10.0.0.1', 'c', '2', 'orders:0,1'],
  ])
  expect(groupText(group, { state: true }).split('\n')[1]).toMatch(
    /^billing +127\.0\.0\.1:9092 \(1\) +range +Stable +1$/,
  )
})

const text = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString())

test('produce: key separator, fixed key, headers and null', () => {
  const header = [
    { key: 'h', value: Buffer.from('1') },
    { key: 'n', value: null },
  ]
  const keyed = lineRecords({ keySeparator: ':', null: true, header })
  const made = ['k:v:w', 'k:', 'no separator', ':v'].map((line) => keyed(Buffer.from(line)))
  expect(made.map(({ key, value }) => [text(key), text(value)])).toEqual([
    ['k', 'v:w'],
    ['k', null],
    [null, 'no separator'],
    [null, 'v'],
  ])
  expect(made[0]?.headers).toEqual(header)
  const fixed = lineRecords({ key: 'fixed' })(Buffer.from(''))
  expect([text(fixed.key), text(fixed.value)]).toEqual(['fixed', ''])
})

describe('produce: JSON', () => {
  const read = (line: string) => {
    const { key, value, headers } = jsonRecords({ key: 'fallback' })(Buffer.from(line))
    return [text(key), text(value), headers.map((each) => [each.key, text(each.value)])]
  }

  test('what consume --format json prints', () => {
    expect(read('{"key":"k","value":"v","headers":[{"key":"a","value":"1"},{"key":"b","value":null}]}')).toEqual([
      'k',
      'v',
      [
        ['a', '1'],
        ['b', null],
      ],
    ])
    expect(read('{"keyBase64":"/w==","value":null}')).toEqual([Buffer.from([0xff]).toString(), null, []])
  })

  test("kcat's envelope, and values that are JSON themselves", () => {
    expect(read('{"key":null,"payload":{"a":1},"headers":["a","1","b",null]}')).toEqual([
      'fallback',
      '{"a":1}',
      [
        ['a', '1'],
        ['b', null],
      ],
    ])
  })

  test.each(['{', '[]', '"text"', '{"headers":7}', '{"headers":[7]}'])(
    '%s is refused, with the number of its line',
    (line) => {
      expect(() => read(line)).toThrow('line 1')
    },
  )
})
