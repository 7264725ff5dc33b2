/** What a consumer is made with, and what its calls take: the types that applications write down. */
import type { CallOptions } from '../call.ts'
import type { Cluster } from '../cluster.ts'
import type { KafkaError } from '../errors.ts'
import type { ClientHooks } from '../observe/hooks.ts'
import type { ConsumerSerdes, DeserializeErrorHandler } from './deserialize.ts'
import type { ConnectionOptions, ConsumerSettings } from './options.ts'
import type { TopicPartition } from './topic-partition.ts'

export type { CallOptions }

/** How the group sees a member. */
export interface GroupMembership {
  /** The id by which the group knows it. */
  readonly memberId: string
  /** In the new protocol the member's epoch. */
  readonly generation: number
  /** `classic` or `consumer`. */
  readonly protocol: string
  /** The member that deals partitions out, and by which assignor; null in the new protocol, where the broker does. */
  readonly leaderId: string | null
  /** The classic protocol's assignor that the members agreed on; null in the new protocol. */
  readonly assignor: string | null
}

/** Called, and where it answers a promise waited for, as partitions come and go. */
export interface RebalanceListener {
  /** A new generation is being made: partitions may have to be given up, as soon as what is in hand of them is done with. */
  begun?(): void
  /** This consumer is a member of a new generation. Told at once, while `assigned` of its new partitions may still be waited for. */
  joined?(member: GroupMembership): void
  /** New partitions, before their first record: the place to `seek`. */
  assigned?(partitions: readonly TopicPartition[]): Promise<void> | void
  /** About to be given up; what was processed is committed. The last moment for commits of one's own. */
  revoked?(partitions: readonly TopicPartition[]): Promise<void> | void
  /** Somebody else may have them already. Without this, `revoked` is called. */
  lost?(partitions: readonly TopicPartition[]): Promise<void> | void
}

interface OwnOptions<V, K> extends ConsumerSettings {
  /** What makes keys and values of bytes. Without it they are views of the bytes. */
  readonly serdes?: ConsumerSerdes<V, K>
  /** What becomes of a message that cannot be deserialized. Without it the reading ends with ERR_SERIALIZATION. */
  readonly onDeserializeError?: DeserializeErrorHandler
  /** Told when partitions come and go. */
  readonly rebalance?: RebalanceListener
  /** Told of what goes wrong in the background and is tried again or can be lived with: a commit by interval that failed, records that were gone. */
  readonly onWarning?: (error: KafkaError) => void
  /** `onRequest` is called after every request. Default: none. */
  readonly hooks?: Pick<ClientHooks, 'onRequest'>
  /** How long `close` may take: to wait for handlers that are under way, for the last commit and for leaving the group. Default 30,000 ms. */
  readonly closeTimeoutMs?: number
}

/** `bootstrap` makes connections of the consumer's own; a `cluster` is shared and stays open. */
export type ConsumerOptions<V = Buffer, K = Buffer> = OwnOptions<V, K> &
  (
    | (ConnectionOptions & { readonly cluster?: undefined })
    | {
        /** A cluster that is open already, in place of `bootstrap`: its connections are shared, and it is left open. */
        readonly cluster: Cluster
        readonly bootstrap?: undefined
      }
  )

/** Where to begin: an offset, an end of the partition, or the first record of that time. Without it: the committed offset. */
export type StartingPoint = number | 'earliest' | 'latest' | 'committed' | { readonly timestamp: number }

/** A partition to be read without membership in a group. */
export interface PartitionToRead extends TopicPartition {
  /** Where to begin. Default `committed` in a group, else as `offsetReset` says. */
  readonly offset?: StartingPoint
  /** Read up to before this offset. Where every partition has one, loops end when all are reached. */
  readonly until?: number
}
