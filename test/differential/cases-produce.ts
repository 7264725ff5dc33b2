// Produce and InitProducerId.
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/00-produce.ts'
import { FetchRequest, FetchResponse } from '../../src/protocol/messages/01-fetch.ts'
import { ApiVersionsRequest, ApiVersionsResponse } from '../../src/protocol/messages/18-api-versions.ts'
import { InitProducerIdRequest, InitProducerIdResponse } from '../../src/protocol/messages/22-init-producer-id.ts'
import { type Input, ZERO_UUID } from '../../src/protocol/schema.ts'
import { type BatchInput, iterateRecords, readBatchHeader } from '../../src/records/batch.ts'
import type { DifferentialBroker } from './broker.ts'
import { accepting, asks, type CaseGroup, type DifferentialCase } from './case.ts'
import { batchOf, changed, NOW, type ProduceOptions, produceTo, record } from './produce-helpers.ts'

const fetch = asks(FetchRequest, FetchResponse)
const produce = asks(ProduceRequest, ProduceResponse)
const initProducerId = asks(InitProducerIdRequest, InitProducerIdResponse)

const TOPIC = 'produce'
const HOUR_MS = 3_600_000
const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

/** A batch, good or bad, to one partition, in a version that tells why it was refused. */
function batchCase(
  name: string,
  batch: Buffer | null,
  options: ProduceOptions & { topic?: string; version?: number } = {},
): DifferentialCase {
  const { topic = TOPIC, version = 9, ...rest } = options
  return produce(name, version, produceTo(topic, batch, rest))
}

const damaged = (change: (batch: Buffer) => void): Buffer => changed(batchOf(['one', 'two', 'three']), change)

function broken(change: (batch: Buffer) => void): Buffer {
  const batch = batchOf(['one', 'two', 'three'])
  change(batch)
  return batch
}

/** acks=0 has no answer: whether the connection lives shows what the broker thought. */
function withoutAcks(name: string, topic: string, batch: Buffer): DifferentialCase {
  return {
    name,
    ask: async (broker) => {
      const connection = await broker.connection('acks-0')
      connection.sendNoReply(ProduceRequest, produceTo(topic, batch, { acks: 0 }), { version: 9 })
      const software = { clientSoftwareName: 'differential', clientSoftwareVersion: '1' }
      return (await connection.send(ApiVersionsRequest, ApiVersionsResponse, software, { version: 3 })).errorCode
    },
  }
}

/** The answer that refuses the batch of one partition, as it reads normalised. */
function refused(name: string, logStartOffset: number): unknown {
  const missing = { baseOffset: -1, logAppendTimeMs: -1, recordErrors: [], errorMessage: null }
  const row = { index: 0, errorCode: 87, ...missing, logStartOffset, currentLeader: { leaderId: -1, leaderEpoch: -1 } }
  return { responses: [{ name, topicId: ZERO_UUID, partitionResponses: [row] }], throttleTimeMs: 0, nodeEndpoints: [] }
}

const SHAPES: CaseGroup = {
  api: 'Produce',
  prepare: async (broker) => {
    await broker.createTopic(TOPIC, { partitions: 2 })
    await broker.createTopic('produce-deltas')
    await broker.createTopic('produce-compact', { configs: { 'cleanup.policy': 'compact' } })
    await broker.createTopic('produce-append-time', { configs: { 'message.timestamp.type': 'LogAppendTime' } })
    await broker.createTopic('produce-small', { configs: { 'max.message.bytes': '200' } })
    await broker.createTopic('produce-recent', { configs: { 'message.timestamp.before.max.ms': String(24 * HOUR_MS) } })
    await broker.createTopic('produce-two-replicas', { configs: { 'min.insync.replicas': '2' } })
    await broker.createTopic('produce-segment', {
      configs: { 'segment.bytes': '1048576', 'max.message.bytes': '5000000' },
    })
    await broker.createTopic('produce-no-future', { configs: { 'message.timestamp.after.max.ms': '1000' } })
  },
  cases: [
    ...[3, 4, 5, 6, 7, 8, 9, 10, 11, 12].map((version) => batchCase('one batch', batchOf(['value']), { version })),
    produce('one batch by topic id', 13, (broker) => ({
      ...produceTo('', null),
      topicData: [{ topicId: broker.topicId(TOPIC), partitionData: [{ index: 0, records: [batchOf(['by id'])] }] }],
    })),
    ...CODECS.map((codec, id) =>
      batchCase(
        `${codec} is taken as it is`,
        batchOf(['a', 'b', 'c'], { codec: id as NonNullable<BatchInput['codec']> }),
      ),
    ),
    batchCase('acks 1', batchOf(['value']), { acks: 1 }),
    batchCase('acks 2', batchOf(['value']), { acks: 2 }),
    batchCase('acks -2', batchOf(['value']), { acks: -2 }),
    withoutAcks('acks 0 leaves the connection open', TOPIC, batchOf(['silent'])),
    withoutAcks('acks 0 to an unknown topic closes the connection', 'produce-unknown', batchOf(['silent'])),
    withoutAcks(
      'acks 0 with a wrong checksum closes the connection',
      TOPIC,
      broken((batch) => batch.writeUInt32BE(1, 17)),
    ),
    batchCase('an unknown topic', batchOf(['value']), { topic: 'produce-unknown' }),
    batchCase('an unknown partition', batchOf(['value']), { partition: 7 }),
    batchCase('a negative partition', batchOf(['value']), { partition: -1 }),
    batchCase('a malformed topic name', batchOf(['value']), { topic: 'no spaces' }),
    produce('an unknown topic id', 13, {
      ...produceTo('', null),
      topicData: [{ topicId: 'MTIzNDU2Nzg5MDEyMzQ1Ng', partitionData: [{ index: 0, records: [batchOf(['x'])] }] }],
    }),
    produce('a zero topic id', 13, {
      ...produceTo('', null),
      topicData: [{ topicId: ZERO_UUID, partitionData: [{ index: 0, records: [batchOf(['x'])] }] }],
    }),
    produce('a good and a bad partition', 9, {
      ...produceTo(TOPIC, null),
      topicData: [
        {
          name: TOPIC,
          partitionData: [
            { index: 1, records: [batchOf(['good'])] },
            { index: 0, records: [Buffer.alloc(0)] },
          ],
        },
      ],
    }),
    produce('no topics', 9, { ...produceTo(TOPIC, null), topicData: [] }),
    produce('the same partition twice', 9, {
      ...produceTo(TOPIC, null),
      topicData: [
        {
          name: TOPIC,
          partitionData: [
            { index: 1, records: [batchOf(['first of two'])] },
            { index: 1, records: [batchOf(['second of two'])] },
          ],
        },
      ],
    }),
    batchCase('an internal topic', batchOf(['value']), { topic: '__consumer_offsets' }),
    accepting(
      produce('null records', 9, produceTo(TOPIC, null), { connection: 'never-answered', timeoutMs: 1_500 }),
      'Kafka never answers a null record set',
      refused(TOPIC, -1),
    ),
    batchCase('empty records', Buffer.alloc(0)),
    batchCase('two batches', Buffer.concat([batchOf(['one']), batchOf(['two'])])),
    batchCase('a batch that ends early', batchOf(['value']).subarray(0, -3)),
    batchCase('less than a header', batchOf(['value']).subarray(0, 30)),
    batchCase('bytes after the batch', Buffer.concat([batchOf(['value']), Buffer.alloc(7, 1)])),
    batchCase(
      'magic 1',
      broken((batch) => batch.writeInt8(1, 16)),
    ),
    batchCase(
      'magic 0',
      broken((batch) => batch.writeInt8(0, 16)),
    ),
    batchCase(
      'magic 3',
      broken((batch) => batch.writeInt8(3, 16)),
    ),
    batchCase(
      'a negative batch length',
      broken((batch) => batch.writeInt32BE(-1, 8)),
    ),
    batchCase(
      'a batch length too small',
      broken((batch) => batch.writeInt32BE(10, 8)),
    ),
    batchCase(
      'a batch length beyond the data',
      broken((batch) => batch.writeInt32BE(batch.length, 8)),
    ),
    batchCase(
      'a wrong checksum',
      broken((batch) => batch.writeUInt32BE(1, 17)),
    ),
    batchCase(
      'a changed byte',
      broken((batch) => batch.writeUInt8(0x7e, batch.length - 3)),
    ),
    batchCase(
      'a base offset of the client',
      damaged((batch) => batch.writeInt32BE(5, 4)),
    ),
    batchCase(
      'a leader epoch of the client',
      damaged((batch) => batch.writeInt32BE(9, 12)),
    ),
    batchCase(
      'a record count too high',
      damaged((batch) => batch.writeInt32BE(4, 57)),
    ),
    batchCase(
      'a record count too low',
      damaged((batch) => batch.writeInt32BE(2, 57)),
    ),
    batchCase(
      'a record count of 0',
      damaged((batch) => batch.writeInt32BE(0, 57)),
    ),
    batchCase(
      'a negative record count',
      damaged((batch) => batch.writeInt32BE(-1, 57)),
    ),
    batchCase(
      'count and last offset delta agree on one too many',
      damaged((batch) => {
        batch.writeInt32BE(4, 57)
        batch.writeInt32BE(3, 23)
      }),
    ),
    batchCase(
      'count and last offset delta agree on one too few',
      damaged((batch) => {
        batch.writeInt32BE(2, 57)
        batch.writeInt32BE(1, 23)
      }),
    ),
    batchCase(
      'a last offset delta too high',
      damaged((batch) => batch.writeInt32BE(9, 23)),
    ),
    batchCase(
      'a last offset delta too low',
      damaged((batch) => batch.writeInt32BE(0, 23)),
    ),
    batchCase(
      'a record length beyond the batch',
      damaged((batch) => batch.writeUInt8(0x7e, 61)),
    ),
    accepting(
      batchCase(
        'a record with a wrong offset delta',
        damaged((batch) => batch.writeUInt8(0x0a, 64)),
        { topic: 'produce-deltas' },
      ),
      'Kafka stores it and serves offsets that overlap',
      refused('produce-deltas', 0),
    ),
    batchCase(
      'a control batch',
      damaged((batch) => batch.writeInt16BE(0x20, 21)),
    ),
    batchCase(
      'a transactional batch without a transactional id',
      damaged((batch) => batch.writeInt16BE(0x10, 21)),
    ),
    batchCase(
      'an unknown codec',
      damaged((batch) => batch.writeInt16BE(6, 21)),
    ),
    batchCase(
      'a payload that does not decompress',
      damaged((batch) => batch.writeInt16BE(1, 21)),
    ),
    batchCase(
      'a maximum timestamp that is wrong',
      damaged((batch) => batch.writeInt32BE(1, 39)),
    ),
    batchCase('zstd in a version that does not know it', batchOf(['a'], { codec: 4 }), { version: 6 }),
    batchCase('a compacted topic takes keys', batchOf(['keyed']), { topic: 'produce-compact' }),
    batchCase(
      'a compacted topic refuses records without keys',
      batchOf(['x'], {
        records: [record('keyed'), record('not keyed', { key: null }), record('neither', { key: null })],
      }),
      { topic: 'produce-compact' },
    ),
    batchCase(
      'a compacted topic refuses them compressed too',
      batchOf(['x'], { codec: 1, records: [record('a'), record('b', { key: null })] }),
      {
        topic: 'produce-compact',
      },
    ),
    batchCase('append time', batchOf(['timed']), { topic: 'produce-append-time' }),
    batchCase('append time of a client', batchOf(['timed'], { timestampType: 'LogAppendTime' })),
    batchCase('a batch above max.message.bytes', batchOf(['x'.repeat(300)]), { topic: 'produce-small' }),
    batchCase('a batch that compresses below max.message.bytes', batchOf(['x'.repeat(300)], { codec: 1 }), {
      topic: 'produce-small',
    }),
    batchCase('a batch larger than a segment', batchOf(['x'.repeat(2_000_000)]), { topic: 'produce-segment' }),
    batchCase(
      'a timestamp in the future',
      batchOf(['x'], { records: [record('x'), record('late', { timestamp: NOW + 2 * HOUR_MS })] }),
    ),
    batchCase(
      'a timestamp beyond a narrower future',
      batchOf(['x'], { records: [record('x', { timestamp: NOW + HOUR_MS / 2 })] }),
      {
        topic: 'produce-no-future',
      },
    ),
    batchCase(
      'a timestamp too old',
      batchOf(['x'], { records: [record('x', { timestamp: NOW - 48 * HOUR_MS }), record('y')] }),
      {
        topic: 'produce-recent',
      },
    ),
    batchCase('no timestamp', batchOf(['x'], { records: [record('x', { timestamp: -1 })] })),
    batchCase('min.insync.replicas above the replicas', batchOf(['x']), { topic: 'produce-two-replicas' }),
    batchCase(
      'a tombstone and headers',
      batchOf(['x'], {
        records: [
          record(null),
          record('h', {
            headers: [
              { key: 'a', value: Buffer.from('1') },
              { key: 'b', value: null },
            ],
          }),
        ],
      }),
    ),
    batchCase('a transactional id without transactional batches', batchOf(['x']), { transactionalId: 'unused' }),
    stored('everything above is stored alike', TOPIC),
    stored('so is the other partition', TOPIC, 1),
    stored('with append times', 'produce-append-time'),
    stored('and in a compacted topic', 'produce-compact'),
  ],
}

/** What a consumer gets of all that was taken: the batches as they lie in the log. */
function stored(name: string, topic: string, partition = 0): DifferentialCase {
  return fetch(`Fetch: ${name}`, 12, reading(topic, partition))
}

function reading(topic: string, partition = 0): Input<typeof FetchRequest> {
  const wanted = { partition, fetchOffset: 0, partitionMaxBytes: 10_000_000 }
  return { maxWaitMs: 0, minBytes: 0, topics: [{ topic, partitions: [wanted] }], forgottenTopicsData: [] }
}

const TARGET_CODECS = ['uncompressed', 'gzip', 'snappy', 'lz4', 'zstd', 'producer']

/** The same records, whatever the bytes that an encoder makes of them. */
function recompressed(codec: string): DifferentialCase[] {
  const topic = `recompress-${codec}`
  const values = ['one', 'two', 'three '.repeat(100)]
  return [
    batchCase(`a plain batch to ${codec}`, batchOf(values), { topic }),
    batchCase(`a gzip batch to ${codec}`, batchOf(values, { codec: 1 }), { topic }),
    batchCase(`a zstd batch to ${codec}`, batchOf(values, { codec: 4 }), { topic }),
    fetch(`Fetch: the records in ${codec}`, 12, reading(topic), {
      only: ({ responses }) => decoded(Buffer.concat(responses[0]?.partitions[0]?.records ?? [])),
    }),
  ]
}

function decoded(bytes: Buffer): unknown[] {
  const found: unknown[] = []
  for (let position = 0; position < bytes.length; ) {
    const { sizeBytes, crc: _, ...header } = readBatchHeader(bytes, position)
    found.push({ ...header, content: [...iterateRecords(bytes.subarray(position, position + sizeBytes))] })
    position += sizeBytes
  }
  return found
}

const RECOMPRESSION: CaseGroup = {
  api: 'Produce with compression.type',
  prepare: async (broker) => {
    for (const codec of TARGET_CODECS) {
      await broker.createTopic(`recompress-${codec}`, { configs: { 'compression.type': codec } })
    }
  },
  cases: [
    ...TARGET_CODECS.flatMap(recompressed),
    fetch('Fetch: zstd for a version that did not know it', 9, reading('recompress-zstd'), {
      only: ({ responses }) =>
        responses[0]?.partitions.map(({ records, ...row }) => [row, decoded(Buffer.concat(records ?? []))]),
    }),
  ],
}

interface Sequence {
  sequence: number
  count?: number
  epoch?: number
  producer?: string
  partition?: number
}

/** A batch of the remembered producer. */
function idempotent(
  name: string,
  { sequence, count = 1, epoch = 0, producer = 'first', partition = 0 }: Sequence,
): DifferentialCase {
  return produce(name, 9, (broker) => {
    const values = Array.from({ length: count }, (_, index) => `${sequence + index}`)
    const producerId = broker.recall<number>(`producer ${producer}`)
    return produceTo('idempotent', batchOf(values, { producerId, producerEpoch: epoch, baseSequence: sequence }), {
      partition,
    })
  })
}

function keepProducer(name: string): { keep: (broker: DifferentialBroker, answer: { producerId: number }) => void } {
  return { keep: (broker, { producerId }) => broker.remember(`producer ${name}`, producerId) }
}

const NO_TRANSACTION = { transactionalId: null, transactionTimeoutMs: 60_000 }

const IDEMPOTENCE: CaseGroup = {
  api: 'InitProducerId',
  prepare: async (broker) => {
    await broker.createTopic('idempotent', { partitions: 3 })
    // Kafka answers COORDINATOR_LOAD_IN_PROGRESS until its first block of ids has come.
    const connection = await broker.connection('setup')
    await broker.until('there are producer ids', async () => {
      const answer = await connection.send(InitProducerIdRequest, InitProducerIdResponse, NO_TRANSACTION, {
        version: 4,
      })
      return answer.errorCode === 0
    })
  },
  cases: [
    initProducerId('a new producer', 0, NO_TRANSACTION, keepProducer('first')),
    initProducerId('another new producer', 1, NO_TRANSACTION, keepProducer('second')),
    ...[2, 3, 4, 5].map((version) => initProducerId('a new producer', version, NO_TRANSACTION)),
    initProducerId('a zero timeout without a transactional id', 4, { transactionalId: null, transactionTimeoutMs: 0 }),
    initProducerId('an empty transactional id', 4, { transactionalId: '', transactionTimeoutMs: 1000 }),
    initProducerId('a producer id without an epoch', 4, { ...NO_TRANSACTION, producerId: 5, producerEpoch: -1 }),
    initProducerId('an epoch without a producer id', 4, { ...NO_TRANSACTION, producerId: -1, producerEpoch: 5 }),
    initProducerId('a known producer without a transactional id gets a new one', 4, (broker) => ({
      ...NO_TRANSACTION,
      producerId: broker.recall<number>('producer first'),
      producerEpoch: 0,
    })),
    idempotent('produce: the first batch', { sequence: 0, count: 3 }),
    idempotent('produce: the next batch', { sequence: 3, count: 2 }),
    idempotent('produce: the same batch again', { sequence: 3, count: 2 }),
    idempotent('produce: an older batch again', { sequence: 0, count: 3 }),
    idempotent('produce: a gap', { sequence: 9 }),
    idempotent('produce: an overlap that is no duplicate', { sequence: 4, count: 3 }),
    idempotent('produce: after the errors the right one is still taken', { sequence: 5 }),
    ...[6, 7, 8, 9, 10].map((sequence) => idempotent(`produce: sequence ${sequence}`, { sequence })),
    idempotent('produce: a duplicate older than five batches', { sequence: 3, count: 2 }),
    idempotent('produce: the oldest of the last five batches again', { sequence: 6 }),
    idempotent('produce: an unknown producer may begin anywhere', { sequence: 42, producer: 'second', partition: 1 }),
    idempotent('produce: an old epoch', { sequence: 0, epoch: 3, producer: 'second', partition: 2 }),
    idempotent('produce: is fenced', { sequence: 1, epoch: 2, producer: 'second', partition: 2 }),
    idempotent('produce: a new epoch that does not begin at 0', {
      sequence: 1,
      epoch: 4,
      producer: 'second',
      partition: 2,
    }),
    idempotent('produce: a new epoch that begins at 0', { sequence: 0, epoch: 4, producer: 'second', partition: 2 }),
    produce('a producer id without a sequence', 9, (broker) =>
      produceTo(
        'idempotent',
        batchOf(['x'], { producerId: broker.recall<number>('producer first'), producerEpoch: 0, baseSequence: -1 }),
      ),
    ),
    produce('a producer id with a negative epoch', 9, (broker) =>
      produceTo(
        'idempotent',
        batchOf(['x'], { producerId: broker.recall<number>('producer first'), producerEpoch: -1, baseSequence: 11 }),
      ),
    ),
  ],
}

export const PRODUCE_CASES: CaseGroup[] = [SHAPES, RECOMPRESSION, IDEMPOTENCE]
