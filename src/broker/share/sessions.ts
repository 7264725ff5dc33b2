/**
 * Share sessions: which partitions a member of a share group reads on this broker, so that its requests name only changes. A session
 * belongs to a member and to the connection on which it was opened; when that closes, the session ends, and whatever the member has acquired
 * is free again. Used by the handlers of ShareFetch and ShareAcknowledge.
 *
 * What must hold: a request counts only in the epoch that is next; the number of sessions is bounded.
 */
import { ErrorCode } from '../../protocol/errors.ts'

const EPOCH_NEW = 0
const EPOCH_FINAL = -1
const EPOCH_MAX = 0x7fffffff

export interface SharedTopicPartition {
  readonly topicId: string
  readonly index: number
}

interface CachedPartition extends SharedTopicPartition {
  /** The client must be told of it whatever there is to tell. */
  isOwed: boolean
}

export interface ShareSession {
  readonly groupId: string
  readonly memberId: string
  readonly connection: object
  nextEpoch: number
  /** In reading order: what was answered with records moves to the end. */
  readonly partitions: Map<string, CachedPartition>
}

export interface ShareSessionRequest {
  readonly groupId: string
  readonly memberId: string
  readonly epoch: number
  readonly connection: object
}

/** What a request is to read; `final`: nothing, the session ends with it. */
export interface ShareFetchTurn {
  readonly isFinal: boolean
  readonly partitions: readonly SharedTopicPartition[]
  /** Whether the answer needs a row for the partition. Called once per row that there is. */
  isNews(
    partition: SharedTopicPartition,
    news: { readonly errorCode: ErrorCode; readonly hasRecords: boolean },
  ): boolean
}

export interface ShareSessionsOptions {
  /** group.share.max.share.sessions */
  readonly sessionsMax: number
  /** The member's session has ended: what it has acquired is to be free. */
  onEnded(session: ShareSession): void
  /** No session of the group is left here. */
  onGroupEmpty(groupId: string): void
}

export class ShareSessions {
  readonly #options: ShareSessionsOptions
  readonly #sessions = new Map<string, ShareSession>()
  readonly #groupSizes = new Map<string, number>()
  readonly #byConnection = new Map<object, Set<ShareSession>>()

  constructor(options: ShareSessionsOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#sessions.size
  }

  /** For ShareFetch: opens, goes on with, or ends a session. A code is the whole answer. */
  open(
    request: ShareSessionRequest,
    change: { readonly added: readonly SharedTopicPartition[]; readonly forgotten: readonly SharedTopicPartition[] },
    hasAcknowledgements: boolean,
  ): ShareFetchTurn | ErrorCode {
    const { epoch } = request
    const session = this.#find(request)
    if (epoch === EPOCH_FINAL) {
      if (session === undefined) return ErrorCode.SHARE_SESSION_NOT_FOUND
      return { isFinal: true, partitions: [], isNews: () => true }
    }
    if (epoch === EPOCH_NEW) {
      if (hasAcknowledgements) return ErrorCode.INVALID_REQUEST
      if (session !== undefined) this.#remove(session)
      return this.#create(request, change.added)
    }
    if (session === undefined) return ErrorCode.SHARE_SESSION_NOT_FOUND
    if (session.nextEpoch !== epoch) return ErrorCode.INVALID_SHARE_SESSION_EPOCH
    for (const partition of change.added) {
      const key = keyOf(partition)
      if (!session.partitions.has(key)) session.partitions.set(key, { ...partition, isOwed: true })
    }
    for (const partition of change.forgotten) session.partitions.delete(keyOf(partition))
    advance(session)
    return {
      isFinal: false,
      partitions: [...session.partitions.values()],
      isNews: (partition, news) => isNews(session, partition, news),
    }
  }

  /** For ShareAcknowledge: the request takes its turn in the session. Anything but NONE is the whole answer. */
  advance(request: ShareSessionRequest): ErrorCode {
    const { epoch } = request
    if (epoch === EPOCH_NEW) return ErrorCode.INVALID_SHARE_SESSION_EPOCH
    const session = this.#find(request)
    if (session === undefined) return ErrorCode.SHARE_SESSION_NOT_FOUND
    if (epoch === EPOCH_FINAL) return ErrorCode.NONE
    if (session.nextEpoch !== epoch) return ErrorCode.INVALID_SHARE_SESSION_EPOCH
    advance(session)
    return ErrorCode.NONE
  }

  /** The member has said its last word. */
  end({ groupId, memberId }: Pick<ShareSessionRequest, 'groupId' | 'memberId'>): void {
    const session = this.#sessions.get(sessionKey(groupId, memberId))
    if (session !== undefined) this.#end(session)
  }

  connectionClosed(connection: object): void {
    for (const session of [...(this.#byConnection.get(connection) ?? [])]) this.#end(session)
    this.#byConnection.delete(connection)
  }

  #find({ groupId, memberId }: ShareSessionRequest): ShareSession | undefined {
    return this.#sessions.get(sessionKey(groupId, memberId))
  }

  #create(request: ShareSessionRequest, partitions: readonly SharedTopicPartition[]): ShareFetchTurn | ErrorCode {
    if (this.#sessions.size >= this.#options.sessionsMax) return ErrorCode.SHARE_SESSION_LIMIT_REACHED
    const { groupId, memberId, connection } = request
    const cached = partitions.map((partition): [string, CachedPartition] => {
      return [keyOf(partition), { ...partition, isOwed: false }]
    })
    const session = { groupId, memberId, connection, nextEpoch: 1, partitions: new Map(cached) }
    this.#sessions.set(sessionKey(groupId, memberId), session)
    this.#groupSizes.set(groupId, (this.#groupSizes.get(groupId) ?? 0) + 1)
    const ofConnection = this.#byConnection.get(connection)
    if (ofConnection === undefined) this.#byConnection.set(connection, new Set([session]))
    else ofConnection.add(session)
    return { isFinal: false, partitions: [...session.partitions.values()], isNews: () => true }
  }

  #end(session: ShareSession): void {
    this.#remove(session)
    this.#options.onEnded(session)
    if (!this.#groupSizes.has(session.groupId)) this.#options.onGroupEmpty(session.groupId)
  }

  /** A session that takes the place of this one keeps what the member has acquired. */
  #remove(session: ShareSession): void {
    const { groupId, memberId, connection } = session
    this.#sessions.delete(sessionKey(groupId, memberId))
    const left = (this.#groupSizes.get(groupId) ?? 1) - 1
    if (left === 0) this.#groupSizes.delete(groupId)
    else this.#groupSizes.set(groupId, left)
    const ofConnection = this.#byConnection.get(connection)
    ofConnection?.delete(session)
    if (ofConnection?.size === 0) this.#byConnection.delete(connection)
  }
}

function advance(session: ShareSession): void {
  session.nextEpoch = session.nextEpoch === EPOCH_MAX ? 1 : session.nextEpoch + 1
}

function isNews(
  session: ShareSession,
  partition: SharedTopicPartition,
  { errorCode, hasRecords }: { readonly errorCode: ErrorCode; readonly hasRecords: boolean },
): boolean {
  const key = keyOf(partition)
  const cached = session.partitions.get(key)
  if (cached === undefined) return true
  const isTold = hasRecords || cached.isOwed || errorCode !== ErrorCode.NONE
  // After an error the client is owed the next answer, even if there is nothing in it.
  cached.isOwed = errorCode !== ErrorCode.NONE
  if (hasRecords) {
    session.partitions.delete(key)
    session.partitions.set(key, cached)
  }
  return isTold
}

function sessionKey(groupId: string, memberId: string): string {
  return `${groupId.length}/${groupId}/${memberId}`
}

function keyOf({ topicId, index }: SharedTopicPartition): string {
  return `${index}/${topicId}`
}
