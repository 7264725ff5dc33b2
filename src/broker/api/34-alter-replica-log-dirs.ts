/**
 * AlterReplicaLogDirs: moves replicas to another data folder of this broker. There is one folder, so every replica is where it can
 * be; naming that folder succeeds, any other is not found.
 */
import { ErrorCode } from '../../protocol/errors.ts'
import {
  AlterReplicaLogDirsRequest,
  AlterReplicaLogDirsResponse,
} from '../../protocol/messages/34-alter-replica-log-dirs.ts'
import type { Infer } from '../../protocol/schema.ts'
import { type BrokerContext, defineApi, type RequestContext } from '../api.ts'

type Request = Infer<typeof AlterReplicaLogDirsRequest>

export default defineApi({
  key: 34,
  name: 'AlterReplicaLogDirs',
  request: AlterReplicaLogDirsRequest,
  response: AlterReplicaLogDirsResponse,
  versions: [1, 2],
  notes: ['A broker has one data folder: whatever is to move to another one is answered LOG_DIR_NOT_FOUND.'],
  authorize(context, request) {
    if (context.allowed('ALTER', 'CLUSTER', 'kafka-cluster')) return null
    return { throttleTimeMs: 0, results: answer(request, () => ErrorCode.CLUSTER_AUTHORIZATION_FAILED) }
  },
  handle(context: RequestContext, request) {
    const results = answer(request, (path, topic, index) => move(context.broker, path, topic, index))
    return { throttleTimeMs: 0, results }
  },
})

/** A partition that is named for several folders goes to the last one. */
function answer(request: Request, errorFor: (path: string, topic: string, partition: number) => ErrorCode) {
  const byTopic = new Map<string, Map<number, ErrorCode>>()
  for (const { path, topics } of request.dirs) {
    for (const { name, partitions } of topics) {
      const rows = byTopic.get(name) ?? new Map<number, ErrorCode>()
      byTopic.set(name, rows)
      for (const index of partitions) rows.set(index, errorFor(path, name, index))
    }
  }
  return [...byTopic].map(([topicName, rows]) => ({
    topicName,
    partitions: [...rows].map(([partitionIndex, errorCode]) => ({ partitionIndex, errorCode })),
  }))
}

function move(broker: BrokerContext, path: string, topic: string, index: number): ErrorCode {
  if (path !== broker.dataDirectory) return ErrorCode.LOG_DIR_NOT_FOUND
  return broker.partitions.get(topic, index) === undefined ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : ErrorCode.NONE
}
