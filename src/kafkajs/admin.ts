/** kafkajs' admin: every call of it, over the client's admin functions. */
import type { Cluster } from '../client/cluster.ts'
import { createAcls, deleteAcls, describeAcls } from './admin-acls.ts'
import { alterConfigs, describeConfigs } from './admin-configs.ts'
import { deleteGroups, describeGroups, fetchOffsets, listGroups, resetOffsets, setOffsets } from './admin-groups.ts'
import {
  alterPartitionReassignments,
  createPartitions,
  createTopics,
  deleteTopicRecords,
  deleteTopics,
  fetchTopicMetadata,
  fetchTopicOffsets,
  fetchTopicOffsetsByTimestamp,
  listPartitionReassignments,
} from './admin-topics.ts'
import { adminEvents, type Events } from './events.ts'
import type { ClusterLink } from './link.ts'
import type { Logger } from './logger.ts'
import { translated } from './translate.ts'
import type { Admin } from './types.ts'

const NO_CONTROLLER = -1

async function listTopics(cluster: Cluster): Promise<string[]> {
  const { topics } = await cluster.metadata(null)
  return topics.flatMap(({ name }) => name ?? [])
}

async function describeCluster(cluster: Cluster): ReturnType<Admin['describeCluster']> {
  const { brokers, controllerId, clusterId } = await cluster.metadata([])
  return {
    brokers: brokers.map(({ nodeId, host, port }) => ({ nodeId, host, port })),
    controller: controllerId === NO_CONTROLLER ? null : controllerId,
    clusterId: clusterId ?? '',
  }
}

export function createAdmin(link: ClusterLink, listeners: Events, log: Logger): Admin {
  /** The call, with its errors in kafkajs' classes. */
  const asked =
    <Arguments extends readonly unknown[], Answer>(ask: (cluster: Cluster, ...rest: Arguments) => Promise<Answer>) =>
    async (...rest: Arguments): Promise<Answer> => {
      const cluster = await link.connect()
      try {
        return await ask(cluster, ...rest)
      } catch (error) {
        throw translated(error, { retries: link.retry.retries, retryTime: link.retry.initialRetryTime })
      }
    }
  return {
    connect: async () => {
      await link.connect()
      listeners.emit(adminEvents.CONNECT)
    },
    disconnect: async () => {
      await link.disconnect()
      listeners.emit(adminEvents.DISCONNECT)
    },
    events: adminEvents,
    on: (name, listener) => listeners.on(name, listener),
    logger: () => log,
    listTopics: asked(listTopics),
    createTopics: asked(createTopics),
    deleteTopics: asked(deleteTopics),
    createPartitions: asked(createPartitions),
    fetchTopicMetadata: asked(fetchTopicMetadata),
    fetchTopicOffsets: asked(fetchTopicOffsets),
    fetchTopicOffsetsByTimestamp: asked(fetchTopicOffsetsByTimestamp),
    deleteTopicRecords: asked(deleteTopicRecords),
    alterPartitionReassignments: asked(alterPartitionReassignments),
    listPartitionReassignments: asked(listPartitionReassignments),
    describeCluster: asked(describeCluster),
    fetchOffsets: asked(fetchOffsets),
    setOffsets: asked(setOffsets),
    resetOffsets: asked(resetOffsets),
    listGroups: asked(listGroups),
    describeGroups: asked(describeGroups),
    deleteGroups: asked(deleteGroups),
    describeConfigs: asked(describeConfigs),
    alterConfigs: asked(alterConfigs),
    createAcls: asked(createAcls),
    describeAcls: asked(describeAcls),
    deleteAcls: asked(deleteAcls),
  }
}
