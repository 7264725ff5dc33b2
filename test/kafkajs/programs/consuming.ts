/** Consuming: batches, what is resolved and committed, pause, seek, subscription. */
import assert from 'node:assert/strict'
import {
  committed,
  connect,
  failureOf,
  type Kafka,
  makeTopic,
  numbered,
  type Program,
  type Programs,
  produce,
  QUICK,
  Seen,
} from './program.ts'

/** Reads everything there is to a group, message by message, and disconnects. */
async function read(kafka: Kafka, groupId: string, topic: string, count: number): Promise<string[]> {
  const consumer = kafka.consumer({ groupId, ...QUICK })
  await consumer.subscribe({ topic, fromBeginning: true })
  const seen = new Seen<string>()
  await consumer.run({ eachMessage: async ({ message }) => seen.add(`${message.offset}:${message.value}`) })
  await seen.count(count)
  await consumer.disconnect()
  return seen.items
}

const batches: Program = async (setting) => {
  const kafka = connect(setting)
  const [topic, groupId] = [setting.name('batches'), setting.name('group')]
  await makeTopic(kafka, topic)
  await produce(kafka, topic, numbered('m', 5))
  const consumer = kafka.consumer({ groupId, ...QUICK })
  await consumer.subscribe({ topic, fromBeginning: true })
  const seen = new Seen<object>()
  await consumer.run({
    eachBatch: async ({ batch, uncommittedOffsets, isRunning, isStale, heartbeat }) => {
      await heartbeat()
      const { highWatermark, partition, messages } = batch
      seen.add({
        from: [batch.topic, partition, highWatermark],
        offsets: messages.map(({ offset }) => offset),
        shape: [batch.isEmpty(), batch.firstOffset(), batch.lastOffset(), batch.offsetLag(), batch.offsetLagLow()],
        state: [isRunning(), isStale(), uncommittedOffsets()],
      })
    },
  })
  await seen.count(1)
  await consumer.disconnect()
  assert.deepEqual(seen.items, [
    {
      from: [topic, 0, '5'],
      offsets: ['0', '1', '2', '3', '4'],
      shape: [false, '0', '4', '0', '4'],
      state: [true, false, { topics: [] }],
    },
  ])
  assert.deepEqual(await committed(kafka, groupId, topic), ['5'])
}

const manualResolve: Program = async (setting) => {
  const kafka = connect(setting)
  const [topic, groupId] = [setting.name('resolve'), setting.name('group')]
  await makeTopic(kafka, topic)
  await produce(kafka, topic, numbered('m', 10))
  const consumer = kafka.consumer({ groupId, ...QUICK })
  await consumer.subscribe({ topic, fromBeginning: true })
  const seen = new Seen<string>()
  const uncommitted: string[] = []
  await consumer.run({
    eachBatchAutoResolve: false,
    eachBatch: async ({ batch, resolveOffset, uncommittedOffsets }) => {
      // Three of each batch: what is not resolved is read again.
      for (const { offset } of batch.messages.slice(0, 3)) {
        seen.add(offset)
        resolveOffset(offset)
      }
      // kafkajs gives the partition as text here, whatever its types say.
      for (const { partitions } of uncommittedOffsets().topics) {
        uncommitted.push(partitions.map(({ partition, offset }) => `${partition}:${offset}`).join())
      }
    },
  })
  await seen.count(10)
  await consumer.disconnect()
  assert.deepEqual(seen.items, numbered('', 10))
  assert.deepEqual(uncommitted.slice(0, 2), ['0:3', '0:6'])
  assert.deepEqual(await committed(kafka, groupId, topic), ['10'])
}

const nothingResolved: Program = async (setting) => {
  const kafka = connect(setting)
  const [topic, groupId] = [setting.name('unresolved'), setting.name('group')]
  await makeTopic(kafka, topic)
  await produce(kafka, topic, ['a', 'b'])
  const consumer = kafka.consumer({ groupId, ...QUICK })
  await consumer.subscribe({ topic, fromBeginning: true })
  const seen = new Seen<string>()
  await consumer.run({
    eachBatchAutoResolve: false,
    eachBatch: async ({ batch }) => seen.add(batch.messages.map(({ value }) => String(value)).join('')),
  })
  await seen.count(3)
  await consumer.disconnect()
  assert.deepEqual(seen.items.slice(0, 3), ['ab', 'ab', 'ab'])
  assert.deepEqual(await committed(kafka, groupId, topic), ['-1'])
}

const manualCommit: Program = async (setting) => {
  const kafka = connect(setting)
  const [topic, groupId] = [setting.name('manual'), setting.name('group')]
  await makeTopic(kafka, topic, 2)
  await produce(kafka, topic, numbered('m', 4))
  const consumer = kafka.consumer({ groupId, ...QUICK })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  const seen = new Seen<string>()
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ partition, message }) => {
      if (message.offset === '1') {
        await consumer.commitOffsets([{ topic, partition, offset: '2', metadata: 'so far' }])
      }
      seen.add(message.offset)
    },
  })
  await seen.count(4)
  await consumer.disconnect()
  const admin = kafka.admin()
  await admin.connect()
  const [row] = await admin.fetchOffsets({ groupId, topics: [topic] })
  await admin.disconnect()
  assert.deepEqual(row, {
    topic,
    partitions: [
      { partition: 0, offset: '2', metadata: 'so far' },
      { partition: 1, offset: '-1', metadata: null },
    ],
  })
  assert.deepEqual(await read(kafka, groupId, topic, 2), ['2:m2', '3:m3'])
}

const threshold: Program = async (setting) => {
  const kafka = connect(setting)
  const [topic, groupId] = [setting.name('threshold'), setting.name('group')]
  await makeTopic(kafka, topic)
  await produce(kafka, topic, numbered('m', 7))
  const consumer = kafka.consumer({ groupId, ...QUICK })
  await consumer.subscribe({ topic, fromBeginning: true })
  const commits = new Seen<string>()
  consumer.on(consumer.events.COMMIT_OFFSETS, ({ payload }) => {
    commits.add(payload.topics.map((row) => row.partitions.map(({ offset }) => offset).join()).join())
  })
  await consumer.run({ autoCommitThreshold: 3, eachMessage: async () => undefined })
  await commits.count(3)
  await consumer.disconnect()
  assert.deepEqual(commits.items, ['3', '6', '7'])
}

const pausing: Program = async (setting) => {
  const kafka = connect(setting)
  const topic = setting.name('pause')
  await makeTopic(kafka, topic, 2)
  await produce(kafka, topic, ['a0', 'a1', 'a2'], 0)
  await produce(kafka, topic, ['b0', 'b1', 'b2'], 1)
  const consumer = kafka.consumer({ groupId: setting.name('group'), ...QUICK })
  await consumer.subscribe({ topic, fromBeginning: true })
  const seen = new Seen<string>()
  let resume: () => void = () => assert.fail('it was not paused')
  await consumer.run({
    eachMessage: async ({ partition, message, pause }) => {
      // The message in hand counts; the rest of the batch is read once the partition goes on.
      if (partition === 0 && message.offset === '0') resume = pause()
      seen.add(String(message.value))
    },
  })
  await seen.count(4)
  assert.deepEqual(seen.items.toSorted(), ['a0', 'b0', 'b1', 'b2'])
  assert.deepEqual(consumer.paused(), [{ topic, partitions: [0] }])
  // Another partition is not held up.
  await produce(kafka, topic, ['b3'], 1)
  await seen.count(5)
  resume()
  assert.deepEqual(consumer.paused(), [])
  await seen.count(7)
  assert.deepEqual(seen.items.slice(4), ['b3', 'a1', 'a2'])

  consumer.pause([{ topic }])
  assert.deepEqual(consumer.paused(), [{ topic, partitions: [0, 1] }])
  consumer.resume([{ topic, partitions: [1] }])
  assert.deepEqual(consumer.paused(), [{ topic, partitions: [0] }])
  await produce(kafka, topic, ['a3'], 0)
  await produce(kafka, topic, ['b4'], 1)
  await seen.count(8)
  assert.equal(seen.items.at(-1), 'b4')
  consumer.resume([{ topic }])
  await seen.count(9)
  assert.equal(seen.items.at(-1), 'a3')
  await consumer.disconnect()
}

const pausedFromTheStart: Program = async (setting) => {
  const kafka = connect(setting)
  const [open, shut] = [setting.name('open'), setting.name('shut')]
  for (const topic of [open, shut]) {
    await makeTopic(kafka, topic)
    await produce(kafka, topic, ['x'])
  }
  const consumer = kafka.consumer({ groupId: setting.name('group'), ...QUICK })
  await consumer.subscribe({ topics: [open, shut], fromBeginning: true })
  const seen = new Seen<string>()
  const running = consumer.run({ eachMessage: async ({ topic }) => seen.add(topic) })
  consumer.pause([{ topic: shut }])
  await running
  await seen.count(1)
  assert.deepEqual([seen.items, consumer.paused()], [[open], [{ topic: shut, partitions: [0] }]])
  consumer.resume([{ topic: shut }])
  await seen.count(2)
  assert.deepEqual(seen.items, [open, shut])
  await consumer.disconnect()
}

const seeking: Program = async (setting) => {
  const kafka = connect(setting)
  const [topic, groupId] = [setting.name('seek'), setting.name('group')]
  await makeTopic(kafka, topic)
  await produce(kafka, topic, numbered('m', 5))
  const consumer = kafka.consumer({ groupId, ...QUICK })
  await consumer.subscribe({ topic, fromBeginning: true })
  const seen = new Seen<string>()
  let isAgain = false
  const running = consumer.run({
    eachMessage: async ({ partition, message }) => {
      seen.add(message.offset)
      if (message.offset !== '4' || isAgain) return
      isAgain = true
      consumer.seek({ topic, partition, offset: '1' })
    },
  })
  // At once: the partition is not even assigned yet.
  consumer.seek({ topic, partition: 0, offset: '3' })
  await running
  await seen.count(6)
  await consumer.disconnect()
  assert.deepEqual(seen.items, ['3', '4', '1', '2', '3', '4'])
  assert.deepEqual(await committed(kafka, groupId, topic), ['5'])
}

const staleBatch: Program = async (setting) => {
  const kafka = connect(setting)
  const topic = setting.name('stale')
  await makeTopic(kafka, topic)
  await produce(kafka, topic, numbered('m', 5))
  const consumer = kafka.consumer({ groupId: setting.name('group'), ...QUICK })
  await consumer.subscribe({ topic, fromBeginning: true })
  const seen = new Seen<string>()
  await consumer.run({
    eachBatchAutoResolve: true,
    eachBatch: async ({ batch, isStale, resolveOffset }) => {
      for (const { offset } of batch.messages) {
        if (isStale()) return
        seen.add(offset)
        resolveOffset(offset)
        if (offset === '1' && seen.items.length < 3) consumer.seek({ topic, partition: 0, offset: '4' })
      }
    },
  })
  await seen.count(3)
  await consumer.disconnect()
  assert.deepEqual(seen.items, ['0', '1', '4'])
}

const fromBeginning: Program = async (setting) => {
  const kafka = connect(setting)
  const [old, fresh] = [setting.name('old'), setting.name('fresh')]
  for (const topic of [old, fresh]) {
    await makeTopic(kafka, topic)
    await produce(kafka, topic, ['before'])
  }
  const consumer = kafka.consumer({ groupId: setting.name('group'), ...QUICK })
  await consumer.subscribe({ topics: [old], fromBeginning: true })
  await consumer.subscribe({ topics: [fresh], fromBeginning: false })
  const seen = new Seen<string>()
  const fetched = new Seen<null>()
  consumer.on(consumer.events.FETCH, () => fetched.add(null))
  await consumer.run({ eachMessage: async ({ topic, message }) => seen.add(`${topic} ${message.value}`) })
  await seen.count(1)
  // Where the end was is settled before the second fetch.
  await fetched.count(2)
  await produce(kafka, fresh, ['after'])
  await seen.count(2)
  await consumer.disconnect()
  assert.deepEqual(seen.items, [`${old} before`, `${fresh} after`])
}

const byExpression: Program = async (setting) => {
  const kafka = connect(setting)
  const prefix = setting.name('expression')
  for (const name of ['a', 'b', 'other']) {
    await makeTopic(kafka, `${prefix}.${name}`)
    await produce(kafka, `${prefix}.${name}`, ['x'])
  }
  const consumer = kafka.consumer({ groupId: setting.name('group'), ...QUICK })
  await consumer.connect()
  await consumer.subscribe({ topics: [new RegExp(`^${prefix}\\.[ab]$`)], fromBeginning: true })
  const seen = new Seen<string>()
  await consumer.run({ eachMessage: async ({ topic }) => seen.add(topic) })
  await seen.count(2)
  const running = await failureOf(() => consumer.subscribe({ topic: `${prefix}.other` }))
  assert.equal(running.name, 'KafkaJSNonRetriableError')
  await consumer.disconnect()
  assert.deepEqual(seen.items.toSorted(), [`${prefix}.a`, `${prefix}.b`])
}

const concurrency: Program = async (setting) => {
  const kafka = connect(setting)
  const topic = setting.name('concurrent')
  await makeTopic(kafka, topic, 3)
  for (const partition of [0, 1, 2]) await produce(kafka, topic, ['x', 'y'], partition)
  const consumer = kafka.consumer({ groupId: setting.name('group'), ...QUICK })
  await consumer.subscribe({ topic, fromBeginning: true })
  const begun = new Seen<number>()
  const done = new Seen<string>()
  await consumer.run({
    partitionsConsumedConcurrently: 3,
    eachMessage: async ({ partition, message }) => {
      begun.add(partition)
      // Nobody goes on before all three partitions are in work.
      await begun.count(3)
      done.add(`${partition}${message.value}`)
    },
  })
  await done.count(6)
  await consumer.disconnect()
  assert.deepEqual(begun.items.slice(0, 3).toSorted(), [0, 1, 2])
  for (const partition of [0, 1, 2]) {
    assert.deepEqual(
      done.items.filter((item) => item.startsWith(String(partition))),
      [`${partition}x`, `${partition}y`],
    )
  }
}

const refusals: Program = async (setting) => {
  const kafka = connect(setting)
  const bad = async (call: () => unknown): Promise<void> => {
    const { name, message } = await failureOf(call)
    assert.equal(name, 'KafkaJSNonRetriableError', message)
  }
  await bad(() => kafka.consumer({ groupId: '' }))
  await bad(() => kafka.consumer({ groupId: 'g', sessionTimeout: 100, heartbeatInterval: 100 }))
  const consumer = kafka.consumer({ groupId: setting.name('group') })
  await bad(() => consumer.subscribe({} as never))
  await bad(() => consumer.subscribe({ topics: 'text' as never }))
  await bad(() => consumer.subscribe({ topics: [1 as never] }))
  await bad(() => consumer.seek({ topic: 't', partition: 0, offset: '1' }))
  await bad(() => consumer.seek({ topic: '', partition: 0, offset: '1' }))
  await bad(() => consumer.seek({ topic: 't', partition: 'x' as never, offset: '1' }))
  await bad(() => consumer.seek({ topic: 't', partition: 0, offset: '-7' }))
  await bad(() => consumer.pause([{ topic: 't' }]))
  await bad(() => consumer.pause([{} as never]))
  await bad(() => consumer.resume([{ topic: 't', partitions: 'x' as never }]))
  await bad(() => consumer.commitOffsets([{ topic: 't', partition: 0, offset: '1' }]))
  await bad(() => consumer.commitOffsets([{ topic: 't', partition: 0, offset: '-1' }]))
  await bad(() => consumer.on('consumer.nothing' as never, () => undefined))
  assert.deepEqual(consumer.paused(), [])
  await consumer.disconnect()
}

export const consuming: Programs = {
  'a batch says where it is and what is left': batches,
  'what eachBatch does not resolve is read again': manualResolve,
  'a batch of which nothing is resolved comes again and again': nothingResolved,
  'offsets committed by hand, with a text': manualCommit,
  'commits by threshold': threshold,
  'pause and resume, in the handler and outside of it': pausing,
  'a topic that is paused at once is not read': pausedFromTheStart,
  'seek at once and in the handler': seeking,
  'a batch is stale after a seek': staleBatch,
  'topics from the beginning and from now on in one consumer': fromBeginning,
  'topics by regular expression': byExpression,
  'partitions at the same time, each in order': concurrency,
  'what a consumer refuses': refusals,
}
