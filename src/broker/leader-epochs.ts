/**
 * After an unclean stop the log may have lost its unsynced tail, and offsets may be given out a second time. A new leader
 * epoch for every led partition makes that visible to readers, who then find where their log and ours part. Called
 * once at start, before anything is served.
 */
import type { MetadataImage, TopicImage } from '../metadata/image.ts'
import type { MetadataStore } from '../metadata/store.ts'
import { encodeValue, type TopicValue, topicKey } from '../metadata/values.ts'

/** One transaction for all topics; tried again if somebody else changed one of them meanwhile. Returns how many topics. */
export async function bumpLeaderEpochs(store: MetadataStore, image: MetadataImage, nodeId: number): Promise<number> {
  for (;;) {
    const topics = image.topics().filter((topic) => topic.partitions.some(({ leader }) => leader === nodeId))
    if (topics.length === 0) return 0
    const result = await store.transact({
      checks: topics.map(({ name, revision }) => ({ key: topicKey(name), revision })),
      puts: topics.map((topic) => ({ key: topicKey(topic.name), value: encodeValue(withNewEpochs(topic, nodeId)) })),
    })
    if (result.ok) return topics.length
  }
}

function withNewEpochs(topic: TopicImage, nodeId: number): TopicValue {
  return {
    topicId: topic.topicId,
    partitions: topic.partitions.map(({ leader, leaderEpoch, partitionEpoch, replicas, isr }) => {
      const bump = leader === nodeId ? 1 : 0
      return { leader, leaderEpoch: leaderEpoch + bump, partitionEpoch: partitionEpoch + bump, replicas, isr }
    }),
  }
}
