/** Groups of consumers: who reads what, what they tell, how they come to an end. */
import assert from 'node:assert/strict'
import {
  Awaited,
  committed,
  connect,
  makeTopic,
  numbered,
  type Program,
  type Programs,
  produce,
  QUICK,
  Seen,
} from './program.ts'

interface Joined {
  readonly groupId: string
  readonly memberId: string
  readonly isLeader: boolean
  readonly leaderId: string
  readonly groupProtocol: string
  readonly duration: number
  readonly memberAssignment: { readonly [topic: string]: readonly number[] }
}

const rebalancing: Program = async (setting) => {
  const kafka = connect(setting)
  const [topic, groupId] = [setting.name('shared'), setting.name('group')]
  await makeTopic(kafka, topic, 4)
  const consumed = new Seen<string>()
  const changed = new Awaited()
  const open = async () => {
    const consumer = kafka.consumer({ groupId, ...QUICK })
    const joins: Joined[] = []
    const rebalances: object[] = []
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      joins.push(payload)
      changed.changed()
    })
    consumer.on(consumer.events.REBALANCING, ({ payload }) => void rebalances.push(payload))
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({
      eachMessage: async ({ partition, message }) => consumed.add(`${partition}:${message.value}`),
    })
    const partitions = (): readonly number[] => joins.at(-1)?.memberAssignment[topic]?.toSorted() ?? []
    return { consumer, joins, rebalances, partitions }
  }
  const first = await open()
  assert.deepEqual(first.partitions(), [0, 1, 2, 3])
  const [join] = first.joins
  assert.deepEqual([join!.groupId, join!.isLeader, join!.groupProtocol], [groupId, true, 'RoundRobinAssigner'])
  assert.ok(join!.memberId !== '' && join!.leaderId === join!.memberId && join!.duration >= 0)

  const second = await open()
  const isShared = (): boolean => first.partitions().length === 2 && second.partitions().length === 2
  await changed.until('both have two partitions', isShared)
  assert.deepEqual([...first.partitions(), ...second.partitions()].toSorted(), [0, 1, 2, 3])
  assert.deepEqual(first.rebalances, [{ groupId, memberId: join!.memberId }])
  assert.equal([first, second].filter(({ joins }) => joins.at(-1)!.isLeader).length, 1)
  for (const partition of [0, 1, 2, 3]) await produce(kafka, topic, ['x'], partition)
  await consumed.count(4)

  const { groupId: described, members, protocol, protocolType, state } = await first.consumer.describeGroup()
  assert.deepEqual([described, protocol, protocolType, state], [groupId, 'RoundRobinAssigner', 'consumer', 'Stable'])
  const { MemberAssignment, MemberMetadata } = setting.kafkajs.AssignerProtocol
  const assignments = members.map(
    ({ memberAssignment }) => MemberAssignment.decode(memberAssignment)!.assignment[topic],
  )
  assert.deepEqual(assignments.flat().toSorted(), [0, 1, 2, 3])
  assert.deepEqual(MemberMetadata.decode(members[0]!.memberMetadata)!.topics, [topic])
  assert.ok(members.every(({ clientId, clientHost }) => clientId === 'program' && clientHost !== ''))

  await second.consumer.disconnect()
  await changed.until('the first has all again', () => first.partitions().length === 4)
  await produce(kafka, topic, ['y'], 3)
  await consumed.count(5)
  await first.consumer.disconnect()
  assert.deepEqual(consumed.items.toSorted(), ['0:x', '1:x', '2:x', '3:x', '3:y'])
  assert.deepEqual(await committed(kafka, groupId, topic), ['1', '1', '1', '2'])
}

const handlerLearns: Program = async (setting) => {
  const kafka = connect(setting)
  const [topic, groupId] = [setting.name('long'), setting.name('group')]
  await makeTopic(kafka, topic)
  await produce(kafka, topic, numbered('m', 3))
  const first = kafka.consumer({ groupId, ...QUICK })
  await first.subscribe({ topic, fromBeginning: true })
  const seen = new Seen<string>()
  const refused = new Seen<{ name: string; type: string }>()
  let isJoined = false
  await first.run({
    eachBatchAutoResolve: false,
    eachBatch: async ({ batch, heartbeat, resolveOffset }) => {
      for (const { offset } of batch.messages) {
        seen.add(offset)
        resolveOffset(offset)
        if (refused.items.length > 0) continue
        // Long work, which asks now and then whether it should go on.
        while (refused.items.length === 0) {
          try {
            await heartbeat()
            await new Promise((resolve) => setTimeout(resolve, 5))
          } catch (error) {
            refused.add(error as { name: string; type: string })
            throw error
          }
        }
      }
    },
  })
  await seen.count(1)
  const second = kafka.consumer({ groupId, ...QUICK })
  const joined = new Seen<null>()
  second.on(second.events.GROUP_JOIN, () => {
    isJoined = true
    joined.add(null)
  })
  await second.subscribe({ topic, fromBeginning: true })
  await second.run({ eachMessage: async ({ message }) => seen.add(message.offset) })
  await joined.count(1)
  await seen.count(3)
  await Promise.all([first.disconnect(), second.disconnect()])
  const [{ name, type }] = refused.items as [{ name: string; type: string }]
  assert.deepEqual([isJoined, name, type], [true, 'KafkaJSProtocolError', 'REBALANCE_IN_PROGRESS'])
  // What was resolved before is not repeated, whoever has the partition now.
  assert.deepEqual(seen.items, ['0', '1', '2'])
}

const gracefully: Program = async (setting) => {
  const kafka = connect(setting)
  const [topic, groupId] = [setting.name('graceful'), setting.name('group')]
  await makeTopic(kafka, topic)
  await produce(kafka, topic, numbered('m', 3))
  const consumer = kafka.consumer({ groupId, ...QUICK })
  const told: string[] = []
  const { CONNECT, STOP, DISCONNECT, GROUP_JOIN } = consumer.events
  for (const name of [CONNECT, STOP, DISCONNECT, GROUP_JOIN]) consumer.on(name, ({ type }) => void told.push(type))
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const begun = new Seen<string>()
  const { promise: mayGoOn, resolve: goOn } = Promise.withResolvers<void>()
  let finished = 0
  await consumer.run({
    eachMessage: async ({ message }) => {
      begun.add(message.offset)
      await mayGoOn
      finished += 1
    },
  })
  await begun.count(1)
  let isOver = false
  const leaving = consumer.disconnect().then(() => {
    isOver = true
  })
  await new Promise((resolve) => setTimeout(resolve, 20))
  // The handler is waited for; the messages after it are left alone.
  assert.deepEqual([isOver, finished], [false, 0])
  goOn()
  await leaving
  assert.deepEqual([finished, begun.items], [1, ['0']])
  assert.deepEqual(told, [CONNECT, CONNECT, GROUP_JOIN, STOP, DISCONNECT])
  assert.deepEqual(await committed(kafka, groupId, topic), ['1'])
}

const stopAndRunAgain: Program = async (setting) => {
  const kafka = connect(setting)
  const [topic, groupId] = [setting.name('again'), setting.name('group')]
  await makeTopic(kafka, topic)
  await produce(kafka, topic, ['one'])
  const consumer = kafka.consumer({ groupId, ...QUICK })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const seen = new Seen<string>()
  const eachMessage = async ({ message }: { message: { value: Buffer | null } }) => seen.add(String(message.value))
  await consumer.run({ eachMessage })
  await seen.count(1)
  await consumer.stop()
  await produce(kafka, topic, ['two'])
  await consumer.run({ eachMessage })
  await seen.count(2)
  await consumer.disconnect()
  assert.deepEqual(seen.items, ['one', 'two'])
}

const whatIsTold: Program = async (setting) => {
  const kafka = connect(setting)
  const [topic, groupId] = [setting.name('told'), setting.name('group')]
  await makeTopic(kafka, topic)
  await produce(kafka, topic, ['a', 'b'])
  const consumer = kafka.consumer({ groupId, ...QUICK })
  const { events } = consumer
  const told = new Map<string, { type: string; timestamp: number; payload: Record<string, unknown> }[]>()
  const changed = new Awaited()
  for (const name of Object.values(events)) {
    consumer.on(name, (event) => {
      told.set(name, [...(told.get(name) ?? []), event as never])
      changed.changed()
    })
  }
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({ eachMessage: async () => undefined })
  const needed = [events.HEARTBEAT, events.COMMIT_OFFSETS, events.FETCH, events.FETCH_START, events.END_BATCH_PROCESS]
  await changed.until('all events', () => needed.every((name) => told.has(name)))
  await consumer.disconnect()
  const first = (name: string) => told.get(name)![0]!.payload
  const { memberId } = first(events.GROUP_JOIN)
  const { groupGenerationId, ...member } = first(events.HEARTBEAT)
  assert.deepEqual(member, { groupId, memberId })
  assert.ok(typeof groupGenerationId === 'number' && groupGenerationId > 0)
  const { topics, ...committer } = first(events.COMMIT_OFFSETS)
  assert.deepEqual(committer, { groupId, memberId, groupGenerationId })
  const [row] = topics as { topic: string; partitions: { partition: number; offset: string }[] }[]
  assert.deepEqual([row!.topic, Number(row!.partitions[0]!.partition), row!.partitions[0]!.offset], [topic, 0, '2'])
  const batch = {
    topic,
    partition: 0,
    highWatermark: '2',
    offsetLag: '0',
    offsetLagLow: '1',
    batchSize: 2,
    firstOffset: '0',
    lastOffset: '1',
  }
  assert.deepEqual(first(events.START_BATCH_PROCESS), batch)
  const { duration, ...ended } = first(events.END_BATCH_PROCESS)
  assert.deepEqual([ended, typeof duration], [batch, 'number'])
  const { nodeId, numberOfBatches, duration: fetchMs } = first(events.FETCH)
  // kafkajs gives the node as text here, whatever its types say.
  assert.deepEqual([Number(nodeId), numberOfBatches, typeof fetchMs], [1, 0, 'number'])
  assert.deepEqual(first(events.FETCH_START), { nodeId })
  const asked = told.get(events.REQUEST)!.map(({ payload }) => payload)
  const fetch = asked.find(({ apiName }) => apiName === 'Fetch')!
  assert.deepEqual([fetch.apiKey, fetch.clientId, fetch.broker], [1, 'program', setting.brokers[0]])
  for (const field of ['apiVersion', 'correlationId', 'createdAt', 'duration', 'pendingDuration', 'sentAt', 'size']) {
    assert.equal(typeof fetch[field], 'number', field)
  }
  for (const [name, all] of told) assert.ok(all.every(({ type, timestamp }) => type === name && timestamp > 0))
}

const logging: Program = async (setting) => {
  const { logLevel } = setting.kafkajs
  const entries: { namespace: string; level: number; label: string; message: string }[] = []
  const kafka = connect(setting, {
    logLevel: logLevel.INFO,
    logCreator: () => (entry) => {
      entries.push({ namespace: entry.namespace, level: entry.level, label: entry.label, message: entry.log.message })
    },
  })
  const logger = kafka.logger().namespace('Mine')
  logger.info('seen', { extra: 1 })
  logger.debug('not seen')
  logger.error('seen, too')
  kafka.logger().setLogLevel(logLevel.NOTHING)
  logger.error('switched off')
  assert.deepEqual(entries, [
    { namespace: 'Mine', level: 4, label: 'INFO', message: 'seen' },
    { namespace: 'Mine', level: 1, label: 'ERROR', message: 'seen, too' },
  ])
}

export const grouping: Programs = {
  'two consumers share a topic, and one takes over': rebalancing,
  'a handler learns of a rebalance from its heartbeat': handlerLearns,
  'disconnect waits for the handler and commits what it did': gracefully,
  'stop, and run again': stopAndRunAgain,
  'every event has its payload': whatIsTold,
  'log lines go where the program says': logging,
}
