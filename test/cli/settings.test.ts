import { describe, expect, test } from 'bun:test'
import { resolveSettings, type ServeFlags, type ServeSettings } from '../../src/cli/serve/settings.ts'
import { parseProperties, propertiesFromEnvironment } from '../../src/metadata/properties-file.ts'

interface Given {
  readonly flags?: ServeFlags
  readonly environment?: Record<string, string>
  readonly file?: string
}

function resolve({ flags = {}, environment = {}, file = '' }: Given): ServeSettings | string {
  return resolveSettings(flags, {
    environment: propertiesFromEnvironment(environment),
    file: parseProperties(file),
    nodeIdOf: (directory) => (directory === '/of-node-5' ? 5 : null),
  })
}

function settings(given: Given): ServeSettings {
  const resolved = resolve(given)
  if (typeof resolved === 'string') throw new Error(resolved)
  return resolved
}

test('without anything: the documented defaults', () => {
  expect(settings({})).toEqual({
    listen: { host: '127.0.0.1', port: 9092 },
    advertise: null,
    http: { listen: { host: '127.0.0.1', port: 9080 }, isRequired: false },
    dataDirectory: './samsa-data',
    furtherDataDirectories: [],
    storage: 'disk',
    durability: 'os',
    nodeId: 1,
    adopt: false,
    properties: new Map(),
    warnings: [],
  })
})

test('the node id is the one that is given, else that of the data folder', () => {
  expect(settings({ flags: { data: ['/of-node-5'] } }).nodeId).toBe(5)
  expect(settings({ flags: { data: ['/of-node-5'], nodeId: 7 } }).nodeId).toBe(7)
  expect(settings({ flags: { data: ['/of-node-5'] }, file: 'node.id=8' }).nodeId).toBe(8)
  expect(settings({ flags: { data: ['/of-node-5'], storage: 'memory' } }).nodeId).toBe(1)
})

describe('precedence of a property: --set, environment, file', () => {
  const all = {
    flags: { set: [{ key: 'log.retention.ms', value: '1' }] },
    environment: { SAMSA_LOG_RETENTION_MS: '2' },
    file: 'log.retention.ms=3',
  }
  test.each([
    ['--set wins', all, '1'],
    ['then the environment', { environment: all.environment, file: all.file }, '2'],
    ['then the file', { file: all.file }, '3'],
  ])('%s', (_name, given, value) => {
    expect(settings(given).properties.get('log.retention.ms')).toBe(value)
  })
})

describe('properties that a flag also covers', () => {
  const file =
    'node.id=7\nlisteners=PLAINTEXT://:19092\nadvertised.listeners=PLAINTEXT://b.example:19092\nlog.dirs=/data'

  test('are honoured', () => {
    expect(settings({ file })).toMatchObject({
      nodeId: 7,
      listen: { host: '0.0.0.0', port: 19092 },
      advertise: { host: 'b.example', port: 19092 },
      dataDirectory: '/data',
    })
  })

  test('the flag wins', () => {
    const flags = { nodeId: 9, listen: { host: 'h', port: 1 }, advertise: { host: 'a', port: 2 }, data: ['d'] }
    const { nodeId, listen, advertise, dataDirectory } = settings({ flags, file })
    expect({ nodeId, listen, advertise, data: [dataDirectory] }).toEqual(flags)
  })

  test('broker.id and log.dir, the older names', () => {
    expect(settings({ file: 'broker.id=3\nlog.dir=/old' })).toMatchObject({ nodeId: 3, dataDirectory: '/old' })
  })

  test('several data folders, from the flag (repeated or with commas), log.dirs or log.dir; each once', () => {
    const folders = (given: Given): string[] => {
      const { dataDirectory, furtherDataDirectories } = settings(given)
      return [dataDirectory, ...furtherDataDirectories]
    }
    expect(folders({ flags: { data: ['a', 'b,c', 'a'] } })).toEqual(['a', 'b', 'c'])
    expect(folders({ file: 'log.dirs=/a, /b' })).toEqual(['/a', '/b'])
    expect(folders({ file: 'log.dir=/a,/b' })).toEqual(['/a', '/b'])
    expect(folders({ flags: { set: [{ key: 'log.dirs', value: 'x,y' }] }, file: 'log.dirs=/a' })).toEqual(['x', 'y'])
    expect(folders({ flags: { data: ['d'] }, file: 'log.dirs=/a,/b' })).toEqual(['d'])
  })

  test("a combined node's file: the controller's listener is not ours", () => {
    const combined = `
      listeners=CONTROLLER://:9093,INTERNAL://10.0.0.1:9092
      controller.listener.names=CONTROLLER
      listener.security.protocol.map=CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT`
    const { listen, warnings } = settings({ file: combined })
    expect(listen).toEqual({ host: '10.0.0.1', port: 9092 })
    expect(warnings).toEqual([])
  })

  test('a listener that cannot be served is named', () => {
    const { listen, warnings } = settings({ file: 'listeners=SSL://:9094,PLAINTEXT://127.0.0.1:9092' })
    expect(listen.port).toBe(9092)
    expect(warnings[0]).toContain('SSL://:9094 is left out')
  })

  test.each([
    ['listeners=SSL://:9094', 'no PLAINTEXT listener'],
    ['listeners=127.0.0.1:9092', 'is not NAME://HOST:PORT'],
    ['node.id=one', "'one' is not a node id"],
    ['log.dirs=/a,,/b', 'without a name'],
  ])('%s is refused', (text, reason) => {
    expect(resolve({ file: text })).toContain(reason)
  })
})

describe('storage and durability', () => {
  test('each of the two memories means the other', () => {
    expect(settings({ flags: { storage: 'memory' } })).toMatchObject({ storage: 'memory', durability: 'memory' })
    expect(settings({ flags: { durability: 'memory' } })).toMatchObject({ storage: 'memory', durability: 'memory' })
  })

  test('what cannot be promised is refused', () => {
    expect(resolve({ flags: { storage: 'memory', durability: 'fsync' } })).toContain('cannot be promised')
    expect(resolve({ flags: { storage: 'disk', durability: 'memory' } })).toContain('--storage memory')
  })
})
