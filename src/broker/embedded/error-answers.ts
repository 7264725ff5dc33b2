/**
 * The answer to any request that says the same error wherever an answer can say one: at the top, for every topic, partition, group or other
 * row that the request names. Made from the declarations of the messages, so that it holds for every API.
 *
 * A row of the answer takes over what names it in the request. Requests and answers call these lists and names alike, but for those in the
 * two tables below.
 */
import { ErrorCode } from '../../protocol/errors.ts'
import { type Field, type Fields, includes, type MessageSchema, ZERO_UUID } from '../../protocol/schema.ts'

export type Row = Record<string, unknown>

/** Lists of an answer, and where the request has what they are about if not in a list of the same name. */
const LISTS: Readonly<Record<string, readonly string[]>> = {
  responses: ['topicData', 'topics', 'topicNames', 'resources'],
  partitionResponses: ['partitionData'],
  partitions: ['partitionIndexes'],
  partitionResult: ['partitions'],
  replicaElectionResults: ['topicPartitions'],
  results: [
    'resources',
    'groupsNames',
    'topics',
    'dirs.topics',
    'creations',
    'users',
    'deletions',
    'upsertions',
    'featureUpdates',
  ],
  filterResults: ['filters'],
  coordinators: ['coordinatorKeys'],
  groups: ['groupIds'],
  transactionStates: ['transactionalIds'],
  resultsByTransaction: ['transactions'],
  resultsByTopicV3AndBelow: ['v3AndBelowTopics'],
  topicResults: ['topics'],
  resultsByPartition: ['partitions'],
}

/** Names in an answer's rows, and what the request calls them. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  partitionIndex: ['partition'],
  topicName: ['name'],
  user: ['name'],
}

/** The codes that speak for their row; there are more, of parts of it. */
const ERROR_FIELDS: ReadonlySet<string> = new Set(['errorCode', 'partitionErrorCode'])

/** What a row is named by when the request lists plain values. */
const NAME_OF_VALUE: readonly string[] = [
  'partitionIndex',
  'partition',
  'partitionId',
  'index',
  'name',
  'key',
  'groupId',
  'transactionalId',
]

/** `topLevel`: the answer's own code, if it has one; `errorCode` unless given. */
export function errorAnswer(
  response: MessageSchema,
  request: Row,
  version: number,
  errorCode: ErrorCode,
  topLevel: ErrorCode = errorCode,
): Row {
  const answer = answerRow(response.fields, request, version, errorCode)
  return 'errorCode' in answer ? { ...answer, errorCode: topLevel } : answer
}

function answerRow(fields: Fields, asked: Row, version: number, errorCode: ErrorCode): Row {
  const row: Row = {}
  for (const [name, field] of Object.entries(fields)) {
    if (field.versions !== null && !includes(field.versions, version)) continue
    row[name] = answerValue(name, field, asked, version, errorCode)
  }
  return row
}

function answerValue(name: string, field: Field, asked: Row, version: number, errorCode: ErrorCode): unknown {
  const { type } = field
  if (ERROR_FIELDS.has(name)) return errorCode
  if (type.kind === 'array') {
    const { element } = type
    if (element.kind !== 'struct') return copied(name, asked) ?? emptyList(field, version)
    const rows = listFor(name, asked)
    const wanted = mentionsError(element.fields, version) ? rows : []
    if (wanted.length === 0) return emptyList(field, version)
    return wanted.map((row) => answerRow(element.fields, row, version, errorCode))
  }
  if (type.kind === 'struct') {
    return field.tag !== null || includes(field.nullable, version)
      ? undefinedOrNull(field, version)
      : answerRow(type.fields, asked, version, errorCode)
  }
  const own = copied(name, asked)
  if (own !== undefined && typeof own === typeof emptyScalar(type.kind)) return own
  if (field.default !== undefined) return field.default
  return includes(field.nullable, version) ? null : emptyScalar(type.kind)
}

/** Rows without an error of their own anywhere are what the request failed to bring. */
function mentionsError(fields: Fields, version: number): boolean {
  return Object.entries(fields).some(([name, { type, versions }]) => {
    if (versions !== null && !includes(versions, version)) return false
    if (ERROR_FIELDS.has(name)) return true
    return type.kind === 'array' && type.element.kind === 'struct' && mentionsError(type.element.fields, version)
  })
}

function listFor(name: string, asked: Row): Row[] {
  return [name, ...(LISTS[name] ?? [])].flatMap((path) => listAt(asked, path.split('.')))
}

/** The rows of a list, or of all lists inside the rows of a list. */
function listAt(asked: Row, [name = '', ...inner]: readonly string[]): Row[] {
  const list = asked[name]
  if (!Array.isArray(list)) return []
  return inner.length === 0 ? list.map(asRow) : list.flatMap((row: Row) => listAt(row, inner))
}

function asRow(value: unknown): Row {
  if (typeof value === 'object' && value !== null) return value as Row
  return Object.fromEntries(NAME_OF_VALUE.map((name) => [name, value]))
}

function copied(name: string, asked: Row): unknown {
  for (const candidate of [name, ...(NAMES[name] ?? [])]) {
    const value = asked[candidate]
    if (value !== undefined && value !== null) return value
  }
  return undefined
}

function emptyList(field: Field, version: number): unknown {
  return includes(field.nullable, version) && field.default === null ? null : []
}

function undefinedOrNull(field: Field, version: number): unknown {
  return includes(field.nullable, version) ? null : undefined
}

function emptyScalar(kind: string): unknown {
  switch (kind) {
    case 'string':
      return ''
    case 'uuid':
      return ZERO_UUID
    case 'bool':
      return false
    case 'bytes':
      return Buffer.alloc(0)
    case 'records':
      return []
    default:
      return 0
  }
}

/** The error's code by Kafka's name, or the code itself. */
export function codeOf(error: keyof typeof ErrorCode | number): ErrorCode {
  const code = typeof error === 'number' ? error : ErrorCode[error]
  if (!Object.values<number>(ErrorCode).includes(code)) throw new RangeError(`Kafka has no error ${error}`)
  return code as ErrorCode
}
