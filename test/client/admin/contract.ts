// What the Admin of the client must do, whatever the broker. Run against Samsa in this process, and against a real Kafka in test/interop.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { Admin } from '../../../src/client/admin/admin.ts'
import { Cluster } from '../../../src/client/cluster.ts'
import { KafkaError } from '../../../src/client/errors.ts'
import { EARLIEST_TIMESTAMP, LATEST_TIMESTAMP } from '../../../src/client/offsets.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { ProduceRequest, ProduceResponse } from '../../../src/protocol/messages/00-produce.ts'
import { InitProducerIdRequest, InitProducerIdResponse } from '../../../src/protocol/messages/22-init-producer-id.ts'
import { batchOf, produceRequest } from '../../broker/support/test-broker.ts'

export interface AdminTarget {
  readonly bootstrap: string
  stop(): Promise<void>
}

const TIMEOUT_MS = 180_000
const WAIT_MS = 60_000

export function describeAdmin(name: string, start: () => Promise<AdminTarget>): void {
  let target: AdminTarget
  let cluster: Cluster
  let admin: Admin

  beforeAll(async () => {
    target = await start()
    const [host, port] = target.bootstrap.split(':') as [string, string]
    cluster = await Cluster.connect({ bootstrap: [{ host, port: Number(port) }], timeoutMs: WAIT_MS })
    admin = new Admin({ bootstrap: target.bootstrap, timeoutMs: WAIT_MS })
  }, TIMEOUT_MS)

  afterAll(async () => {
    await admin?.close()
    await cluster?.close()
    await target?.stop()
  }, TIMEOUT_MS)

  /** A broker's own view comes a moment after the answer that changed it. */
  async function until<T>(ask: () => Promise<T>, isThere: (value: T) => boolean): Promise<T> {
    const deadlineMs = performance.now() + WAIT_MS
    for (;;) {
      const value = await ask()
      if (isThere(value) || performance.now() > deadlineMs) return value
      await Bun.sleep(20)
    }
  }

  async function made(topic: string, partitions = 1): Promise<void> {
    const [outcome] = await admin.createTopics([{ name: topic, partitions, replicationFactor: 1 }])
    expect(outcome).toEqual({ name: topic, error: null })
    await cluster.topic(topic, { create: true })
  }

  async function produced(topic: string, values: readonly string[]): Promise<void> {
    const leader = await cluster.broker(cluster.partition(topic, 0)!.leaderId)
    const request = produceRequest([batchOf(values)], { topic, partition: 0 })
    const answer = await leader.send(ProduceRequest, ProduceResponse, request, { version: 12 })
    expect(answer.responses[0]!.partitionResponses[0]!.errorCode).toBe(ErrorCode.NONE)
  }

  const errors = (outcomes: readonly { readonly error: KafkaError | null }[]) =>
    outcomes.map(({ error }) => error?.code ?? null)

  describe(`the admin client against ${name}`, () => {
    test(
      'topics: made, described, grown, deleted; each failure is its own',
      async () => {
        const wanted = { partitions: 2, replicationFactor: 1, configs: { 'retention.ms': '1000' } }
        expect(
          errors(
            await admin.createTopics([
              { name: 'a', ...wanted },
              { name: 'b', ...wanted },
              { name: 'no/name', ...wanted },
            ]),
          ),
        ).toEqual([null, null, 'INVALID_TOPIC_EXCEPTION'])
        expect(errors(await admin.createTopics([{ name: 'a', ...wanted }]))).toEqual(['TOPIC_ALREADY_EXISTS'])
        const listed = await until(
          () => admin.listTopics(),
          (names) => names.includes('a') && names.includes('b'),
        )
        expect(listed.filter((each) => each.length === 1)).toEqual(['a', 'b'])
        expect(
          errors(
            await admin.createPartitions([
              { name: 'a', count: 3 },
              { name: 'b', count: 1 },
            ]),
          ),
        ).toEqual([null, 'INVALID_PARTITIONS'])
        const [a] = await until(
          () => admin.describeTopics(['a']),
          ([topic]) => topic?.partitions.length === 3,
        )
        expect(a!.partitions.map(({ partition, replicas }) => [partition, replicas.length])).toEqual([
          [0, 1],
          [1, 1],
          [2, 1],
        ])
        expect(errors(await admin.deleteTopics(['b', 'nobody']))).toEqual([null, 'UNKNOWN_TOPIC_OR_PARTITION'])
        await until(
          () => admin.listTopics(),
          (names) => !names.includes('b'),
        )
        expect(admin.describeTopics(['b'])).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION' })
      },
      TIMEOUT_MS,
    )

    test(
      'settings: of topics, brokers and groups, with where they come from',
      async () => {
        await made('settings')
        const topic = { type: 'topic', name: 'settings' } as const
        const changes = [
          { name: 'cleanup.policy', operation: 'append', value: 'compact' },
          { name: 'segment.ms', operation: 'set', value: '5000' },
        ] as const
        const nonsense = { type: 'topic', name: 'settings-not-there', changes } as const
        expect(errors(await admin.alterConfigs([{ ...topic, changes }, nonsense]))).toEqual([
          null,
          'UNKNOWN_TOPIC_OR_PARTITION',
        ])
        const read = () =>
          admin.describeConfigs([topic], { keys: ['cleanup.policy', 'segment.ms', 'retention.ms'], synonyms: true })
        const [described] = await until(read, ([row]) => row?.configs[2]?.value === '5000')
        expect(described!.configs.map(({ name: key, value, source }) => [key, value, source])).toEqual([
          ['cleanup.policy', 'delete,compact', 'topic'],
          ['retention.ms', '604800000', 'default'],
          ['segment.ms', '5000', 'topic'],
        ])
        expect(described!.configs[2]!.synonyms[0]).toEqual({ name: 'segment.ms', value: '5000', source: 'topic' })

        const { nodeId } = (await admin.describeCluster()).brokers[0]!
        const broker = { type: 'broker', name: String(nodeId) } as const
        const set = [{ name: 'log.cleaner.threads', operation: 'set', value: '2' }] as const
        expect(errors(await admin.alterConfigs([{ ...broker, changes: set }]))).toEqual([null])
        const [own] = await until(
          () => admin.describeConfigs([broker], { keys: ['log.cleaner.threads'] }),
          ([row]) => row?.configs[0]?.value === '2',
        )
        expect(own!.configs[0]).toMatchObject({ source: 'broker', value: '2', isReadOnly: false })
        const group = {
          type: 'group',
          name: 'g',
          changes: [{ name: 'consumer.session.timeout.ms', operation: 'set', value: '50000' }],
        } as const
        expect(errors(await admin.alterConfigs([group]))).toEqual([null])
        const listed = await until(
          () => admin.listConfigResources(['group']),
          (found) => found.length > 0,
        )
        expect(listed).toEqual([{ type: 'group', name: 'g' }])
        expect(admin.describeConfigs([{ type: 'topic', name: 'not-there' }])).rejects.toMatchObject({
          code: 'UNKNOWN_TOPIC_OR_PARTITION',
        })
      },
      TIMEOUT_MS,
    )

    test(
      'records: deleted up to an offset, seen in the offsets',
      async () => {
        await made('records')
        await produced('records', ['a', 'b', 'c'])
        const rows = await admin.deleteRecords([
          { topic: 'records', partition: 0, offset: 2 },
          { topic: 'records', partition: 7, offset: 2 },
        ])
        expect(rows[0]).toEqual({ topic: 'records', partition: 0, logStartOffset: 2, error: null })
        expect(rows[1]!.error?.code).toBe('UNKNOWN_TOPIC_OR_PARTITION')
        const where = { topic: 'records', partition: 0 }
        const found = await admin.listOffsets([
          { ...where, timestamp: EARLIEST_TIMESTAMP },
          { ...where, timestamp: LATEST_TIMESTAMP },
        ])
        expect(found.map(({ offset }) => offset)).toEqual([2, 3])
      },
      TIMEOUT_MS,
    )

    test(
      'groups without members: offsets set, read, deleted; the group deleted',
      async () => {
        await made('grouped', 2)
        const offsets = [0, 1].map((partition) => ({
          topic: 'grouped',
          partition,
          offset: 5 + partition,
          metadata: 'm',
        }))
        expect(errors(await admin.alterOffsets('idle', offsets))).toEqual([null, null])
        expect(await admin.committedOffsets('idle')).toEqual(offsets)
        expect((await admin.listGroups()).map(({ groupId, state }) => [groupId, state])).toContainEqual([
          'idle',
          'Empty',
        ])
        expect(await admin.describeGroup('idle')).toMatchObject({ groupId: 'idle', state: 'Empty', members: [] })
        expect(errors(await admin.deleteOffsets('idle', [{ topic: 'grouped', partition: 0 }]))).toEqual([null])
        expect((await admin.committedOffsets('idle')).map(({ partition }) => partition)).toEqual([1])
        expect(errors(await admin.removeMembers('idle', [{ memberId: 'nobody' }, { instanceId: 'nobody' }]))).toEqual([
          'UNKNOWN_MEMBER_ID',
          'UNKNOWN_MEMBER_ID',
        ])
        expect(errors(await admin.deleteGroups(['idle', 'never-there']))).toEqual([null, 'GROUP_ID_NOT_FOUND'])
        expect(admin.describeGroup('idle')).rejects.toMatchObject({ code: 'GROUP_ID_NOT_FOUND' })
      },
      TIMEOUT_MS,
    )

    test(
      'transactions: listed, described, their producers fenced',
      async () => {
        const coordinator = await cluster.coordinator('transaction', 'payments')
        const begin = { transactionalId: 'payments', transactionTimeoutMs: 60_000 }
        const { producerId, producerEpoch } = await until(
          () => coordinator.send(InitProducerIdRequest, InitProducerIdResponse, begin, { version: 4 }),
          ({ errorCode }) => errorCode === ErrorCode.NONE,
        )
        expect(await admin.listTransactions({ states: ['Empty'] })).toMatchObject([
          { transactionalId: 'payments', producerId, state: 'Empty' },
        ])
        expect(await admin.listTransactions({ producerIds: [producerId + 1] })).toEqual([])
        expect(await admin.describeTransaction('payments')).toMatchObject({
          state: 'Empty',
          producerEpoch,
          timeoutMs: 60_000,
          startedMs: -1,
          partitions: [],
        })
        expect(admin.describeTransaction('nobody')).rejects.toMatchObject({ code: 'TRANSACTIONAL_ID_NOT_FOUND' })
        expect(errors(await admin.fenceProducers(['payments']))).toEqual([null])
        expect((await admin.describeTransaction('payments')).producerEpoch).toBeGreaterThan(producerEpoch)
        await made('written')
        await produced('written', ['x'])
        expect(await admin.describeProducers('written', 0)).toEqual([])
        expect(admin.describeProducers('written', 9)).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION' })
        const hanging = { topic: 'written', partition: 0, producerId: 4711, producerEpoch: 0, coordinatorEpoch: 0 }
        expect(await admin.abortTransaction(hanging)).toBeUndefined()
      },
      TIMEOUT_MS,
    )

    test(
      'quotas and users: changed and described',
      async () => {
        const entity = { user: 'alice', clientId: null }
        expect(
          errors(
            await admin.alterClientQuotas([{ entity, quotas: { producer_byte_rate: 1000, consumer_byte_rate: 2000 } }]),
          ),
        ).toEqual([null])
        const read = () => admin.describeClientQuotas({ user: 'alice', clientId: { is: 'default' }, strict: true })
        const both = { entity, quotas: { producer_byte_rate: 1000, consumer_byte_rate: 2000 } }
        expect(await until(read, (found) => found.length > 0)).toEqual([both])
        expect(errors(await admin.alterClientQuotas([{ entity, quotas: { consumer_byte_rate: null } }]))).toEqual([
          null,
        ])
        const less = await until(read, ([found]) => Object.keys(found?.quotas ?? {}).length === 1)
        expect(less).toEqual([{ entity, quotas: { producer_byte_rate: 1000 } }])

        const sha256 = { user: 'alice', mechanism: 'SCRAM-SHA-256', password: 'secret' } as const
        const sha512 = { user: 'alice', mechanism: 'SCRAM-SHA-512', password: 'secret', iterations: 8192 } as const
        const removed = { user: 'bob', mechanism: 'SCRAM-SHA-256', remove: true } as const
        expect((await admin.alterUsers([sha256, removed])).map(({ user, error }) => [user, error?.code])).toEqual([
          ['alice', undefined],
          ['bob', 'RESOURCE_NOT_FOUND'],
        ])
        expect(errors(await admin.alterUsers([sha512]))).toEqual([null])
        const users = await until(
          () => admin.describeUsers(),
          (found) => found[0]?.credentials.length === 2,
        )
        expect(users[0]!.credentials).toContainEqual({ mechanism: 'SCRAM-SHA-512', iterations: 8192 })
        expect(admin.describeUsers(['carol'])).rejects.toMatchObject({ code: 'RESOURCE_NOT_FOUND' })
      },
      TIMEOUT_MS,
    )

    test(
      'what needs an authorizer or authentication says so',
      async () => {
        const acl = {
          resourceType: 'topic',
          resourceName: 'a',
          patternType: 'literal',
          principal: 'User:a',
          host: '*',
          operation: 'read',
          permission: 'allow',
        } as const
        expect(admin.describeAcls({ resourceType: 'topic' })).rejects.toMatchObject({ code: 'SECURITY_DISABLED' })
        expect(errors(await admin.createAcls([acl]))).toEqual(['SECURITY_DISABLED'])
        expect(errors(await admin.deleteAcls([{ principal: 'User:a' }]))).toEqual(['SECURITY_DISABLED'])
        expect(admin.describeDelegationTokens()).rejects.toBeInstanceOf(KafkaError)
        expect(admin.createDelegationToken({ renewers: ['User:b'] })).rejects.toBeInstanceOf(KafkaError)
      },
      TIMEOUT_MS,
    )

    test(
      'the cluster: brokers, features, folders, elections, reassignments',
      async () => {
        await made('placed')
        const { brokers, controllerId } = await admin.describeCluster({ includeFenced: true })
        expect(brokers.map(({ nodeId, isFenced }) => [nodeId, isFenced])).toEqual([[controllerId, false]])
        const features = await admin.describeFeatures()
        expect(features.find(({ name: feature }) => feature === 'transaction.version')).toMatchObject({
          level: 2,
          max: 2,
        })
        const nothing = [{ name: 'group.version', level: 1 }]
        expect(await admin.updateFeatures(nothing, { validateOnly: true })).toBeUndefined()
        const dirs = await admin.describeLogDirs()
        expect(dirs.flatMap(({ replicas }) => replicas.map(({ topic }) => topic))).toContain('placed')
        const move = { broker: controllerId, topic: 'placed', partition: 0, path: '/not/there' }
        expect(errors(await admin.alterReplicaLogDirs([move]))).toEqual(['LOG_DIR_NOT_FOUND'])
        const placed = [{ topic: 'placed', partition: 0 }]
        expect(errors(await admin.electLeaders('preferred', placed))).toEqual(['ELECTION_NOT_NEEDED'])
        expect(await admin.listPartitionReassignments()).toEqual([])
        const cancel = [{ ...placed[0]!, replicas: null }]
        expect(errors(await admin.alterPartitionReassignments(cancel))).toEqual(['NO_REASSIGNMENT_IN_PROGRESS'])
      },
      TIMEOUT_MS,
    )
  })
}
