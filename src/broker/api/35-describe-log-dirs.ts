/** DescribeLogDirs: the data folder, its space, and the size of every partition in it. */
import { ErrorCode } from '../../protocol/errors.ts'
import { DescribeLogDirsRequest, DescribeLogDirsResponse } from '../../protocol/messages/35-describe-log-dirs.ts'
import type { Infer, Input } from '../../protocol/schema.ts'
import { type BrokerContext, defineApi } from '../api.ts'
import type { Partition } from '../partition.ts'

type TopicAnswer = Input<typeof DescribeLogDirsResponse>['results'][number]['topics'][number]

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
  handle(context, request) {
    const { broker } = context
    return {
      throttleTimeMs: 0,
      errorCode: ErrorCode.NONE,
      results: [
        {
          errorCode: ErrorCode.NONE,
          logDir: broker.dataDirectory,
          topics: describeTopics(broker, request.topics),
          ...broker.disk.free(broker.dataDirectory),
        },
      ],
    }
  },
})

/** Null asks for everything; partitions that do not exist are simply missing from the answer. */
function describeTopics(broker: BrokerContext, asked: Infer<typeof DescribeLogDirsRequest>['topics']): TopicAnswer[] {
  const byTopic = new Map<string, Set<Partition>>()
  const add = (partition: Partition | undefined): void => {
    if (partition?.log == null) return
    const known = byTopic.get(partition.topic)
    if (known === undefined) byTopic.set(partition.topic, new Set([partition]))
    else known.add(partition)
  }
  if (asked === null) {
    for (const partition of broker.partitions.all()) add(partition)
  } else {
    for (const { topic, partitions } of asked) {
      for (const index of partitions) add(broker.partitions.get(topic, index))
    }
  }
  return [...byTopic].map(([name, partitions]) => ({
    name,
    partitions: [...partitions].map(({ index, log }) => ({
      partitionIndex: index,
      partitionSize: log?.sizeBytes ?? 0,
      offsetLag: 0,
      isFutureKey: false,
    })),
  }))
}
