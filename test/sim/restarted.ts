/** What a broker must find again when it starts after a kill or a clean stop. */
import type { BrokerContext } from '../../src/broker/api.ts'
import { FLEETING } from './client.ts'
import { SHARE_GROUP } from './setup.ts'

/** By name, as text. */
export function stateToKeep(broker: BrokerContext): Map<string, string> {
  const state = new Map<string, string>()
  const { partitions, groups, transactions } = broker
  for (const { topic, index, log } of partitions.all()) {
    if (log === null) continue
    const { logStartOffset, highWatermark, lastStableOffset } = log
    // Compaction forgets those of which nothing is left.
    const aborted = log.config.cleanupPolicy.compact ? [] : log.abortedTransactions(logStartOffset, highWatermark)
    // Of whom nothing is left in the log, a start after a kill need not know.
    const isKnown = (producerId: number) =>
      (log.producers.get(producerId)?.batches.at(-1)?.lastOffset ?? 0) >= logStartOffset
    const producers = log
      .activeProducers()
      .filter(({ producerId }) => isKnown(producerId))
      .sort((one, other) => one.producerId - other.producerId)
    state.set(`${topic}-${index}`, Bun.inspect({ logStartOffset, highWatermark, lastStableOffset, aborted }))
    state.set(`producers of ${topic}-${index}`, Bun.inspect(producers, { depth: 9 }))
  }
  for (const index of [0, 1]) {
    const ids = [...(transactions.shard(index)?.transactions.values() ?? [])]
      .map(({ partitions, ...entry }) => {
        // Not in the log, or in another order of its fields after a load.
        const kept = Object.entries({ ...entry, lastProducerEpoch: -1 }).sort(([one], [other]) =>
          one < other ? -1 : 1,
        )
        return { transactionalId: entry.transactionalId, kept, partitions: [...partitions] }
      })
      .sort((one, other) => (one.transactionalId < other.transactionalId ? -1 : 1))
    state.set(`transactional ids ${index}`, Bun.inspect(ids, { depth: 9 }))
    const durable = groups.shard(index)?.durable
    state.set(`positions ${index}`, Bun.inspect(sortedPositions(durable?.offsets ?? new Map()), { depth: 9 }))
    const epochs = [...(durable?.consumerGroups.values() ?? [])].map(({ epoch, assignmentEpoch }) => [
      epoch,
      assignmentEpoch,
    ])
    state.set(`group epochs ${index}`, Bun.inspect(epochs))
  }
  for (const [name, kept] of shareStates(broker)) state.set(name, kept)
  return state
}

/** Of the share group, by partition. */
function* shareStates({ image, shareCoordinator }: BrokerContext): Generator<[string, string]> {
  for (const name of ['orders', 'source', FLEETING]) {
    const topic = image.topic(name)
    for (const partition of topic?.partitions.keys() ?? []) {
      const key = { groupId: SHARE_GROUP, topicId: topic!.topicId, partition }
      const state = shareCoordinator.shard(shareCoordinator.partitionFor(key))?.state(key)
      const { stateEpoch, startOffset, deliveryCompleteCount, batches } = state ?? {}
      yield [`shares of ${name}-${partition}`, Bun.inspect({ stateEpoch, startOffset, deliveryCompleteCount, batches })]
    }
  }
}

function sortedPositions(offsets: ReadonlyMap<string, ReadonlyMap<string, ReadonlyMap<number, unknown>>>): unknown {
  const sorted = <Value>(map: ReadonlyMap<string, Value>) => [...map].sort(([one], [other]) => (one < other ? -1 : 1))
  return sorted(offsets).map(([group, topics]) => [
    group,
    sorted(topics).map(([topic, partitions]) => [topic, [...partitions].sort(([one], [other]) => one - other)]),
  ])
}
