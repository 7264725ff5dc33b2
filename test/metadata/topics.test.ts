import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { newPartition, placeReplicas, refuseReplicas } from '../../src/metadata/placement.ts'
import { MetadataStoreError } from '../../src/metadata/store.ts'
import { MemoryMetadataStore } from '../../src/metadata/store-memory.ts'
import { MAX_PARTITIONS_PER_REQUEST } from '../../src/metadata/topics.ts'
import { topicKey } from '../../src/metadata/values.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { ZERO_UUID } from '../../src/protocol/schema.ts'
import { ManualClock } from '../../src/storage/clock-manual.ts'
import { newTopic, testMetadata, withInterference } from './support.ts'

/** The rules themselves are held against a recorded broker in test/broker/admin-golden.test.ts; here is what that cannot show. */

// One of them makes thousands of topics; a machine with other work takes its time.
setDefaultTimeout(60_000)

const real = { validateOnly: false }
const memoryStore = () => new MemoryMetadataStore({ clock: new ManualClock() })

describe('creating', () => {
  test('a created topic is in the image when the answer comes', async () => {
    const { topics, image } = await testMetadata()
    const [result] = await topics.create([newTopic('t', { numPartitions: 3 })], real)
    const topic = image.topic('t')!
    expect(topic.topicId).toBe(result!.topicId)
    expect(topic.partitions).toEqual(
      [0, 1, 2].map((index) => ({ index, leader: 1, leaderEpoch: 0, partitionEpoch: 0, replicas: [1], isr: [1] })),
    )
  })

  test('ids are new each time, also for the same name', async () => {
    const { topics } = await testMetadata()
    const [first] = await topics.create([newTopic('t')], real)
    await topics.delete([{ name: 't', topicId: ZERO_UUID }])
    const [second] = await topics.create([newTopic('t')], real)
    expect(second!.topicId).not.toBe(first!.topicId)
    expect(second!.errorCode).toBe(ErrorCode.NONE)
  })

  test('one request is one transaction, whatever the number of topics', async () => {
    const { topics, image, store } = await testMetadata()
    const { revision } = await store.list('')
    const results = await topics.create(
      Array.from({ length: 500 }, (_, index) => newTopic(`t.${index}`)),
      real,
    )
    expect(results.every(({ errorCode }) => errorCode === ErrorCode.NONE)).toBe(true)
    expect(image.revision).toBe(revision + 1)
    expect(image.topics()).toHaveLength(500)
  })

  test('validating changes nothing', async () => {
    const { topics, image } = await testMetadata()
    const before = image.revision
    await topics.create([newTopic('t')], { validateOnly: true })
    expect(image.revision).toBe(before)
  })

  test('names that differ only in dots and underscores collide within a request, too', async () => {
    const { topics } = await testMetadata()
    const results = await topics.create([newTopic('a.b'), newTopic('a_b')], real)
    expect(results.map(({ errorCode }) => errorCode)).toEqual([ErrorCode.NONE, ErrorCode.INVALID_TOPIC_EXCEPTION])
  })

  test('who may not create a topic learns nothing else about it', async () => {
    const { topics } = await testMetadata()
    await topics.create([newTopic('secret')], real)
    const results = await topics.create([newTopic('secret'), newTopic('mine')], {
      validateOnly: false,
      allowed: (name) => name === 'mine',
    })
    expect(results.map(({ name, errorCode }) => [name, errorCode])).toEqual([
      ['mine', ErrorCode.NONE],
      ['secret', ErrorCode.TOPIC_AUTHORIZATION_FAILED],
    ])
  })

  test('exactly as many partitions as a request may have', async () => {
    const { topics } = await testMetadata()
    const at = await topics.create([newTopic('t', { numPartitions: MAX_PARTITIONS_PER_REQUEST })], {
      validateOnly: true,
    })
    expect(at[0]!.errorCode).toBe(ErrorCode.NONE)
  })

  test('no broker, no topic', async () => {
    const { topics } = await testMetadata({ brokers: [] })
    const [result] = await topics.create([newTopic('t')], real)
    expect(result!.errorCode).toBe(ErrorCode.INVALID_REPLICATION_FACTOR)
  })

  test('the defaults for partitions and replicas are those of the broker', async () => {
    const { topics } = await testMetadata({
      brokers: [1, 2, 3],
      properties: { 'num.partitions': '4', 'default.replication.factor': '2' },
    })
    const [result] = await topics.create([newTopic('t', { numPartitions: -1, replicationFactor: -1 })], real)
    expect([result!.numPartitions, result!.replicationFactor]).toEqual([4, 2])
  })
})

describe('several processes', () => {
  test('when another process creates the same topic first, it exists; the others of the request are created', async () => {
    const store = withInterference(memoryStore())
    const ours = await testMetadata({ store })
    const theirs = await testMetadata({ store, seed: 2 })
    store.interfere(() => theirs.topics.create([newTopic('shared')], real))
    const results = await ours.topics.create([newTopic('shared'), newTopic('own')], real)
    expect(results.map(({ errorCode }) => errorCode)).toEqual([ErrorCode.TOPIC_ALREADY_EXISTS, ErrorCode.NONE])
    expect(theirs.image.topic('own')?.topicId).toBe(results[1]!.topicId)
  })

  test('a colliding name of another process is refused even when it comes in between', async () => {
    const store = withInterference(memoryStore())
    const ours = await testMetadata({ store })
    const theirs = await testMetadata({ store, seed: 2 })
    store.interfere(() => theirs.topics.create([newTopic('a.b')], real))
    const [result] = await ours.topics.create([newTopic('a_b')], real)
    expect(result!.errorCode).toBe(ErrorCode.INVALID_TOPIC_EXCEPTION)
    expect(ours.image.topics().map(({ name }) => name)).toEqual(['a.b'])
  })

  test('growing a topic that grew meanwhile is judged again', async () => {
    const store = withInterference(memoryStore())
    const ours = await testMetadata({ store })
    const theirs = await testMetadata({ store, seed: 2 })
    await ours.topics.create([newTopic('t')], real)
    store.interfere(() => theirs.topics.createPartitions([{ name: 't', count: 3, assignments: null }], real))
    const [result] = await ours.topics.createPartitions([{ name: 't', count: 2, assignments: null }], real)
    expect(result!.errorCode).toBe(ErrorCode.INVALID_PARTITIONS)
    expect(ours.image.topic('t')?.partitions).toHaveLength(3)
  })

  test('deleting does not touch a new topic of the same name', async () => {
    const store = withInterference(memoryStore())
    const ours = await testMetadata({ store })
    const theirs = await testMetadata({ store, seed: 2 })
    const [created] = await ours.topics.create([newTopic('t')], real)
    let replacement = ''
    store.interfere(async () => {
      await theirs.topics.delete([{ name: 't', topicId: ZERO_UUID }])
      const [again] = await theirs.topics.create([newTopic('t')], real)
      replacement = again!.topicId
    })
    const [result] = await ours.topics.delete([{ name: null, topicId: created!.topicId }])
    expect(result!.errorCode).toBe(ErrorCode.NONE)
    expect(ours.image.topic('t')?.topicId).toBe(replacement)
  })

  test('a store that cannot write is an answer', async () => {
    const store = withInterference(memoryStore())
    const { topics, image } = await testMetadata({ store })
    const full = (): Promise<never> => Promise.reject(new MetadataStoreError('database or disk is full'))
    store.interfere(full)
    const [created] = await topics.create([newTopic('t')], real)
    expect([created!.errorCode, created!.errorMessage]).toEqual([
      ErrorCode.KAFKA_STORAGE_ERROR,
      'database or disk is full',
    ])
    expect(image.topic('t')).toBeUndefined()
    await topics.create([newTopic('t')], real)
    store.interfere(full)
    const [grown] = await topics.createPartitions([{ name: 't', count: 2, assignments: null }], real)
    expect(grown!.errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    store.interfere(full)
    const [deleted] = await topics.delete([{ name: 't', topicId: ZERO_UUID }])
    expect(deleted!.errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    expect(image.topic('t')?.partitions).toHaveLength(1)
  })
})

describe('deleting', () => {
  test('everything of the topic goes: its configs and its claim on similar names', async () => {
    const { topics, store } = await testMetadata()
    const before = (await store.list('')).entries.map(({ key }) => key)
    await topics.create([newTopic('a.b', { configs: [{ name: 'retention.ms', value: '5' }] })], real)
    await topics.delete([{ name: 'a.b', topicId: ZERO_UUID }])
    expect((await store.list('')).entries.map(({ key }) => key)).toEqual(before)
  })

  test('the topics of one request go in one write, also when one of them is gone meanwhile', async () => {
    const store = withInterference(memoryStore())
    const ours = await testMetadata({ store })
    const theirs = await testMetadata({ store, seed: 2 })
    const names = ['a', 'b', 'c', 'd']
    await ours.topics.create(
      names.map((name) => newTopic(name)),
      real,
    )
    const { revision } = await store.list('')
    store.interfere(() => theirs.topics.delete([{ name: 'c', topicId: ZERO_UUID }]))
    const results = await ours.topics.delete(names.map((name) => ({ name, topicId: ZERO_UUID })))
    expect(results.map(({ name, errorCode }) => [name, errorCode])).toEqual(names.map((name) => [name, ErrorCode.NONE]))
    expect(ours.image.topics()).toEqual([])
    expect((await store.list('')).revision).toBe(revision + 2)
  })

  test('the same topic by name and by id is refused once', async () => {
    const { topics, image } = await testMetadata()
    const [created] = await topics.create([newTopic('t')], real)
    const results = await topics.delete([
      { name: 't', topicId: ZERO_UUID },
      { name: null, topicId: created!.topicId },
    ])
    expect(results.map(({ errorCode }) => errorCode)).toEqual([ErrorCode.INVALID_REQUEST])
    expect(image.topic('t')).toBeDefined()
  })

  test('the same id twice is refused once', async () => {
    const { topics, image } = await testMetadata()
    const [created] = await topics.create([newTopic('t')], real)
    const reference = { name: null, topicId: created!.topicId }
    const results = await topics.delete([reference, reference])
    expect(results.map(({ errorCode }) => errorCode)).toEqual([ErrorCode.INVALID_REQUEST])
    expect(image.topic('t')).toBeDefined()
  })

  test('who may not know the topic learns no name from an id, and no absence from a name', async () => {
    const { topics, image } = await testMetadata()
    const [created] = await topics.create([newTopic('t')], real)
    const options = { mayDelete: () => false, mayDescribe: () => false }
    const [byId] = await topics.delete([{ name: null, topicId: created!.topicId }], options)
    expect([byId!.name, byId!.errorCode]).toEqual([null, ErrorCode.TOPIC_AUTHORIZATION_FAILED])
    const [absent] = await topics.delete([{ name: 'no-such', topicId: ZERO_UUID }], options)
    expect(absent!.errorCode).toBe(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
    expect(image.topic('t')).toBeDefined()
  })
})

describe('growing', () => {
  test('existing partitions stay untouched, new ones have as many replicas', async () => {
    const { topics, image } = await testMetadata({ brokers: [1, 2, 3] })
    await topics.create([newTopic('t', { numPartitions: 2, replicationFactor: 2 })], real)
    const before = image.topic('t')!.partitions
    await topics.createPartitions([{ name: 't', count: 5, assignments: null }], real)
    const after = image.topic('t')!.partitions
    expect(after.slice(0, 2)).toEqual([...before])
    expect(after.map(({ replicas }) => new Set(replicas).size)).toEqual([2, 2, 2, 2, 2])
  })

  test('who may not alter the topic is refused, whether it exists or not', async () => {
    const { topics } = await testMetadata()
    await topics.create([newTopic('t')], real)
    const results = await topics.createPartitions(
      ['t', 'no-such'].map((name) => ({ name, count: 5, assignments: null })),
      { validateOnly: false, allowed: () => false },
    )
    expect(results.map(({ errorCode }) => errorCode)).toEqual([
      ErrorCode.TOPIC_AUTHORIZATION_FAILED,
      ErrorCode.TOPIC_AUTHORIZATION_FAILED,
    ])
  })

  test('an absurd total is refused before anything is allocated', async () => {
    const { topics, image } = await testMetadata()
    await topics.create([newTopic('t')], real)
    const [result] = await topics.createPartitions([{ name: 't', count: 2 ** 31 - 1, assignments: null }], real)
    expect(result!.errorCode).toBe(ErrorCode.INVALID_PARTITIONS)
    expect(image.topic('t')?.partitions).toHaveLength(1)
  })
})

describe('topics that create themselves', () => {
  test('many requests for one name create it once', async () => {
    const { topics, image } = await testMetadata({ properties: { 'num.partitions': '3' } })
    const before = image.revision
    const results = await Promise.all([1, 2, 3].map(() => topics.createAutomatically('t')))
    expect(results.map(({ errorCode }) => errorCode)).toEqual([0, 0, 0])
    expect(image.revision).toBe(before + 1)
    expect(image.topic('t')?.partitions).toHaveLength(3)
    expect((await topics.createAutomatically('t')).errorCode).toBe(ErrorCode.NONE)
  })

  test('one that another process creates meanwhile is a success', async () => {
    const store = withInterference(memoryStore())
    const ours = await testMetadata({ store })
    const theirs = await testMetadata({ store, seed: 2 })
    store.interfere(() => theirs.topics.createAutomatically('t'))
    expect((await ours.topics.createAutomatically('t')).errorCode).toBe(ErrorCode.NONE)
  })

  test.each([
    [
      '__consumer_offsets',
      50,
      { 'cleanup.policy': 'compact', 'compression.type': 'producer', 'segment.bytes': '104857600' },
    ],
    [
      '__transaction_state',
      50,
      {
        'cleanup.policy': 'compact',
        'compression.type': 'uncompressed',
        'min.insync.replicas': '1',
        'segment.bytes': '104857600',
        'unclean.leader.election.enable': 'false',
      },
    ],
    [
      '__share_group_state',
      50,
      {
        'cleanup.policy': 'delete',
        'compression.type': 'producer',
        'min.insync.replicas': '1',
        'retention.ms': '-1',
        'segment.bytes': '104857600',
      },
    ],
  ])('%s has its own count and configs', async (name, count, configs) => {
    const { topics, image } = await testMetadata({ properties: { 'num.partitions': '3' } })
    await topics.createAutomatically(name)
    const topic = image.topic(name)!
    expect(topic.internal).toBe(true)
    expect(topic.partitions).toHaveLength(count)
    expect(Object.fromEntries([...topic.configs].sort())).toEqual(configs)
  })

  test("the offsets topic follows the broker's settings", async () => {
    const properties = { 'offsets.topic.num.partitions': '5', 'offsets.topic.segment.bytes': '2000000' }
    const { topics, image } = await testMetadata({ properties })
    await topics.createAutomatically('__consumer_offsets')
    expect(image.topic('__consumer_offsets')?.partitions).toHaveLength(5)
    expect(image.topic('__consumer_offsets')?.configs.get('segment.bytes')).toBe('2000000')
  })

  test('a replication factor that cannot be had is an error with its reason', async () => {
    const { topics, image } = await testMetadata({ properties: { 'offsets.topic.replication.factor': '3' } })
    const { errorCode, errorMessage } = await topics.createAutomatically('__consumer_offsets')
    expect(errorCode).toBe(ErrorCode.INVALID_REPLICATION_FACTOR)
    expect(errorMessage).toContain('only 1 broker(s)')
    expect(image.topics()).toEqual([])
  })
})

describe('after an unclean start', () => {
  test('the epochs of all led partitions grow in one transaction; others stay', async () => {
    const { topics, image } = await testMetadata({ brokers: [1, 2] })
    const by = (name: string, brokers: number[]) =>
      newTopic(name, {
        numPartitions: -1,
        replicationFactor: -1,
        assignments: brokers.map((id, partitionIndex) => ({ partitionIndex, brokerIds: [id] })),
      })
    await topics.create([by('mixed', [1, 2, 1]), by('theirs', [2]), by('ours', [1])], real)
    const before = image.revision
    expect(await topics.bumpLeaderEpochs(1)).toBe(3)
    expect(image.revision).toBe(before + 1)
    const epochs = (name: string) =>
      image.topic(name)!.partitions.map(({ leaderEpoch, partitionEpoch }) => [leaderEpoch, partitionEpoch])
    expect(epochs('mixed')).toEqual([
      [1, 1],
      [0, 0],
      [1, 1],
    ])
    expect(epochs('theirs')).toEqual([[0, 0]])
    expect(epochs('ours')).toEqual([[1, 1]])
  })

  test('when a topic is deleted meanwhile, the others still grow', async () => {
    const store = withInterference(memoryStore())
    const { topics, image } = await testMetadata({ store })
    await topics.create([newTopic('a'), newTopic('b')], real)
    store.interfere(() => store.transact({ deletes: [topicKey('a')] }))
    expect(await topics.bumpLeaderEpochs(1)).toBe(1)
    expect(image.topic('b')?.partitions[0]?.leaderEpoch).toBe(1)
  })

  test('without topics nothing is written', async () => {
    const { topics, image } = await testMetadata()
    const before = image.revision
    expect(await topics.bumpLeaderEpochs(1)).toBe(0)
    expect(image.revision).toBe(before)
  })
})

describe('placement', () => {
  test('leaders and followers are spread evenly, no broker twice in a partition', () => {
    const brokers = [1, 2, 3, 4]
    const placed = placeReplicas({ brokers, partitions: 24, replicationFactor: 3, random: () => 0.3 })
    const leaders = brokers.map((id) => placed.filter(([leader]) => leader === id).length)
    expect(leaders).toEqual([6, 6, 6, 6])
    const all = brokers.map((id) => placed.filter((replicas) => replicas.includes(id)).length)
    expect(all).toEqual([18, 18, 18, 18])
    for (const replicas of placed) expect(new Set(replicas).size).toBe(3)
    expect(new Set(placed.filter(([leader]) => leader === 1).map((replicas) => replicas.join())).size).toBe(3)
  })

  test('the randomness decides only where the ring begins', () => {
    const leadersFrom = (start: number) =>
      placeReplicas({ brokers: [1, 2, 3], partitions: 3, replicationFactor: 1, random: () => start }).flat()
    expect(leadersFrom(0)).toEqual([1, 2, 3])
    expect(leadersFrom(0.99)).toEqual([3, 1, 2])
  })

  test('a dead broker leads nothing and is not in sync', () => {
    expect(newPartition([1, 2, 3], (id) => id !== 1)).toMatchObject({ leader: 2, isr: [2, 3], replicas: [1, 2, 3] })
    expect(newPartition([1], () => false)).toMatchObject({ leader: -1, isr: [] })
  })

  test('assignments must agree on the number of replicas', () => {
    expect(refuseReplicas([1, 2], 1, () => true)).toContain('2 replica(s)')
    expect(refuseReplicas([1, 2], 2, () => true)).toBeNull()
  })
})
