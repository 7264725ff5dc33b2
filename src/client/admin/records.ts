/** Where partitions begin and end, and where they shall begin: asked of the partitions' leaders. */
import { ErrorCode, isRetriable } from '../../protocol/errors.ts'
import { DeleteRecordsRequest, DeleteRecordsResponse } from '../../protocol/messages/21-delete-records.ts'
import type { Cluster } from '../cluster.ts'
import { type FoundOffset, type IsolationOptions, type OffsetQuery, queryOffsets } from '../offsets.ts'
import { backoffMs, sleep } from '../retry.ts'
import { errorOf, type Outcome } from './outcome.ts'

/** In the order asked. A partition may be asked about several times: a broker answers only one question about it per request. */
export async function listOffsets(
  cluster: Cluster,
  queries: readonly OffsetQuery[],
  options?: IsolationOptions,
): Promise<FoundOffset[]> {
  const asked = new Map<string, number>()
  const rounds = Map.groupBy(queries, ({ topic, partition }) => {
    const round = asked.get(`${topic}-${partition}`) ?? 0
    asked.set(`${topic}-${partition}`, round + 1)
    return round
  })
  const found = (await Promise.all([...rounds.values()].map((round) => queryOffsets(cluster, round, options)))).flat()
  return queries.map(
    ({ topic, partition, timestamp }) =>
      found.find((row) => row.topic === topic && row.partition === partition && row.timestamp === timestamp)!,
  )
}

const { LEADER_NOT_AVAILABLE, UNKNOWN_TOPIC_OR_PARTITION } = ErrorCode

/** Deletes the records of a partition before an offset. */
export interface RecordsBefore {
  /** The topic. */
  readonly topic: string
  /** The partition. */
  readonly partition: number
  /** Of the first record that stays; -1 deletes all there are. */
  readonly offset: number
}

/** What became of a deletion in one partition. */
export interface DeletedRecords extends Outcome {
  /** The topic that was named. */
  readonly topic: string
  /** The partition that was named. */
  readonly partition: number
  /** Where the partition begins now; -1 if it failed. */
  readonly logStartOffset: number
}

/** In the order asked. Leaders that moved are asked for again until the cluster's timeout has passed; what does not exist fails at once. */
export async function deleteRecords(cluster: Cluster, wanted: readonly RecordsBefore[]): Promise<DeletedRecords[]> {
  const deadlineMs = performance.now() + cluster.timeoutMs
  const done = new Map<RecordsBefore, DeletedRecords>()
  let left = wanted
  for (let attempt = 0; left.length > 0; attempt++) {
    await cluster.update(new Set(left.map(({ topic }) => topic)))
    const known = left.filter(({ topic, partition }) => cluster.partition(topic, partition) !== undefined)
    for (const asked of left) if (!known.includes(asked)) done.set(asked, failed(asked, UNKNOWN_TOPIC_OR_PARTITION))
    const byLeader = Map.groupBy(known, ({ topic, partition }) => cluster.partition(topic, partition)?.leaderId ?? -1)
    const answers = await Promise.all([...byLeader].map(([leader, rows]) => deleteAt(cluster, leader, rows)))
    const isLast = performance.now() > deadlineMs
    left = answers.flat().flatMap(([asked, row]) => {
      if (row.error !== null && isRetriable(row.error.errorCode) && !isLast) return [asked]
      done.set(asked, row)
      return []
    })
    if (left.length > 0) await sleep(backoffMs(cluster.retry, attempt))
  }
  return wanted.map((asked) => done.get(asked)!)
}

function failed({ topic, partition }: RecordsBefore, errorCode: number): DeletedRecords {
  const error = errorOf({ errorCode }, `delete records of ${topic}-${partition}`)
  return { topic, partition, logStartOffset: -1, error }
}

async function deleteAt(
  cluster: Cluster,
  leader: number,
  rows: readonly RecordsBefore[],
): Promise<[RecordsBefore, DeletedRecords][]> {
  if (leader < 0) return rows.map((asked) => [asked, failed(asked, LEADER_NOT_AVAILABLE)])
  const answered = await ask(cluster, leader, rows)
  return rows.map((asked) => {
    const { topic, partition } = asked
    const row = answered.find(({ name, partitionIndex }) => name === topic && partitionIndex === partition)
    const error = errorOf(row, `delete records of ${topic}-${partition}`)
    return [asked, { topic, partition, logStartOffset: error === null ? row!.lowWatermark : -1, error }]
  })
}

async function ask(cluster: Cluster, leader: number, rows: readonly RecordsBefore[]) {
  const connection = await cluster.broker(leader)
  const answer = await connection.send(DeleteRecordsRequest, DeleteRecordsResponse, {
    topics: [...Map.groupBy(rows, ({ topic }) => topic)].map(([name, partitions]) => ({
      name,
      partitions: partitions.map(({ partition, offset }) => ({ partitionIndex: partition, offset })),
    })),
    timeoutMs: cluster.timeoutMs,
  })
  return answer.topics.flatMap(({ name, partitions }) => partitions.map((row) => ({ name, ...row })))
}
