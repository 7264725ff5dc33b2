// Drives kafkajs and @platformatic/kafka through most of what they can ask, to be recorded on the way. They send older
// versions than the Java clients. A step that fails is reported and does not matter.

import { connect } from 'node:net'
import {
  Consumer,
  Admin as PlatformaticAdmin,
  Producer,
  stringDeserializers,
  stringSerializers,
} from '@platformatic/kafka'
import { AssignerProtocol, CompressionTypes, type ISocketFactoryArgs, Kafka, logLevel } from 'kafkajs'

async function step(name: string, run: () => Promise<unknown>): Promise<void> {
  try {
    await run()
    console.error(`done: ${name}`)
  } catch (error) {
    console.error(`answered with an error: ${name}: ${String(error)}`)
  }
}

const bootstrap = process.argv[2] ?? '127.0.0.1:9092'

const socketFactory = ({ host, port, onConnect }: ISocketFactoryArgs) => connect({ host, port }, onConnect)

async function kafkajsAdmin(kafka: Kafka): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  await step('create topics', () =>
    admin.createTopics({
      topics: [{ topic: 'js-events', numPartitions: 2, configEntries: [{ name: 'retention.ms', value: '60000' }] }],
    }),
  )
  await step('create partitions', () => admin.createPartitions({ topicPartitions: [{ topic: 'js-events', count: 3 }] }))
  await step('metadata', () => admin.fetchTopicMetadata({ topics: ['js-events'] }))
  await step('describe configs', () =>
    admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: 2, name: 'js-events', configNames: ['retention.ms', 'cleanup.policy'] }],
    }),
  )
  await step('alter configs', () =>
    admin.alterConfigs({
      validateOnly: true,
      resources: [{ type: 2, name: 'js-events', configEntries: [{ name: 'retention.ms', value: '5' }] }],
    }),
  )
  await step('offsets', () => admin.fetchTopicOffsetsByTimestamp('js-events', 5))
  await step('set offsets', () =>
    admin.setOffsets({ groupId: 'js-new', topic: 'js-events', partitions: [{ partition: 0, offset: '0' }] }),
  )
  await step('fetch offsets', () => admin.fetchOffsets({ groupId: 'js-new', topics: ['js-events'] }))
  await step('list groups', () => admin.listGroups())
  await step('describe groups', () => admin.describeGroups(['js-new', 'missing']))
  await step('delete groups', () => admin.deleteGroups(['js-new']))
  await step('reassign', () =>
    admin.alterPartitionReassignments({
      topics: [{ topic: 'js-events', partitionAssignment: [{ partition: 0, replicas: [1] }] }],
    }),
  )
  await step('reassignments', () => admin.listPartitionReassignments({}))
  await step('acls', () =>
    admin.describeAcls({
      resourceType: 2,
      resourceName: 'a',
      resourcePatternType: 3,
      principal: 'User:a',
      host: '*',
      operation: 3,
      permissionType: 3,
    }),
  )
  await step('create acls', () =>
    admin.createAcls({
      acl: [
        {
          resourceType: 2,
          resourceName: 'a',
          resourcePatternType: 3,
          principal: 'User:a',
          host: '*',
          operation: 3,
          permissionType: 3,
        },
      ],
    }),
  )
  await step('delete acls', () =>
    admin.deleteAcls({
      filters: [
        {
          resourceType: 2,
          resourceName: 'a',
          resourcePatternType: 3,
          principal: 'User:a',
          host: '*',
          operation: 3,
          permissionType: 3,
        },
      ],
    }),
  )
  await admin.disconnect()
}

async function kafkajsMessages(kafka: Kafka): Promise<void> {
  const producer = kafka.producer({ transactionalId: 'js-txn', idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  await step('send', () =>
    producer.send({
      topic: 'js-events',
      compression: CompressionTypes.GZIP,
      messages: [{ key: 'k', value: 'v', headers: { h: 'x' } }, { value: null }],
    }),
  )
  const consumer = kafka.consumer({
    groupId: 'js-group',
    sessionTimeout: 6000,
    heartbeatInterval: 200,
    maxWaitTimeInMs: 200,
  })
  await consumer.connect()
  await consumer.subscribe({ topics: ['js-events'], fromBeginning: true })
  const seen = Promise.withResolvers<void>()
  await consumer.run({ eachMessage: async () => seen.resolve() })
  await seen.promise
  await Bun.sleep(1000)
  await step('describe the active group', async () => {
    const admin = kafka.admin()
    await admin.connect()
    const { groups } = await admin.describeGroups(['js-group'])
    for (const member of groups[0]?.members ?? []) AssignerProtocol.MemberAssignment.decode(member.memberAssignment)
    await admin.disconnect()
  })
  await step('commit', () => consumer.commitOffsets([{ topic: 'js-events', partition: 0, offset: '1', metadata: 'm' }]))
  for (const end of ['commit', 'abort'] as const) {
    await step(`transaction, ${end}`, async () => {
      const transaction = await producer.transaction()
      await transaction.send({ topic: 'js-events', messages: [{ key: 'k', value: end }] })
      await transaction.sendOffsets({
        consumerGroupId: 'js-group',
        topics: [{ topic: 'js-events', partitions: [{ partition: 0, offset: '1' }] }],
      })
      await transaction[end]()
    })
  }
  await Bun.sleep(1000)
  await consumer.disconnect()
  await producer.disconnect()
  await step('delete records and topic', async () => {
    const admin = kafka.admin()
    await admin.connect()
    await admin.fetchTopicMetadata({ topics: ['js-events'] })
    await admin.deleteTopicRecords({ topic: 'js-events', partitions: [{ partition: 0, offset: '-1' }] })
    await admin.deleteTopics({ topics: ['js-events'] })
    await admin.disconnect()
  })
}

async function platformatic(): Promise<void> {
  const options = { clientId: 'platformatic', bootstrapBrokers: [bootstrap] }
  const admin = new PlatformaticAdmin(options)
  await step('platformatic: create topics', () =>
    admin.createTopics({ topics: ['pf-events'], partitions: 2, replicas: 1 }),
  )
  const producer = new Producer({ ...options, serializers: stringSerializers, idempotent: true })
  await step('platformatic: send', () =>
    producer.send({ messages: [{ topic: 'pf-events', key: 'k', value: 'v', headers: { h: 'x' }, partition: 0 }] }),
  )
  const consumer = new Consumer({
    ...options,
    groupId: 'pf-group',
    deserializers: stringDeserializers,
    maxWaitTime: 200,
  })
  await step('platformatic: consume', async () => {
    const stream = await consumer.consume({ topics: ['pf-events'], mode: 'earliest', autocommit: false })
    for await (const message of stream) {
      await message.commit()
      break
    }
    await consumer.listOffsets({ topics: ['pf-events'] })
    await consumer.listCommittedOffsets({ topics: [{ topic: 'pf-events', partitions: [0, 1] }] })
  })
  await step('platformatic: groups', () => admin.describeGroups({ groups: ['pf-group'] }))
  await step('platformatic: list groups', () => admin.listGroups())
  await step('platformatic: close consumer', () => consumer.close(true))
  await step('platformatic: delete', () => admin.deleteGroups({ groups: ['pf-group'] }))
  await step('platformatic: delete topics', () => admin.deleteTopics({ topics: ['pf-events'] }))
  await step('platformatic: close', () => Promise.all([producer.close(), admin.close()]))
}

const kafka = new Kafka({ clientId: 'golden-js', brokers: [bootstrap], logLevel: logLevel.NOTHING, socketFactory })
await step('kafkajs: administration', () => kafkajsAdmin(kafka))
await step('kafkajs: messages', () => kafkajsMessages(kafka))
await platformatic()
process.exit(0)
