/** A topic's own records, to be cut anew: read from the beginning of its partitions until there are enough. */
import type { Cluster } from '../../client/cluster.ts'
import { Consumer } from '../../client/consumer/consumer.ts'
import { EARLIEST_TIMESTAMP, LATEST_TIMESTAMP, listOffsets } from '../../client/offsets.ts'
import type { RecordInput } from '../../records/batch.ts'

/** Partitions are read a little at a time, so that all of them are among what is measured. */
const PARTITION_FETCH_BYTES = 256 * 1024

/** Records with keys and values of about `bytes`, partition by partition, since a batch is for one partition. */
export async function topicRecords(cluster: Cluster, name: string, bytes: number): Promise<RecordInput[]> {
  const topic = await cluster.topic(name)
  const partitions = topic.partitions.map(({ partitionIndex }) => partitionIndex)
  const [from, until] = await Promise.all([
    listOffsets(cluster, topic, partitions, EARLIEST_TIMESTAMP),
    listOffsets(cluster, topic, partitions, LATEST_TIMESTAMP),
  ])
  const byPartition = new Map<number, RecordInput[]>(partitions.map((partition) => [partition, []]))
  let total = 0
  await using consumer = new Consumer({ cluster, maxBytesPerPartition: PARTITION_FETCH_BYTES })
  await consumer.assign(
    partitions.map((partition) => ({
      topic: name,
      partition,
      offset: from.get(partition)!,
      until: until.get(partition)!,
    })),
  )
  for await (const { partition, messages } of consumer.batches()) {
    const kept = byPartition.get(partition)!
    for (const { timestamp, key, value, headers } of messages) {
      if (total >= bytes) break
      const names = headers.reduce((sum, header) => sum + header.key.length + (header.value?.length ?? 0), 0)
      total += (key?.length ?? 0) + (value?.length ?? 0) + names
      // Without headers it is the same record, and the object of every record is smaller.
      kept.push(headers.length === 0 ? { timestamp, key, value } : { timestamp, key, value, headers })
    }
    if (total >= bytes) break
  }
  return [...byPartition.values()].flat()
}
