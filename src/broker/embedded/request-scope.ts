/**
 * Which topics and partitions a decoded request is about, whatever its API: a request is divided into the part that a condition selects and
 * the rest, and the answers to both parts are put together again.
 */
import { ZERO_UUID } from '../../protocol/schema.ts'
import type { Row } from './error-answers.ts'

/** Lists of topics in requests, and of their partitions. */
const TOPIC_LISTS = ['topics', 'topicData', 'topicNames', 'topicPartitions', 'v3AndBelowTopics']
const PARTITION_LISTS = ['partitions', 'partitionData', 'partitionIndexes']
const NAMES = ['name', 'topic', 'topicName']
const INDEXES = ['index', 'partition', 'partitionIndex']
/** Lists that hold lists of topics. */
const OUTER_LISTS = ['groups', 'transactions', 'markers', 'dirs']

export interface Condition {
  /** Null partition: the request names the topic only. */
  selects(topic: string, partition: number | null): boolean
  /** The name of an id; undefined if there is no such topic. */
  topicName(topicId: string): string | undefined
}

export interface Division {
  /** Null: the condition selects nothing. */
  readonly selected: Row | null
  /** Null: it selects everything that the request names. */
  readonly rest: Row | null
}

export function divide(request: Row, condition: Condition): Division {
  const selected: Row = { ...request }
  const rest: Row = { ...request }
  let selectedRows = 0
  let restRows = 0
  for (const [name, value] of Object.entries(request)) {
    if (!Array.isArray(value)) continue
    const isOuter = OUTER_LISTS.includes(name)
    if (!isOuter && !TOPIC_LISTS.includes(name)) continue
    const parts = value.map((row) => (isOuter ? divide(row as Row, condition) : divideTopic(row, condition)))
    const mine = parts.flatMap((part) => part.selected ?? [])
    const others = parts.flatMap((part) => part.rest ?? [])
    selected[name] = mine
    rest[name] = others
    selectedRows += mine.length
    restRows += others.length
  }
  return { selected: selectedRows > 0 ? selected : null, rest: restRows > 0 || selectedRows === 0 ? rest : null }
}

interface TopicDivision {
  readonly selected: unknown
  readonly rest: unknown
}

function divideTopic(row: unknown, condition: Condition): TopicDivision {
  const topic = nameOf(row, condition)
  if (topic === undefined) return { selected: null, rest: row }
  if (typeof row !== 'object' || row === null) return whole(row, condition.selects(topic, null))
  const list = PARTITION_LISTS.find((name) => Array.isArray((row as Row)[name]))
  if (list === undefined) return whole(row, condition.selects(topic, null))
  const partitions = (row as Row)[list] as unknown[]
  const mine = partitions.filter((partition) => condition.selects(topic, indexOf(partition)))
  const others = partitions.filter((partition) => !condition.selects(topic, indexOf(partition)))
  return {
    selected: mine.length > 0 ? { ...row, [list]: mine } : null,
    rest: others.length > 0 ? { ...row, [list]: others } : null,
  }
}

function whole(row: unknown, isSelected: boolean): TopicDivision {
  return isSelected ? { selected: row, rest: null } : { selected: null, rest: row }
}

function nameOf(row: unknown, condition: Condition): string | undefined {
  if (typeof row === 'string') return row
  if (typeof row !== 'object' || row === null) return undefined
  for (const name of NAMES) {
    const value = (row as Row)[name]
    if (typeof value === 'string' && value !== '') return value
  }
  const { topicId } = row as Row
  return typeof topicId === 'string' && topicId !== ZERO_UUID ? condition.topicName(topicId) : undefined
}

function indexOf(partition: unknown): number {
  if (typeof partition === 'number') return partition
  for (const name of INDEXES) {
    const value = (partition as Row)[name]
    if (typeof value === 'number') return value
  }
  return -1
}

/** The rows of both answers; where they speak of the same topic or group, its partitions. Single values are those of `answer`. */
export function joinAnswers(answer: Row, other: Row): Row {
  const joined: Row = { ...answer }
  for (const [name, rows] of Object.entries(other)) {
    const mine = answer[name]
    if (Array.isArray(rows)) joined[name] = Array.isArray(mine) ? joinRows(mine, rows) : rows
  }
  return joined
}

function joinRows(rows: readonly unknown[], others: readonly unknown[]): unknown[] {
  const joined = [...rows]
  for (const other of others) {
    const at = joined.findIndex((row) => isSame(row, other))
    if (at < 0) joined.push(other)
    else joined[at] = joinAnswers(joined[at] as Row, other as Row)
  }
  return joined
}

const IDENTITIES = [...NAMES, 'topicId', 'groupId', 'transactionalId', 'producerId']

function isSame(row: unknown, other: unknown): boolean {
  if (typeof row !== 'object' || row === null || typeof other !== 'object' || other === null) return false
  const named = IDENTITIES.filter((name) => name in row && name in other)
  return named.length > 0 && named.every((name) => (row as Row)[name] === (other as Row)[name])
}
