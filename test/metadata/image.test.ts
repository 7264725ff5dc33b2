import { describe, expect, test } from 'bun:test'
import { type ImageChange, MetadataImage } from '../../src/metadata/image.ts'
import type { MetadataStore, WatchListener } from '../../src/metadata/store.ts'
import { MemoryMetadataStore } from '../../src/metadata/store-memory.ts'
import {
  brokerConfigKey,
  brokerKey,
  encodeValue,
  groupConfigKey,
  MetadataValueError,
  topicConfigKey,
  topicKey,
} from '../../src/metadata/values.ts'
import { ManualClock } from '../../src/storage/clock-manual.ts'

const partition = { leader: 1, leaderEpoch: 0, partitionEpoch: 0, replicas: [1], isr: [1] }
const topicPut = (name: string, topicId: string, partitions = [partition]) => ({
  key: topicKey(name),
  value: encodeValue({ topicId, partitions }),
})
const configPut = (key: string, values: Record<string, string>) => ({ key, value: encodeValue(values) })

async function setUp(): Promise<{ store: MetadataStore; image: MetadataImage; changes: ImageChange[] }> {
  const store = new MemoryMetadataStore({ clock: new ManualClock() })
  const image = await MetadataImage.load(store)
  const changes: ImageChange[] = []
  image.onChange((change) => changes.push(change))
  return { store, image, changes }
}

const names = (topics: readonly { name: string }[]): string[] => topics.map(({ name }) => name)

describe('topics', () => {
  test('a created topic is found by name and by id, and listeners hear of it', async () => {
    const { store, image, changes } = await setUp()
    await store.transact({ puts: [topicPut('t', 'id-1', [partition, partition])] })
    expect(image.topic('t')?.partitions.map(({ index }) => index)).toEqual([0, 1])
    expect(image.topicById('id-1')).toBe(image.topic('t')!)
    expect(image.topic('t')?.internal).toBe(false)
    expect(changes).toHaveLength(1)
    expect(names(changes[0]!.created)).toEqual(['t'])
    expect(changes[0]!.deleted.length + changes[0]!.changed.length).toBe(0)
  })

  test('all topics are sorted by name, and the list follows changes', async () => {
    const { store, image } = await setUp()
    await store.transact({ puts: [topicPut('b', '2'), topicPut('a', '1')] })
    expect(names(image.topics())).toEqual(['a', 'b'])
    expect(image.topics()).toBe(image.topics())
    await store.transact({ puts: [topicPut('aa', '3')], deletes: [topicKey('b')] })
    expect(names(image.topics())).toEqual(['a', 'aa'])
  })

  test('a deleted topic is gone by name and by id; listeners get its last state', async () => {
    const { store, image, changes } = await setUp()
    await store.transact({ puts: [topicPut('t', 'id-1')] })
    await store.transact({ deletes: [topicKey('t')] })
    expect(image.topic('t')).toBeUndefined()
    expect(image.topicById('id-1')).toBeUndefined()
    expect(changes[1]!.deleted.map(({ topicId }) => topicId)).toEqual(['id-1'])
  })

  test('a change of partitions is a changed topic; snapshots that somebody holds stay as they were', async () => {
    const { store, image, changes } = await setUp()
    await store.transact({ puts: [topicPut('t', 'id-1')] })
    const before = image.topic('t')!
    await store.transact({ puts: [topicPut('t', 'id-1', [{ ...partition, leaderEpoch: 5 }])] })
    expect(before.partitions[0]?.leaderEpoch).toBe(0)
    expect(image.topic('t')?.partitions[0]?.leaderEpoch).toBe(5)
    expect(names(changes[1]!.changed)).toEqual(['t'])
    expect(changes[1]!.created).toEqual([])
  })

  test('a name that has a new id was deleted and created', async () => {
    const { store, image, changes } = await setUp()
    await store.transact({ puts: [topicPut('t', 'old')] })
    await store.transact({ puts: [topicPut('t', 'new')] })
    expect(changes[1]!.deleted.map(({ topicId }) => topicId)).toEqual(['old'])
    expect(changes[1]!.created.map(({ topicId }) => topicId)).toEqual(['new'])
    expect(image.topicById('old')).toBeUndefined()
  })

  test.each(['__consumer_offsets', '__transaction_state', '__share_group_state'])('%s is internal', async (name) => {
    const { store, image } = await setUp()
    await store.transact({ puts: [topicPut(name, 'id')] })
    expect(image.topic(name)?.internal).toBe(true)
  })

  test('a name collides with the topic that differs only in dots and underscores, until that is deleted', async () => {
    const { store, image } = await setUp()
    await store.transact({ puts: [topicPut('a.b_c', 'id')] })
    expect(image.collidingTopic('a_b.c')).toBe('a.b_c')
    expect(image.collidingTopic('a_b_c')).toBe('a.b_c')
    expect(image.collidingTopic('ab_c')).toBeUndefined()
    await store.transact({ deletes: [topicKey('a.b_c')] })
    expect(image.collidingTopic('a_b_c')).toBeUndefined()
  })
})

describe('configs', () => {
  test('configs that come in the same transaction are on the created topic, whatever the order of keys', async () => {
    const { store, image, changes } = await setUp()
    await store.transact({ puts: [topicPut('t', 'id'), configPut(topicConfigKey('t'), { 'retention.ms': '5' })] })
    expect(changes[0]!.created[0]?.configs.get('retention.ms')).toBe('5')
    expect(changes[0]!.changed).toEqual([])
    expect(image.config('topic', 't').values.get('retention.ms')).toBe('5')
  })

  test('a later change of configs is a changed topic and a changed config', async () => {
    const { store, image, changes } = await setUp()
    await store.transact({ puts: [topicPut('t', 'id')] })
    await store.transact({ puts: [configPut(topicConfigKey('t'), { 'retention.ms': '7' })] })
    expect(names(changes[1]!.changed)).toEqual(['t'])
    expect(changes[1]!.configs).toEqual([{ kind: 'topic', name: 't' }])
    expect(image.topicById('id')?.configs.get('retention.ms')).toBe('7')
    await store.transact({ deletes: [topicConfigKey('t')] })
    expect(image.topic('t')?.configs.size).toBe(0)
    expect(image.config('topic', 't').revision).toBeNull()
  })

  test('configs of brokers, of the cluster and of groups are kept apart', async () => {
    const { store, image, changes } = await setUp()
    await store.transact({
      puts: [
        configPut(brokerConfigKey('1'), { a: 'broker' }),
        configPut(brokerConfigKey(''), { a: 'cluster' }),
        configPut(groupConfigKey('1'), { a: 'group' }),
      ],
    })
    expect(image.config('broker', '1').values.get('a')).toBe('broker')
    expect(image.config('broker', '').values.get('a')).toBe('cluster')
    expect(image.config('group', '1').values.get('a')).toBe('group')
    expect(image.configuredNames('broker')).toEqual(['', '1'])
    expect(changes[0]!.configs).toHaveLength(3)
    expect(changes[0]!.brokersChanged).toBe(false)
  })
})

describe('brokers', () => {
  test('registered brokers are sorted by id; the epoch grows with each registration', async () => {
    const { store, image, changes } = await setUp()
    const put = (id: number) => ({
      key: brokerKey(id),
      value: encodeValue({ host: 'h', port: id, rack: null, incarnation: 'x' }),
    })
    await store.transact({ puts: [put(10), put(9)] })
    expect(image.brokers().map(({ id }) => id)).toEqual([9, 10])
    expect(changes[0]!.brokersChanged).toBe(true)
    const before = image.broker(9)!.epoch
    await store.transact({ puts: [put(9)], deletes: [brokerKey(10)] })
    expect(image.brokers().map(({ id }) => id)).toEqual([9])
    expect(image.broker(9)!.epoch).toBeGreaterThan(before)
  })
})

describe('following the store', () => {
  test('loading finds everything that was there before', async () => {
    const store = new MemoryMetadataStore({ clock: new ManualClock() })
    await store.transact({ puts: [topicPut('t', 'id'), configPut(topicConfigKey('t'), { 'retention.ms': '5' })] })
    const image = await MetadataImage.load(store)
    expect(image.topic('t')?.configs.get('retention.ms')).toBe('5')
    expect(image.revision).toBe(1)
  })

  test('a closed image hears nothing more', async () => {
    const { store, image, changes } = await setUp()
    image.close()
    await store.transact({ puts: [topicPut('t', 'id')] })
    expect(image.topic('t')).toBeUndefined()
    expect(changes).toEqual([])
  })

  test('keys of other modules change nothing and wake nobody', async () => {
    const { store, changes } = await setUp()
    await store.transact({ puts: [{ key: 'producer-ids', value: encodeValue({ next: 1000 }) }] })
    expect(changes).toEqual([])
  })

  test('after a reset, what the listing lacks was deleted', async () => {
    const store = new MemoryMetadataStore({ clock: new ManualClock() })
    await store.transact({
      puts: [topicPut('kept', '1'), topicPut('lost', '2'), configPut(groupConfigKey('g'), { a: 'b' })],
    })
    let told: WatchListener = () => undefined
    const watched: MetadataStore = Object.assign(Object.create(store), {
      list: (prefix: string) => store.list(prefix),
      watch: (_prefix: string, _from: number, listener: WatchListener) => {
        told = listener
        return () => undefined
      },
    })
    const image = await MetadataImage.load(watched)
    const changes: ImageChange[] = []
    image.onChange((change) => changes.push(change))
    const { entries } = await store.list(topicKey('kept'))
    told({ revision: 50, changes: entries, reset: true })
    expect(names(image.topics())).toEqual(['kept'])
    expect(names(changes[0]!.deleted)).toEqual(['lost'])
    expect(changes[0]!.configs).toEqual([{ kind: 'group', name: 'g' }])
    expect(image.config('group', 'g').revision).toBeNull()
  })

  test('a value of a newer release is refused by its key', async () => {
    const store = new MemoryMetadataStore({ clock: new ManualClock() })
    await store.transact({ puts: [{ key: topicKey('t'), value: new Uint8Array([9, 1, 2]) }] })
    expect(MetadataImage.load(store)).rejects.toThrow(MetadataValueError)
    expect(MetadataImage.load(store)).rejects.toThrow("'topics/t' has version 9")
  })
})
