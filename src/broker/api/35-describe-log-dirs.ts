/**
 * DescribeLogDirs: the data folders, their space, and the size of every replica in them, those on their way there as well. A folder that is
 * offline has a row with KAFKA_STORAGE_ERROR and nothing else.
 */
import type { LogManager, ReplicaView } from '../../log/log-manager.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import { DescribeLogDirsRequest, DescribeLogDirsResponse } from '../../protocol/messages/35-describe-log-dirs.ts'
import type { Infer, Input } from '../../protocol/schema.ts'
import { DiskError } from '../../storage/disk.ts'
import { type BrokerContext, defineApi } from '../api.ts'

type Row = Input<typeof DescribeLogDirsResponse>['results'][number]
type Asked = Infer<typeof DescribeLogDirsRequest>['topics']

export default defineApi({
  key: 35,
  name: 'DescribeLogDirs',
  request: DescribeLogDirsRequest,
  response: DescribeLogDirsResponse,
  versions: [1, 5],
  authorize(context) {
    if (context.allowed('DESCRIBE', 'CLUSTER', 'kafka-cluster')) return null
    return { throttleTimeMs: 0, errorCode: ErrorCode.CLUSTER_AUTHORIZATION_FAILED, results: [] }
  },
  handle({ broker }, request) {
    const results = broker.logs.directories.map((directory) => describe(broker, directory, request.topics))
    return { throttleTimeMs: 0, errorCode: ErrorCode.NONE, results }
  },
})

function describe({ logs, disk }: BrokerContext, { path, isOnline, isCordoned }: Folder, asked: Asked): Row {
  const offline = {
    errorCode: ErrorCode.KAFKA_STORAGE_ERROR,
    logDir: path,
    topics: [],
    totalBytes: -1,
    usableBytes: -1,
  }
  if (!isOnline) return { ...offline, isCordoned }
  try {
    const space = disk.free(path)
    return {
      errorCode: ErrorCode.NONE,
      logDir: path,
      topics: topicsIn(logs.replicasIn(path), asked),
      ...space,
      isCordoned,
    }
  } catch (error) {
    if (!(error instanceof DiskError)) throw error
    return { ...offline, isCordoned }
  }
}

type Folder = LogManager['directories'][number]

/** Null asks for everything; partitions that are not in the folder are simply missing from the answer. */
function topicsIn(replicas: readonly ReplicaView[], asked: Asked): Row['topics'] {
  const wanted = asked === null ? null : new Map(asked.map(({ topic, partitions }) => [topic, new Set(partitions)]))
  const byTopic = new Map<string, ReplicaView[]>()
  for (const replica of replicas) {
    if (wanted !== null && wanted.get(replica.topic)?.has(replica.partition) !== true) continue
    const rows = byTopic.get(replica.topic) ?? []
    rows.push(replica)
    byTopic.set(replica.topic, rows)
  }
  return [...byTopic].map(([name, rows]) => ({
    name,
    partitions: rows.map(({ partition, sizeBytes, offsetLag, isFuture }) => ({
      partitionIndex: partition,
      partitionSize: sizeBytes,
      offsetLag,
      isFutureKey: isFuture,
    })),
  }))
}
