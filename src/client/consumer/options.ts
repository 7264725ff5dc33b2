/** What a consumer can be told, with every default in one place. Durations are milliseconds, sizes bytes. */
import { DEFAULT_MAX_DECOMPRESSED_BYTES } from '../../records/limits.ts'
import type { ClusterOptions } from '../cluster.ts'
import { KafkaError } from '../errors.ts'
import type { Assignor } from './group/assignors/assignor.ts'
import { cooperativeStickyAssignor } from './group/assignors/cooperative-sticky.ts'
import { rangeAssignor } from './group/assignors/range.ts'
import { roundRobinAssignor } from './group/assignors/round-robin.ts'

/** Where to begin without a committed offset: `{ agoMs }` at the first record that is at most that old. */
export type OffsetReset = 'earliest' | 'latest' | 'none' | { readonly agoMs: number }

/**
 * When offsets are committed. `interval` (every five seconds by default), `message` and `batch` commit what the application is done
 * with; all three also commit before a partition is given up and on close. `manual` leaves it to `commit()`.
 */
export type CommitMode = 'interval' | 'message' | 'batch' | 'manual'

/** The assignors in the box, as Java's are called. */
export type AssignorName = 'cooperative-sticky' | 'range' | 'roundrobin'

/** How much is fetched at a time, and kept. */
export interface FetchOptions {
  /** The broker answers a fetch once so much is there, or after `maxWaitMs`. Default 1. */
  readonly minBytes?: number
  /** Default 500. */
  readonly maxWaitMs?: number
  /** Of one fetch answer; its first batch may exceed it. Default 8 MiB. */
  readonly maxBytes?: number
  /** Of one partition in one fetch answer; its first batch may exceed it. Default 1 MiB. */
  readonly maxBytesPerPartition?: number
  /** Fetched and not handed out yet, in total. Default 32 MiB. */
  readonly bufferBytes?: number
  /** The same per partition: with so much waiting it is not fetched. Default 2 MiB. */
  readonly bufferBytesPerPartition?: number
  /** Default true. */
  readonly checkCrcs?: boolean
  /** The most that the records of one compressed batch may become. Default 64 MiB. */
  readonly maxDecompressedBytes?: number
}

/** How the consumer behaves as a member of a group. */
export interface GroupOptions {
  /** The group to be in. Without one, offsets cannot be committed, and partitions are taken by `assign`. */
  readonly groupId?: string
  /** `auto` takes the new protocol (KIP-848) where the broker and the group speak it. Default `auto`. */
  readonly groupProtocol?: 'classic' | 'consumer' | 'auto'
  /** A static member (KIP-345): it keeps its partitions over a restart that is shorter than the session timeout. */
  readonly groupInstanceId?: string
  /** Of the classic protocol, in order of preference. Naming one makes `auto` mean `classic`. Default cooperative-sticky. */
  readonly assignors?: readonly (AssignorName | Assignor)[]
  /** Of the new protocol: 'uniform' or 'range'. Default: the broker's. */
  readonly serverAssignor?: string
  /** Default 45,000. In the new protocol the broker has its own; this is then when the member gives up by itself. */
  readonly sessionTimeoutMs?: number
  /** Default 3,000. In the new protocol the broker says. */
  readonly heartbeatIntervalMs?: number
  /** How long a member may take to give partitions up: to finish what it has in hand. Default 300,000. */
  readonly rebalanceTimeoutMs?: number
  /**
   * A message in hand for longer counts as stuck: the member leaves, others get its partitions, and it joins again when it is done.
   * Heartbeats are sent meanwhile in any case. Default: none, slow handlers keep their partitions.
   */
  readonly maxPollIntervalMs?: number
}

/** What a consumer can be told beside how to reach the cluster. What makes no sense throws ERR_INVALID_OPTION. */
export interface ConsumerSettings extends FetchOptions, GroupOptions {
  /** Where to begin without a committed offset, and where to go on when the position is gone; a function says it by topic. Default `latest`. */
  readonly offsetReset?: OffsetReset | ((topic: string) => OffsetReset)
  /** Default `interval` in a group. */
  readonly commit?: CommitMode
  /** Default 5,000. */
  readonly commitIntervalMs?: number
  /** See nothing of aborted and open transactions. Default false, as in Kafka. */
  readonly readCommitted?: boolean
  /** Where this consumer is, for brokers that let it read from a replica nearby (KIP-392). */
  readonly rack?: string
  /** How often topics are looked at for new ones that match, and for new partitions. Default 60,000. */
  readonly topicsRefreshMs?: number
  /** Let the broker create topics that are subscribed to, if it is configured to. Default false. */
  readonly allowAutoTopicCreation?: boolean
}

export interface ResolvedSettings {
  readonly groupId: string | null
  readonly groupProtocol: 'classic' | 'consumer' | 'auto'
  readonly groupInstanceId: string | null
  readonly assignors: readonly Assignor[]
  readonly serverAssignor: string | null
  readonly sessionTimeoutMs: number
  readonly heartbeatIntervalMs: number
  readonly rebalanceTimeoutMs: number
  readonly maxPollIntervalMs: number
  readonly offsetReset: (topic: string) => OffsetReset
  readonly commit: CommitMode
  readonly commitIntervalMs: number
  readonly readCommitted: boolean
  readonly rack: string | null
  readonly topicsRefreshMs: number
  readonly allowAutoTopicCreation: boolean
  readonly fetch: Required<FetchOptions>
}

const MIB = 1024 * 1024
const ASSIGNORS: Readonly<Record<AssignorName, Assignor>> = {
  'cooperative-sticky': cooperativeStickyAssignor,
  range: rangeAssignor,
  roundrobin: roundRobinAssignor,
}

function atLeast(name: string, value: number, minimum: number): number {
  if (Number.isFinite(value) && value >= minimum) return value
  throw new KafkaError('ERR_INVALID_OPTION', `${name} is ${value}; it must be a number of at least ${minimum}`)
}

function resolveAssignors(given: GroupOptions['assignors']): readonly Assignor[] {
  const assignors = (given ?? ['cooperative-sticky']).map((each) => {
    const assignor = typeof each === 'string' ? ASSIGNORS[each] : each
    if (assignor === undefined) {
      const known = Object.keys(ASSIGNORS).join(', ')
      throw new KafkaError('ERR_INVALID_OPTION', `assignors: there is no '${String(each)}'; there are ${known}`)
    }
    return assignor
  })
  if (assignors.length === 0) throw new KafkaError('ERR_INVALID_OPTION', 'assignors: name at least one')
  if (new Set(assignors.map(({ cooperative }) => cooperative)).size > 1) {
    // Java's clients move a group from eager to cooperative this way: while any member is eager, all behave so.
    return assignors.map((assignor) => ({ ...assignor, cooperative: false }))
  }
  return assignors
}

function resolveFetch(given: FetchOptions): Required<FetchOptions> {
  return {
    minBytes: atLeast('minBytes', given.minBytes ?? 1, 0),
    maxWaitMs: atLeast('maxWaitMs', given.maxWaitMs ?? 500, 0),
    maxBytes: atLeast('maxBytes', given.maxBytes ?? 8 * MIB, 1),
    maxBytesPerPartition: atLeast('maxBytesPerPartition', given.maxBytesPerPartition ?? MIB, 1),
    bufferBytes: atLeast('bufferBytes', given.bufferBytes ?? 32 * MIB, 1),
    bufferBytesPerPartition: atLeast('bufferBytesPerPartition', given.bufferBytesPerPartition ?? 2 * MIB, 1),
    checkCrcs: given.checkCrcs ?? true,
    maxDecompressedBytes: atLeast(
      'maxDecompressedBytes',
      given.maxDecompressedBytes ?? DEFAULT_MAX_DECOMPRESSED_BYTES,
      1,
    ),
  }
}

function resetByTopic(given: NonNullable<ConsumerSettings['offsetReset']>): ResolvedSettings['offsetReset'] {
  if (typeof given === 'function') return given
  if (typeof given === 'object') atLeast('offsetReset.agoMs', given.agoMs, 0)
  return () => given
}

/** Throws ERR_INVALID_OPTION, naming the option and what is allowed. */
export function resolveSettings(given: ConsumerSettings): ResolvedSettings {
  const sessionTimeoutMs = atLeast('sessionTimeoutMs', given.sessionTimeoutMs ?? 45_000, 1)
  const heartbeatIntervalMs = atLeast('heartbeatIntervalMs', given.heartbeatIntervalMs ?? 3_000, 1)
  if (heartbeatIntervalMs * 2 > sessionTimeoutMs) {
    const message = `heartbeatIntervalMs is ${heartbeatIntervalMs}; it must be at most half of sessionTimeoutMs (${sessionTimeoutMs})`
    throw new KafkaError('ERR_INVALID_OPTION', message)
  }
  if (given.groupId === '') throw new KafkaError('ERR_INVALID_OPTION', 'groupId is empty')
  const named = given.assignors !== undefined
  return {
    groupId: given.groupId ?? null,
    groupProtocol:
      given.groupProtocol === undefined || given.groupProtocol === 'auto'
        ? named
          ? 'classic'
          : 'auto'
        : given.groupProtocol,
    groupInstanceId: given.groupInstanceId ?? null,
    assignors: resolveAssignors(given.assignors),
    serverAssignor: given.serverAssignor ?? null,
    sessionTimeoutMs,
    heartbeatIntervalMs,
    rebalanceTimeoutMs: atLeast('rebalanceTimeoutMs', given.rebalanceTimeoutMs ?? 300_000, 1),
    maxPollIntervalMs: given.maxPollIntervalMs ?? Number.POSITIVE_INFINITY,
    offsetReset: resetByTopic(given.offsetReset ?? 'latest'),
    commit: given.commit ?? (given.groupId === undefined ? 'manual' : 'interval'),
    commitIntervalMs: atLeast('commitIntervalMs', given.commitIntervalMs ?? 5_000, 1),
    readCommitted: given.readCommitted ?? false,
    rack: given.rack ?? null,
    topicsRefreshMs: atLeast('topicsRefreshMs', given.topicsRefreshMs ?? 60_000, 1),
    allowAutoTopicCreation: given.allowAutoTopicCreation ?? false,
    fetch: resolveFetch(given),
  }
}

/** The part of the options that says how to reach the cluster. */
export type ConnectionOptions = Omit<ClusterOptions, 'bootstrap'> & {
  /** `host:port`, several of them, or one text with commas. */
  readonly bootstrap: string | readonly string[]
}
