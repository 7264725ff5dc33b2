/** Administration: topics, offsets, settings, groups, rights. */
import assert from 'node:assert/strict'
import {
  committed,
  connect,
  eventually,
  failureOf,
  type Kafka,
  makeTopic,
  numbered,
  type Program,
  type Programs,
  produce,
  QUICK,
  Seen,
  type Setting,
} from './program.ts'

async function withAdmin<T>(kafka: Kafka, use: (admin: ReturnType<Kafka['admin']>) => Promise<T>): Promise<T> {
  const admin = kafka.admin()
  await admin.connect()
  try {
    return await use(admin)
  } finally {
    await admin.disconnect()
  }
}

const topics: Program = (setting) =>
  withAdmin(connect(setting), async (admin) => {
    const [one, two] = [setting.name('one'), setting.name('two')]
    const configEntries = [{ name: 'cleanup.policy', value: 'compact' }]
    const replicaAssignment = [
      { partition: 0, replicas: [1] },
      { partition: 1, replicas: [1] },
    ]
    const wanted = [
      { topic: one, numPartitions: 2, configEntries },
      { topic: two, replicaAssignment },
    ]
    assert.equal(await admin.createTopics({ topics: wanted, validateOnly: true, waitForLeaders: false }), true)
    assert.equal((await admin.listTopics()).includes(one), false)
    assert.equal(await admin.createTopics({ topics: wanted }), true)
    // They are there already.
    assert.equal(await admin.createTopics({ topics: wanted }), false)
    const listed = async () => {
      const all = await admin.listTopics()
      return [all.includes(one), all.includes(two)]
    }
    await eventually(listed, [true, true])
    const described = async () => {
      const { topics: found } = await admin.fetchTopicMetadata({ topics: [one] })
      return found.map(({ name, partitions }) => [name, partitions.length])
    }
    await eventually(described, [[one, 2]])
    const { topics: found } = await admin.fetchTopicMetadata({ topics: [one] })
    const [partition] = found[0]!.partitions.toSorted((a, b) => a.partitionId - b.partitionId)
    const { offlineReplicas: _, ...shown } = partition!
    assert.deepEqual(shown, { partitionErrorCode: 0, partitionId: 0, leader: 1, replicas: [1], isr: [1] })
    await admin.createPartitions({ topicPartitions: [{ topic: one, count: 3 }] })
    await eventually(described, [[one, 3]])
    await admin.deleteTopics({ topics: [one, two] })
    await eventually(listed, [false, false])
  })

const topicFailures: Program = (setting) =>
  withAdmin(connect(setting, { retry: { retries: 0 } }), async (admin) => {
    const topic = setting.name('failing')
    const wrong = [{ topic, numPartitions: 1 }, { topic: 'not a name' }]
    const error = await failureOf(() => admin.createTopics({ topics: wrong }))
    assert.equal(error.name, 'KafkaJSAggregateError')
    const [first] = error.errors as { name: string; type: string; code: number; topic: string }[]
    assert.deepEqual(
      [first!.name, first!.type, first!.code, first!.topic],
      ['KafkaJSCreateTopicError', 'INVALID_TOPIC_EXCEPTION', 17, 'not a name'],
    )
    const smaller = await failureOf(() => admin.createPartitions({ topicPartitions: [{ topic, count: 1 }] }))
    assert.deepEqual([smaller.name, smaller.type, smaller.code], ['KafkaJSProtocolError', 'INVALID_PARTITIONS', 37])
    const gone = await failureOf(() => admin.deleteTopics({ topics: [setting.name('never')] }))
    assert.equal(((gone.type === undefined ? gone.cause : gone) as { type: string }).type, 'UNKNOWN_TOPIC_OR_PARTITION')
    const bad = async (call: () => unknown): Promise<void> => {
      const { name, message } = await failureOf(call)
      assert.equal(name, 'KafkaJSNonRetriableError', message)
    }
    await bad(() => admin.createTopics({ topics: 'x' as never }))
    await bad(() => admin.createTopics({ topics: [{ topic: 1 as never }] }))
    await bad(() => admin.createTopics({ topics: [{ topic }, { topic }] }))
    await bad(() => admin.createTopics({ topics: [{ topic, configEntries: [{ name: 'x' } as never] }] }))
    await bad(() => admin.createPartitions({ topicPartitions: [] }))
    await bad(() => admin.deleteTopics({ topics: [1 as never] }))
    await bad(() => admin.fetchTopicMetadata({ topics: [''] }))
    await bad(() => admin.fetchTopicOffsets(''))
    await bad(() => admin.fetchOffsets({ groupId: '' }))
    await bad(() => admin.setOffsets({ groupId: 'g', topic: 't', partitions: [] }))
    await bad(() => admin.resetOffsets({ groupId: 'g', topic: '', earliest: true }))
    await bad(() => admin.describeConfigs({ resources: [], includeSynonyms: false }))
    await bad(() =>
      admin.alterConfigs({ validateOnly: false, resources: [{ type: 99 as never, name: 'x', configEntries: [] }] }),
    )
    await bad(() => admin.deleteGroups('x' as never))
    await bad(() => admin.createAcls({ acl: [] }))
    await bad(() => admin.deleteTopicRecords({ topic: '', partitions: [] }))
    await bad(() => admin.alterPartitionReassignments({ topics: [{ topic, partitionAssignment: 'x' as never }] }))
    await bad(() => admin.listPartitionReassignments({ topics: [{ topic, partitions: [-1] }] }))
    await bad(() => admin.on('admin.nothing' as never, () => undefined))
  })

const offsets: Program = async (setting) => {
  const kafka = connect(setting)
  const topic = setting.name('offsets')
  await makeTopic(kafka, topic)
  const producer = kafka.producer()
  await producer.connect()
  const times = ['1700000000000', '1700000001000', '1700000002000']
  for (const timestamp of times) await producer.send({ topic, messages: [{ value: 'x', timestamp }] })
  await producer.disconnect()
  await withAdmin(kafka, async (admin) => {
    const at = (low: string) => [{ partition: 0, offset: '3', high: '3', low }]
    assert.deepEqual(await admin.fetchTopicOffsets(topic), at('0'))
    const found = async (timestamp: number) => (await admin.fetchTopicOffsetsByTimestamp(topic, timestamp))[0]!
    assert.deepEqual(await found(1_700_000_000_500), { partition: 0, offset: '1' })
    assert.deepEqual(await found(1_800_000_000_000), { partition: 0, offset: '3' })
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '2' }] })
    assert.deepEqual(await admin.fetchTopicOffsets(topic), at('2'))
    const error = await failureOf(() =>
      admin.deleteTopicRecords({ topic, partitions: [{ partition: 7, offset: '2' }] }),
    )
    assert.equal(error.name, 'KafkaJSDeleteTopicRecordsError')
    const [row] = error.partitions as { partition: number; offset: string; error: Error }[]
    assert.deepEqual([row!.partition, row!.offset, row!.error.name], [7, '2', 'KafkaJSBrokerNotFound'])
  })
}

const groups: Program = async (setting) => {
  const kafka = connect(setting)
  const [topic, groupId] = [setting.name('grouped'), setting.name('group')]
  await makeTopic(kafka, topic, 2)
  await produce(kafka, topic, numbered('m', 5))
  await withAdmin(kafka, async (admin) => {
    await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: '3' }] })
    assert.deepEqual(await committed(kafka, groupId, topic), ['3', '-1'])
    const named = await admin.fetchOffsets({ groupId })
    assert.deepEqual(
      named.map((row) => row.topic),
      [topic],
    )

    const consumer = kafka.consumer({ groupId, ...QUICK })
    await consumer.subscribe({ topic, fromBeginning: true })
    const seen = new Seen<string>()
    await consumer.run({ eachMessage: async ({ message }) => seen.add(String(message.value)) })
    await seen.count(2)
    assert.deepEqual(seen.items, ['m3', 'm4'])
    const running = await failureOf(() =>
      admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: '0' }] }),
    )
    assert.match(running.message, /must have no running instances, current state: Stable/)
    const listed = (await admin.listGroups()).groups.find((group) => group.groupId === groupId)
    assert.deepEqual(listed, { groupId, protocolType: 'consumer' })
    const used = await failureOf(() => admin.deleteGroups([groupId]))
    assert.equal(used.name, 'KafkaJSDeleteGroupsError')
    const [failed] = used.groups as { groupId: string; errorCode: number; error: { type: string } }[]
    assert.deepEqual([failed!.groupId, failed!.errorCode, failed!.error.type], [groupId, 68, 'NON_EMPTY_GROUP'])
    await consumer.disconnect()

    await admin.resetOffsets({ groupId, topic, earliest: true })
    const [reset] = await admin.fetchOffsets({ groupId, topics: [topic], resolveOffsets: true })
    assert.deepEqual(reset!.partitions.map(({ offset }) => offset).toSorted(), ['0', '0'])
    await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: '4' }] })
    const { groups: described } = await admin.describeGroups([groupId, setting.name('nobody')])
    assert.deepEqual(described.map(({ state }) => state).toSorted(), ['Dead', 'Empty'])
    const [deleted] = await admin.deleteGroups([groupId])
    assert.deepEqual([deleted!.groupId, deleted!.errorCode], [groupId, 0])
    assert.deepEqual(await committed(kafka, groupId, topic), ['-1', '-1'])
  })
}

const configs: Program = (setting) =>
  withAdmin(connect(setting), async (admin) => {
    const { ConfigResourceTypes, ConfigSource } = setting.kafkajs
    const topic = setting.name('configured')
    const configEntries = [{ name: 'retention.ms', value: '1000' }]
    await admin.createTopics({ topics: [{ topic, configEntries }] })
    const resource = { type: ConfigResourceTypes.TOPIC, name: topic }
    const entriesOf = async (configNames: string[]) => {
      const { resources } = await admin.describeConfigs({
        resources: [{ ...resource, configNames }],
        includeSynonyms: false,
      })
      assert.deepEqual([resources[0]!.errorCode, resources[0]!.resourceName, resources[0]!.resourceType], [0, topic, 2])
      const rows = resources[0]!.configEntries.toSorted((a, b) => (a.configName < b.configName ? -1 : 1))
      return rows.map(({ configName, configValue, isDefault, configSource }) => {
        return { configName, configValue, isDefault, configSource }
      })
    }
    const row = (configName: string, configValue: string, isDefault: boolean) => {
      const configSource = isDefault ? ConfigSource.DEFAULT_CONFIG : ConfigSource.TOPIC_CONFIG
      return { configName, configValue, isDefault, configSource }
    }
    await eventually(() => entriesOf(['retention.ms']), [row('retention.ms', '1000', false)])
    // What is not named goes back to its default.
    const change = { ...resource, configEntries: [{ name: 'cleanup.policy', value: 'compact' }] }
    const { resources } = await admin.alterConfigs({ validateOnly: false, resources: [change] })
    assert.deepEqual([resources[0]!.errorCode, resources[0]!.resourceName], [0, topic])
    await eventually(
      () => entriesOf(['cleanup.policy', 'retention.ms']),
      [row('cleanup.policy', 'compact', false), row('retention.ms', '604800000', true)],
    )
    const { brokers } = await admin.describeCluster()
    const name = String(brokers[0]!.nodeId)
    const broker = await admin.describeConfigs({
      resources: [{ type: ConfigResourceTypes.BROKER, name, configNames: ['broker.id', 'node.id'] }],
      includeSynonyms: true,
    })
    assert.ok(broker.resources[0]!.configEntries.every(({ configValue }) => configValue === name))
  })

const cluster: Program = (setting) =>
  withAdmin(connect(setting), async (admin) => {
    const { brokers, controller, clusterId } = await admin.describeCluster()
    const [host, port] = setting.brokers[0]!.split(':')
    assert.deepEqual(brokers, [{ nodeId: 1, host, port: Number(port) }])
    assert.deepEqual([controller, typeof clusterId], [1, 'string'])
    const topic = setting.name('moved')
    await admin.createTopics({ topics: [{ topic }] })
    const partitionAssignment = [{ partition: 0, replicas: [1] }]
    await admin.alterPartitionReassignments({ topics: [{ topic, partitionAssignment }] })
    assert.deepEqual(await admin.listPartitionReassignments({}), { topics: [] })
    const missing = { topic, partitionAssignment: [{ partition: 9, replicas: [1] }] }
    const error = await failureOf(() => admin.alterPartitionReassignments({ topics: [missing] }))
    assert.equal(error.name, 'KafkaJSAggregateError')
    const [first] = error.errors as { name: string; topic: string; partition: number }[]
    assert.deepEqual(
      [first!.name, first!.topic, first!.partition],
      ['KafkaJSAlterPartitionReassignmentsError', topic, 9],
    )
  })

const rights: Program = (setting: Setting) =>
  withAdmin(connect(setting), async (admin) => {
    const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = setting.kafkajs
    const resource = {
      resourceType: AclResourceTypes.TOPIC,
      resourceName: setting.name('guarded'),
      resourcePatternType: ResourcePatternTypes.PREFIXED,
    }
    const acl = {
      principal: 'User:alice',
      host: '*',
      operation: AclOperationTypes.DESCRIBE_CONFIGS,
      permissionType: AclPermissionTypes.ALLOW,
    }
    if (!setting.hasAuthorizer) {
      const { type, code } = await failureOf(() => admin.createAcls({ acl: [{ ...resource, ...acl }] }))
      assert.deepEqual([type, code], ['SECURITY_DISABLED', 54])
      return
    }
    assert.equal(await admin.createAcls({ acl: [{ ...resource, ...acl }] }), true)
    const filter = {
      resourceType: AclResourceTypes.TOPIC,
      resourceName: resource.resourceName,
      resourcePatternType: ResourcePatternTypes.ANY,
      operation: AclOperationTypes.ANY,
      permissionType: AclPermissionTypes.ANY,
    }
    const described = async () => (await admin.describeAcls(filter)).resources
    await eventually(described, [{ ...resource, acls: [acl] }])
    const { filterResponses } = await admin.deleteAcls({ filters: [filter] })
    assert.equal(filterResponses[0]!.errorCode, 0)
    const [gone] = filterResponses[0]!.matchingAcls.map(({ errorCode, errorMessage: _, ...rest }) => ({
      errorCode,
      ...rest,
    }))
    assert.deepEqual(gone, { errorCode: 0, ...resource, ...acl })
    await eventually(described, [])
  })

const events: Program = async (setting) => {
  const admin = connect(setting).admin()
  const told: string[] = []
  const requests = new Seen<{ apiName: string; broker: string }>()
  admin.on(admin.events.CONNECT, ({ type }) => void told.push(type))
  admin.on(admin.events.DISCONNECT, ({ type }) => void told.push(type))
  admin.on(admin.events.REQUEST, ({ payload }) => requests.add(payload))
  await admin.connect()
  await admin.listTopics()
  await requests.until('metadata', () => requests.items.some(({ apiName }) => apiName === 'Metadata'))
  await admin.disconnect()
  assert.deepEqual(told, ['admin.connect', 'admin.disconnect'])
  assert.ok(requests.items.every(({ broker }) => broker === setting.brokers[0]))
}

export const administering: Programs = {
  'topics are made, described, grown and deleted': topics,
  'what an admin refuses, and what brokers refuse': topicFailures,
  'where partitions begin and end': offsets,
  'groups and what they have committed': groups,
  'settings of topics and brokers': configs,
  'the cluster, and where replicas are': cluster,
  'access control lists': rights,
  'an admin tells what it does': events,
}
