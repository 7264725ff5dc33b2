import { describe, expect, test } from 'bun:test'
import createTopics from '../../src/broker/api/19-create-topics.ts'
import deleteTopics from '../../src/broker/api/20-delete-topics.ts'
import describeConfigs from '../../src/broker/api/32-describe-configs.ts'
import alterConfigs from '../../src/broker/api/33-alter-configs.ts'
import createPartitions from '../../src/broker/api/37-create-partitions.ts'
import incrementalAlterConfigs from '../../src/broker/api/44-incremental-alter-configs.ts'
import { ResourceType } from '../../src/metadata/configs.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { ZERO_UUID } from '../../src/protocol/schema.ts'
import { type AdminBroker, adminBroker, type Denied } from './admin-context.ts'

interface TopicRow {
  name: string | null
  topicId: string
  errorCode: number
  topicConfigErrorCode?: number
  numPartitions?: number
  configs?: unknown[] | null
}

interface ResourceRow {
  resourceName: string
  errorCode: number
  configs?: { name: string; documentation: string | null; synonyms: unknown[] }[]
}

const topic = (name: string) => ({ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] })

async function create(broker: AdminBroker, names: string[], denied?: Denied): Promise<TopicRow[]> {
  const request = { topics: names.map(topic), timeoutMs: 1000, validateOnly: false }
  return ((await broker.ask(createTopics, 7, request, denied)) as { topics: TopicRow[] }).topics
}

async function remove(broker: AdminBroker, version: number, request: unknown, denied?: Denied): Promise<TopicRow[]> {
  return ((await broker.ask(deleteTopics, version, request, denied)) as { responses: TopicRow[] }).responses
}

/** Denies these operations, given as OPERATION RESOURCE. */
const denying =
  (...denied: string[]): Denied =>
  (operation, resource) =>
    denied.includes(`${operation} ${resource}`)

describe('CreateTopics', () => {
  test('either the right on the cluster or on the topic suffices', async () => {
    const broker = await adminBroker()
    expect((await create(broker, ['a'], denying('CREATE TOPIC')))[0]?.errorCode).toBe(ErrorCode.NONE)
    expect((await create(broker, ['b'], denying('CREATE CLUSTER')))[0]?.errorCode).toBe(ErrorCode.NONE)
    const [refused] = await create(broker, ['c'], denying('CREATE CLUSTER', 'CREATE TOPIC'))
    expect(refused?.errorCode).toBe(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
    expect(broker.image.topic('c')).toBeUndefined()
  })

  test('without the right to see configs the topic is created, and its answer says nothing of them', async () => {
    const broker = await adminBroker()
    const [row] = await create(broker, ['a'], denying('DESCRIBE_CONFIGS TOPIC'))
    expect(row?.errorCode).toBe(ErrorCode.NONE)
    expect(row?.topicConfigErrorCode).toBe(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
    expect(row?.configs).toBeNull()
    expect(row?.numPartitions ?? -1).toBe(-1)
    expect(row?.topicId).toBe(broker.image.topic('a')!.topicId)
  })
})

describe('DeleteTopics', () => {
  test('either the right on the cluster or on the topic suffices', async () => {
    const broker = await adminBroker()
    await create(broker, ['a', 'b', 'c'])
    const request = (name: string) => ({ topics: [], topicNames: [name], timeoutMs: 1000 })
    expect((await remove(broker, 5, request('a'), denying('DELETE TOPIC')))[0]?.errorCode).toBe(ErrorCode.NONE)
    expect((await remove(broker, 5, request('b'), denying('DELETE CLUSTER')))[0]?.errorCode).toBe(ErrorCode.NONE)
    const [refused] = await remove(broker, 5, request('c'), denying('DELETE CLUSTER', 'DELETE TOPIC'))
    expect(refused?.errorCode).toBe(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
    expect(broker.image.topic('c')).toBeDefined()
  })

  test('an id reveals the name only to who may describe the topic', async () => {
    const broker = await adminBroker()
    const [created] = await create(broker, ['secret'])
    const request = { topics: [{ name: null, topicId: created!.topicId }], topicNames: [], timeoutMs: 1000 }
    const hidden = denying('DELETE CLUSTER', 'DELETE TOPIC', 'DESCRIBE TOPIC')
    expect((await remove(broker, 6, request, hidden))[0]).toMatchObject({ name: null, errorCode: 29 })
    const shown = denying('DELETE CLUSTER', 'DELETE TOPIC')
    expect((await remove(broker, 6, request, shown))[0]).toMatchObject({ name: 'secret', errorCode: 29 })
  })

  test.each([
    [6, ErrorCode.TOPIC_DELETION_DISABLED],
    [3, ErrorCode.TOPIC_DELETION_DISABLED],
    [1, ErrorCode.INVALID_REQUEST],
  ])('switched off, version %i is answered %i for every topic', async (version, errorCode) => {
    const broker = await adminBroker({ properties: { 'delete.topic.enable': 'false' } })
    await create(broker, ['a'])
    const topics = [
      { name: 'a', topicId: ZERO_UUID },
      { name: 'no-such', topicId: ZERO_UUID },
    ]
    const request = { topics, topicNames: ['a', 'no-such'], timeoutMs: 1000 }
    expect((await remove(broker, version, request)).map((row) => row.errorCode)).toEqual([errorCode, errorCode])
    expect(broker.image.topic('a')).toBeDefined()
  })
})

test('CreatePartitions needs the right to alter the topic', async () => {
  const broker = await adminBroker()
  await create(broker, ['a'])
  const request = { topics: [{ name: 'a', count: 5, assignments: null }], timeoutMs: 1000, validateOnly: false }
  const answer = (await broker.ask(createPartitions, 3, request, denying('ALTER TOPIC'))) as { results: TopicRow[] }
  expect(answer.results).toEqual([
    { name: 'a', errorCode: ErrorCode.TOPIC_AUTHORIZATION_FAILED, errorMessage: null } as never,
  ])
  expect(broker.image.topic('a')?.partitions).toHaveLength(1)
})

/** One resource of each kind with the right that it needs, and the error without it. */
const RESOURCES: readonly (readonly [type: number, name: string, right: string, error: number])[] = [
  [ResourceType.TOPIC, 'a', 'TOPIC', ErrorCode.TOPIC_AUTHORIZATION_FAILED],
  [ResourceType.GROUP, 'g', 'GROUP', ErrorCode.GROUP_AUTHORIZATION_FAILED],
  [ResourceType.BROKER, '1', 'CLUSTER', ErrorCode.CLUSTER_AUTHORIZATION_FAILED],
  [ResourceType.BROKER, '', 'CLUSTER', ErrorCode.CLUSTER_AUTHORIZATION_FAILED],
  [ResourceType.BROKER_LOGGER, '1', 'CLUSTER', ErrorCode.CLUSTER_AUTHORIZATION_FAILED],
  [ResourceType.CLIENT_METRICS, 'm', 'CLUSTER', ErrorCode.CLUSTER_AUTHORIZATION_FAILED],
]

describe.each(RESOURCES)('configs of resource type %i %p', (resourceType, resourceName, right, errorCode) => {
  test('are described to who may see them', async () => {
    const broker = await adminBroker()
    await create(broker, ['a'])
    const resources = [{ resourceType, resourceName, configurationKeys: null }]
    const request = { resources, includeSynonyms: true, includeDocumentation: false }
    const answer = await broker.ask(describeConfigs, 4, request, denying(`DESCRIBE_CONFIGS ${right}`))
    const [row] = (answer as { results: ResourceRow[] }).results
    expect(row).toMatchObject({ resourceName, errorCode, configs: [] })
  })

  test('are changed by who may alter them, in both ways', async () => {
    const broker = await adminBroker()
    await create(broker, ['a'])
    const before = broker.image.revision
    const denied = denying(`ALTER_CONFIGS ${right}`)
    const configs = [{ name: 'retention.ms', configOperation: 0, value: '1' }]
    const request = { resources: [{ resourceType, resourceName, configs }], validateOnly: false }
    for (const api of [incrementalAlterConfigs, alterConfigs]) {
      const answer = await broker.ask(api, api.maxVersion, request, denied)
      const [row] = (answer as { responses: ResourceRow[] }).responses
      expect(row).toMatchObject({ resourceName, errorCode })
    }
    expect(broker.image.revision).toBe(before)
  })
})

test('synonyms and documentation come only when asked for', async () => {
  const broker = await adminBroker()
  await create(broker, ['a'])
  const describeWith = async (includeSynonyms: boolean, includeDocumentation: boolean) => {
    const resources = [{ resourceType: ResourceType.TOPIC, resourceName: 'a', configurationKeys: ['segment.bytes'] }]
    const answer = await broker.ask(describeConfigs, 4, { resources, includeSynonyms, includeDocumentation })
    return (answer as { results: ResourceRow[] }).results[0]!.configs![0]!
  }
  expect(await describeWith(false, false)).toMatchObject({ synonyms: [], documentation: null })
  const full = await describeWith(true, true)
  expect(full.synonyms).toHaveLength(1)
  expect(full.documentation).toContain('segment')
})
