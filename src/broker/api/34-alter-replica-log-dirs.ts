/**
 * AlterReplicaLogDirs: moves replicas to other data folders of this broker. The answer says whether a move was accepted; it goes on in the
 * background, and DescribeLogDirs shows how far it is.
 */
import { ErrorCode } from '../../protocol/errors.ts'
import {
  AlterReplicaLogDirsRequest,
  AlterReplicaLogDirsResponse,
} from '../../protocol/messages/34-alter-replica-log-dirs.ts'
import type { Infer } from '../../protocol/schema.ts'
import { defineApi, type RequestContext } from '../api.ts'

type Request = Infer<typeof AlterReplicaLogDirsRequest>

export default defineApi({
  key: 34,
  name: 'AlterReplicaLogDirs',
  request: AlterReplicaLogDirsRequest,
  response: AlterReplicaLogDirsResponse,
  versions: [1, 2],
  notes: [
    'One replica moves at a time, whatever num.replica.alter.log.dirs.threads says; a restart begins a move anew.',
  ],
  authorize(context, request) {
    if (context.allowed('ALTER', 'CLUSTER', 'kafka-cluster')) return null
    return { throttleTimeMs: 0, results: answer(request, () => ErrorCode.CLUSTER_AUTHORIZATION_FAILED) }
  },
  handle({ broker }: RequestContext, request) {
    const results = answer(request, (path, topic, index) => broker.logs.moveTo(path, topic, index))
    return { throttleTimeMs: 0, results }
  },
})

/** A partition that is named for several folders goes to the last one. */
function answer(request: Request, errorFor: (path: string, topic: string, partition: number) => ErrorCode) {
  const folders = new Map<string, Map<number, string>>()
  for (const { path, topics } of request.dirs) {
    for (const { name, partitions } of topics) {
      const rows = folders.get(name) ?? new Map<number, string>()
      folders.set(name, rows)
      for (const index of partitions) rows.set(index, path)
    }
  }
  return [...folders].map(([topicName, rows]) => ({
    topicName,
    partitions: [...rows].map(([partitionIndex, path]) => ({
      partitionIndex,
      errorCode: errorFor(path, topicName, partitionIndex),
    })),
  }))
}
