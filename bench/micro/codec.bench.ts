// What reading and writing the messages of the hot path costs. Run: bun bench/micro/codec.bench.ts

import { bench, run, summary } from 'mitata'
import { decode, encode } from '../../src/protocol/codec.ts'
import { encodeResponse } from '../../src/protocol/frame.ts'
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/00-produce.ts'
import { FetchRequest } from '../../src/protocol/messages/01-fetch.ts'
import { MetadataResponse } from '../../src/protocol/messages/03-metadata.ts'
import { Reader } from '../../src/protocol/reader.ts'
import type { Input, MessageSchema } from '../../src/protocol/schema.ts'
import { Writer } from '../../src/protocol/writer.ts'

const TOPIC_ID = 'AAECAwQFBgcICQoLDA0ODw'
const BATCH = Buffer.alloc(170, 7)

function messageBench<S extends MessageSchema>(name: string, schema: S, version: number, value: Input<S>): void {
  const writer = new Writer()
  encode(schema, writer, value, version)
  const chunks = [Buffer.concat(writer.finish())]
  const reader = new Reader()
  summary(() => {
    bench(`decode ${name} v${version}`, () => decode(schema, reader.reset(chunks), version))
    bench(`encode ${name} v${version}`, () => {
      encode(schema, writer, value, version)
      return writer.finish()
    })
  })
}

for (const version of [7, 9, 13]) {
  const topic = version >= 13 ? { topicId: TOPIC_ID } : { name: 'my-topic-name' }
  messageBench('ProduceRequest', ProduceRequest, version, {
    acks: -1,
    timeoutMs: 30_000,
    topicData: [{ ...topic, partitionData: [{ index: 3, records: [BATCH] }] }],
  })
  const answer = {
    responses: [{ ...topic, partitionResponses: [{ index: 3, errorCode: 0, baseOffset: 12345, logStartOffset: 0 }] }],
  }
  bench(`a whole ProduceResponse frame v${version}`, () => encodeResponse(ProduceResponse, 0, version, 1, answer))
}

messageBench('FetchRequest, 4 partitions', FetchRequest, 17, {
  maxWaitMs: 500,
  minBytes: 1,
  topics: [
    {
      topicId: TOPIC_ID,
      partitions: [0, 1, 2, 3].map((partition) => ({ partition, fetchOffset: 123_456, partitionMaxBytes: 1_048_576 })),
    },
  ],
})

messageBench('MetadataResponse, 100 partitions', MetadataResponse, 12, {
  brokers: [{ nodeId: 1, host: 'localhost', port: 9092 }],
  topics: [
    {
      errorCode: 0,
      name: 'my-topic-name',
      topicId: TOPIC_ID,
      partitions: Array.from({ length: 100 }, (_, partitionIndex) => ({
        errorCode: 0,
        partitionIndex,
        leaderId: 1,
        leaderEpoch: 0,
        replicaNodes: [1],
        isrNodes: [1],
      })),
    },
  ],
})

await run()
