// Looks at batches as they lie in a broker's log.
import { Connection } from '../../src/client/connection.ts'
import { FetchRequest, FetchResponse } from '../../src/protocol/messages/01-fetch.ts'
import { codecOf, readBatchHeader } from '../../src/records/batch.ts'
import type { BrokerTarget } from './broker-target.ts'

const MAX_BYTES = 10_000_000

/** The codecs of the batches of each partition. */
export async function storedCodecs(target: BrokerTarget, topic: string, partitions: number): Promise<number[][]> {
  const connection = await Connection.connect({ host: target.host, port: target.port })
  const wanted = Array.from({ length: partitions }, (_, partition) => ({
    partition,
    fetchOffset: 0,
    partitionMaxBytes: MAX_BYTES,
  }))
  const answer = await connection.send(
    FetchRequest,
    FetchResponse,
    { maxWaitMs: 0, minBytes: 0, topics: [{ topic, partitions: wanted }], forgottenTopicsData: [] },
    { version: 12 },
  )
  await connection.close()
  const rows = answer.responses[0]?.partitions.toSorted((a, b) => a.partitionIndex - b.partitionIndex) ?? []
  return rows.map(({ records }) => codecsOf(Buffer.concat(records ?? [])))
}

function codecsOf(batches: Buffer): number[] {
  const codecs: number[] = []
  for (let position = 0; position < batches.length; ) {
    const header = readBatchHeader(batches, position)
    codecs.push(codecOf(header))
    position += header.sizeBytes
  }
  return codecs
}
