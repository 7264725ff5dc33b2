import { ErrorCode } from '../../src/protocol/errors.ts'
import { MetadataRequest, MetadataResponse } from '../../src/protocol/messages/03-metadata.ts'
import type { FakeBroker } from './fake-broker.ts'

export const TOPIC_ID = 'abcdefghijklmnopqrstuw'

/** A cluster of one broker, this one, with one topic. */
export function serveMetadata(
  fake: FakeBroker,
  options: { topic: string; partitions: number; leaderEpoch?: number },
): void {
  fake.on(MetadataRequest, MetadataResponse, ({ topics }) => {
    const names = topics === null ? [options.topic] : topics.map(({ name }) => name ?? '')
    return {
      throttleTimeMs: 0,
      brokers: [{ nodeId: 1, host: fake.host, port: fake.port, rack: null }],
      clusterId: 'cluster',
      controllerId: 1,
      topics: names.map((name) => (name === options.topic ? known(name, options) : unknown(name))),
    }
  })
}

function known(name: string, { partitions, leaderEpoch = 0 }: { partitions: number; leaderEpoch?: number }) {
  return {
    errorCode: 0,
    name,
    topicId: TOPIC_ID,
    isInternal: false,
    partitions: Array.from({ length: partitions }, (_, partitionIndex) => ({
      errorCode: 0,
      partitionIndex,
      leaderId: 1,
      leaderEpoch,
      replicaNodes: [1],
      isrNodes: [1],
      offlineReplicas: [],
    })),
  }
}

function unknown(name: string) {
  return { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, name, isInternal: false, partitions: [] }
}
