import { describe, expect, test } from 'bun:test'
import { parseProperties, propertiesFromEnvironment } from '../../src/metadata/properties-file.ts'

const parsed = (text: string): [string, string][] => [...parseProperties(text)]

describe("Java's properties syntax", () => {
  test.each([
    ['a=1', [['a', '1']]],
    ['a = 1', [['a', '1']]],
    ['a:1', [['a', '1']]],
    ['a 1', [['a', '1']]],
    ['a\t=\t1', [['a', '1']]],
    ['  a=1', [['a', '1']]],
    ['a', [['a', '']]],
    ['a=', [['a', '']]],
    ['=1', [['', '1']]],
    ['a==1', [['a', '=1']]],
    ['a = = 1', [['a', '= 1']]],
    ['a=1 ', [['a', '1 ']]],
    ['a=b=c:d e', [['a', 'b=c:d e']]],
    ['# comment\n! too\n\n  # and this\na=1', [['a', '1']]],
    ['a=1 # no comment', [['a', '1 # no comment']]],
    ['a=1\\\n   2', [['a', '12']]],
    [
      'a=1\\\\\nb=2',
      [
        ['a', '1\\'],
        ['b', '2'],
      ],
    ],
    ['a=1,\\\r\n  2', [['a', '1,2']]],
    ['a=1\\\n# part of the value', [['a', '1# part of the value']]],
    ['a=1\\', [['a', '1']]],
    ['a\\=b=1', [['a=b', '1']]],
    ['a\\ b=1', [['a b', '1']]],
    ['a\\:b:1', [['a:b', '1']]],
    ['a=x\\ty\\nz\\\\', [['a', 'x\ty\nz\\']]],
    ['a=\\u0041\\u00e9', [['a', 'A\u00e9']]],
    ['a=\\q', [['a', 'q']]],
    [
      'a=1\r\nb=2\rc=3',
      [
        ['a', '1'],
        ['b', '2'],
        ['c', '3'],
      ],
    ],
    ['a=1\na=2', [['a', '2']]],
    ['log.dirs=C:\\\\data', [['log.dirs', 'C:\\data']]],
  ] as [string, [string, string][]][])('%j', (text, expected) => {
    expect(parsed(text)).toEqual(expected)
  })

  test('a usual server.properties', () => {
    const text = `
# The id of the broker.
node.id=1
listeners=PLAINTEXT://:9092,\\
          CONTROLLER://:9093
log.retention.hours = 168
`
    expect(Object.fromEntries(parseProperties(text))).toEqual({
      'node.id': '1',
      listeners: 'PLAINTEXT://:9092,CONTROLLER://:9093',
      'log.retention.hours': '168',
    })
  })
})

test('variables that name a property count, others are left alone', () => {
  const environment = {
    SAMSA_LOG_RETENTION_MS: '5',
    SAMSA_NUM_PARTITIONS: '3',
    SAMSA_DATA: '/elsewhere',
    LOG_RETENTION_MS: '6',
    samsa_num_io_threads: '7',
    SAMSA_UNSET: undefined,
  }
  expect([...propertiesFromEnvironment(environment)]).toEqual([
    ['log.retention.ms', '5'],
    ['num.partitions', '3'],
  ])
})
