/** What every public call of Admin and Producer has: a signal ends it, and its error shows where it was called. */
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { getEventListeners } from 'node:events'
import { EmbeddedBroker } from '../../src/broker/embedded/broker.ts'
import { Admin } from '../../src/client/admin/admin.ts'
import type { CallOptions } from '../../src/client/call.ts'
import { Cluster } from '../../src/client/cluster.ts'
import { KafkaError } from '../../src/client/errors.ts'
import { Producer } from '../../src/client/producer/producer.ts'
import { MetadataRequest, MetadataResponse } from '../../src/protocol/messages/03-metadata.ts'
import { CreateTopicsRequest, CreateTopicsResponse } from '../../src/protocol/messages/19-create-topics.ts'
import { FakeBroker } from './fake-broker.ts'
import { serveMetadata } from './fake-metadata.ts'
import { serveLogs } from './model-log.ts'

// Nothing here waits for time; a busy machine does.
setDefaultTimeout(180_000)

async function failureOf(promise: Promise<unknown>): Promise<KafkaError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof KafkaError) return error
    throw error
  }
  throw new Error('expected a KafkaError')
}

const at = { topic: 't', partition: 0 }
const user = { type: 'User', name: 'u' } as never

/** Every one of them: a method that is missing here fails the test. */
const ADMIN_CALLS: Readonly<Record<string, (admin: Admin, options: CallOptions) => Promise<unknown>>> = {
  listTopics: (admin, options) => admin.listTopics(options),
  createTopics: (admin, options) => admin.createTopics([{ name: 't' }], options),
  deleteTopics: (admin, options) => admin.deleteTopics(['t'], options),
  createPartitions: (admin, options) => admin.createPartitions([], options),
  describeTopics: (admin, options) => admin.describeTopics(['t'], options),
  listOffsets: (admin, options) => admin.listOffsets([{ ...at, timestamp: -1 }], options),
  deleteRecords: (admin, options) => admin.deleteRecords([{ ...at, offset: 1 }], options),
  describeConfigs: (admin, options) => admin.describeConfigs([{ type: 'topic', name: 't' }], options),
  alterConfigs: (admin, options) => admin.alterConfigs([{ type: 'topic', name: 't', changes: [] }], options),
  listConfigResources: (admin, options) => admin.listConfigResources(undefined, options),
  listGroups: (admin, options) => admin.listGroups(options),
  describeGroup: (admin, options) => admin.describeGroup('g', options),
  deleteGroups: (admin, options) => admin.deleteGroups(['g'], options),
  committedOffsets: (admin, options) => admin.committedOffsets('g', options),
  alterOffsets: (admin, options) => admin.alterOffsets('g', [{ ...at, offset: 1 }], options),
  deleteOffsets: (admin, options) => admin.deleteOffsets('g', [at], options),
  removeMembers: (admin, options) => admin.removeMembers('g', [{ memberId: 'm' }], undefined, options),
  describeShareOffsets: (admin, options) => admin.describeShareOffsets('g', options),
  alterShareOffsets: (admin, options) => admin.alterShareOffsets('g', [{ ...at, startOffset: 1 }], options),
  deleteShareOffsets: (admin, options) => admin.deleteShareOffsets('g', ['t'], options),
  listTransactions: (admin, options) => admin.listTransactions(undefined, options),
  describeTransaction: (admin, options) => admin.describeTransaction('id', options),
  describeProducers: (admin, options) => admin.describeProducers('t', 0, options),
  abortTransaction: (admin, options) =>
    admin.abortTransaction({ ...at, producerId: 1, producerEpoch: 0, coordinatorEpoch: 0 } as never, options),
  fenceProducers: (admin, options) => admin.fenceProducers(['id'], options),
  describeClientQuotas: (admin, options) => admin.describeClientQuotas(undefined, options),
  alterClientQuotas: (admin, options) => admin.alterClientQuotas([], options),
  describeUsers: (admin, options) => admin.describeUsers(undefined, options),
  alterUsers: (admin, options) => admin.alterUsers([], options),
  describeAcls: (admin, options) => admin.describeAcls(undefined, options),
  createAcls: (admin, options) => admin.createAcls([], options),
  deleteAcls: (admin, options) => admin.deleteAcls([], options),
  createDelegationToken: (admin, options) => admin.createDelegationToken(undefined, options),
  renewDelegationToken: (admin, options) => admin.renewDelegationToken(Buffer.alloc(1), undefined, options),
  expireDelegationToken: (admin, options) => admin.expireDelegationToken(Buffer.alloc(1), undefined, options),
  describeDelegationTokens: (admin, options) => admin.describeDelegationTokens([user], options),
  describeCluster: (admin, options) => admin.describeCluster(options),
  describeFeatures: (admin, options) => admin.describeFeatures(options),
  updateFeatures: (admin, options) => admin.updateFeatures([], options),
  describeLogDirs: (admin, options) => admin.describeLogDirs(undefined, options),
  alterReplicaLogDirs: (admin, options) => admin.alterReplicaLogDirs([], options),
  electLeaders: (admin, options) => admin.electLeaders('preferred', undefined, options),
  alterPartitionReassignments: (admin, options) => admin.alterPartitionReassignments([], options),
  listPartitionReassignments: (admin, options) => admin.listPartitionReassignments(options),
  describeQuorum: (admin, options) => admin.describeQuorum(options),
  unregisterBroker: (admin, options) => admin.unregisterBroker(9, options),
}

describe('admin', () => {
  let fake: FakeBroker
  let admin: Admin

  beforeEach(() => {
    // It knows nothing but which versions it speaks; Metadata is never answered.
    fake = new FakeBroker()
    for (const key of Array.from({ length: 93 }, (_, index) => index)) {
      if (key === 18) continue
      fake.versions.set(key, [0, 0x7fff])
      fake.onRaw(key, () => null)
    }
    admin = new Admin({ bootstrap: `127.0.0.1:${fake.port}` })
  })
  afterEach(async () => {
    await admin.close()
    fake.stop()
  })

  test('the table has them all', () => {
    const methods = Object.getOwnPropertyNames(Admin.prototype).filter(
      (name) => !['constructor', 'close'].includes(name),
    )
    expect(Object.keys(ADMIN_CALLS).sort()).toEqual(methods.sort())
  })

  for (const [name, call] of Object.entries(ADMIN_CALLS)) {
    test(`${name} ends with its signal, and says where it was called`, async () => {
      const stop = new AbortController()
      const reason = new Error('enough')
      const called = failureOf(call(admin, { signal: stop.signal }))
      expect(getEventListeners(stop.signal, 'abort').length).toBeGreaterThan(0)
      // Not one turn of the loop more than it takes to be on its way.
      await new Promise((resolve) => setImmediate(resolve))
      stop.abort(reason)
      const error = await called
      expect(error.code).toBe('ERR_ABORTED')
      expect(error.cause).toBe(reason)
      expect(error.stack?.split('\n')[1]).toContain('calls.test.ts')
      expect((await failureOf(call(admin, { signal: AbortSignal.abort(reason) }))).cause).toBe(reason)
    })
  }
})

describe('a signal', () => {
  test('leaves nothing behind where a call ends before it', async () => {
    await using broker = await EmbeddedBroker.start()
    await using admin = new Admin({ bootstrap: broker.bootstrap })
    await using producer = new Producer({ bootstrap: broker.bootstrap, transactionalId: 'id' })
    const { signal } = new AbortController()
    await admin.createTopics([{ name: 'orders', partitions: 1 }], { signal })
    await admin.describeTopics(['orders'], { signal })
    await admin.listOffsets([{ topic: 'orders', partition: 0, timestamp: -1 }], { signal })
    await producer.transaction(async ({ send }) => void (await send({ topic: 'orders', value: 'x' }, { signal })), {
      signal,
    })
    await producer.flush({ signal })
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })

  test('is the end of the repetitions: nothing is sent for the call after it', async () => {
    const fake = new FakeBroker()
    serveMetadata(fake, { topic: 'orders', partitions: 1 })
    const stop = new AbortController()
    const asked = Promise.withResolvers<void>()
    const answer = Promise.withResolvers<void>()
    fake.on(CreateTopicsRequest, CreateTopicsResponse, () => null)
    fake.on(MetadataRequest, MetadataResponse, async () => {
      asked.resolve()
      await answer.promise
      return {
        throttleTimeMs: 0,
        brokers: [{ nodeId: 1, host: fake.host, port: fake.port, rack: null }],
        clusterId: null,
        controllerId: 1,
        topics: [],
      }
    })
    const admin = new Admin({ bootstrap: `127.0.0.1:${fake.port}` })
    const called = failureOf(admin.createTopics([{ name: 't' }], { signal: stop.signal }))
    await asked.promise
    stop.abort()
    expect((await called).code).toBe('ERR_ABORTED')
    answer.resolve()
    await admin.close()
    expect(fake.requests(CreateTopicsRequest.key)).toHaveLength(0)
    fake.stop()
  })

  test('ends connecting', async () => {
    const fake = new FakeBroker()
    fake.onRaw(18, () => null)
    const stop = new AbortController()
    const connecting = failureOf(Cluster.connect({ bootstrap: [fake] }, stop.signal))
    while (fake.requests(18).length === 0) await Bun.sleep(1)
    stop.abort(new Error('enough'))
    expect(await connecting).toMatchObject({ code: 'ERR_ABORTED', cause: new Error('enough') })
    while (fake.connectionCount > 0) await Bun.sleep(1)
    fake.stop()
  })
})

describe('producer', () => {
  let fake: FakeBroker
  let producer: Producer
  const record = { topic: 'orders', value: 'x', partition: 0 }

  beforeEach(() => {
    fake = new FakeBroker()
    serveMetadata(fake, { topic: 'orders', partitions: 1 })
  })
  afterEach(async () => {
    await producer.close({ timeoutMs: 1 })
    fake.stop()
  })

  test('flush and close end with their signals; what is left fails', async () => {
    serveLogs(fake, 1, () => 'take in silence')
    producer = new Producer({ bootstrap: `127.0.0.1:${fake.port}` })
    const sent = failureOf(producer.send(record))
    const stop = new AbortController()
    const ended = [
      failureOf(producer.flush({ signal: stop.signal })),
      failureOf(producer.close({ signal: stop.signal })),
    ]
    stop.abort(new Error('enough'))
    for (const error of await Promise.all(ended)) {
      expect(error.code).toBe('ERR_ABORTED')
      expect(error.stack?.split('\n')[1]).toContain('calls.test.ts')
    }
    expect((await sent).code).toBe('ERR_CLOSED')
    expect(getEventListeners(stop.signal, 'abort')).toHaveLength(0)
  })

  test('a second close waits for the first', async () => {
    const release = Promise.withResolvers<void>()
    serveLogs(fake, 1)
    const take = fake.handlerOf(0)
    fake.onRaw(0, async (body, seen) => {
      await release.promise
      return take(body, seen)
    })
    producer = new Producer({ bootstrap: `127.0.0.1:${fake.port}` })
    let isStored = false
    const sent = producer.send(record).then(() => {
      isStored = true
    })
    producer.close().catch(() => undefined)
    const second = producer.close()
    release.resolve()
    await second
    expect(isStored).toBe(true)
    await sent
  })

  test('calls that are not allowed say where they were made', async () => {
    producer = new Producer({ bootstrap: `127.0.0.1:${fake.port}` })
    const calls = [
      () => producer.beginTransaction(),
      () => producer.commitTransaction(),
      () => producer.abortTransaction(),
      () => producer.sendOffsets('g', []),
      () => producer.transaction(async () => undefined),
    ]
    for (const call of calls) {
      const error = await failureOf(call())
      expect(error.code).toBe('ERR_INVALID_STATE')
      expect(error.stack?.split('\n')[1]).toContain('calls.test.ts')
    }
    await producer.close()
    expect((await failureOf(producer.send(record))).stack?.split('\n')[1]).toContain('calls.test.ts')
  })

  test('a transaction ends with its signal: it is aborted, and the next one begins', async () => {
    await using broker = await EmbeddedBroker.start()
    producer = new Producer({ bootstrap: broker.bootstrap, transactionalId: 'id' })
    const stop = new AbortController()
    const ended = failureOf(
      producer.transaction(
        async ({ send }) => {
          await send(record)
          stop.abort(new Error('enough'))
          await new Promise(() => undefined)
        },
        { signal: stop.signal },
      ),
    )
    expect((await ended).code).toBe('ERR_ABORTED')
    await producer.transaction(async ({ send }) => void (await send({ ...record, value: 'y' })))
    const beginning = failureOf(producer.beginTransaction({ signal: AbortSignal.abort() }))
    expect((await beginning).code).toBe('ERR_ABORTED')
    await producer.beginTransaction()
    const error = await failureOf(producer.commitTransaction({ signal: AbortSignal.abort() }))
    expect(error.code).toBe('ERR_ABORTED')
    await producer.abortTransaction()
  })
})
