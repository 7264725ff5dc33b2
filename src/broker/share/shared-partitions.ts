/** All partitions that share groups read on this broker, by group; and what members and groups that go away mean for them. */

import type { SharePartitionKey } from '../../coordinator/share-state/persister.ts'
import type { Partition } from '../partition.ts'
import { type ShareSession, ShareSessions } from './sessions.ts'
import type { SharedPartitionDependencies } from './shared-partition.ts'
import { SharedPartition } from './shared-partition.ts'

export interface SharedPartitionsOptions extends SharedPartitionDependencies {
  /** group.share.max.share.sessions */
  readonly sessionsMax: number
}

export class SharedPartitions {
  readonly sessions: ShareSessions
  readonly #options: SharedPartitionsOptions
  /** Group -> `partition/topicId`. */
  readonly #byGroup = new Map<string, Map<string, SharedPartition>>()

  constructor(options: SharedPartitionsOptions) {
    this.#options = options
    this.sessions = new ShareSessions({
      sessionsMax: options.sessionsMax,
      onEnded: (session) => this.#release(session),
      onGroupEmpty: (groupId) => this.#retire(groupId),
    })
  }

  /** undefined: nobody of the group has read it since it was last forgotten. */
  get(groupId: string, topicId: string, index: number): SharedPartition | undefined {
    const shared = this.#byGroup.get(groupId)?.get(`${index}/${topicId}`)
    if (shared === undefined || shared.isCurrent) return shared
    shared.close()
    return undefined
  }

  /** Loads it if need be. */
  open(groupId: string, partition: Partition): SharedPartition {
    const { topicId, index } = partition
    const known = this.get(groupId, topicId, index)
    if (known !== undefined) {
      known.reuse()
      return known
    }
    const key = { groupId, topicId, partition: index }
    let group = this.#byGroup.get(groupId)
    if (group === undefined) {
      group = new Map()
      this.#byGroup.set(groupId, group)
    }
    // Entered first: a read that is answered at once may end it.
    const shared = new SharedPartition(key, partition, this.#options, (closed) => this.#forget(closed))
    if (shared.isCurrent) group.set(`${index}/${topicId}`, shared)
    return shared
  }

  /** Whoever reads on loads the state anew. */
  forget({ groupId, topicId, partition }: SharePartitionKey): void {
    this.#byGroup.get(groupId)?.get(`${partition}/${topicId}`)?.close()
  }

  close(): void {
    for (const group of [...this.#byGroup.values()]) for (const shared of [...group.values()]) shared.close()
  }

  #retire(groupId: string): void {
    for (const shared of [...(this.#byGroup.get(groupId)?.values() ?? [])]) shared.retire()
  }

  #release({ groupId, memberId, partitions }: ShareSession): void {
    for (const { topicId, index } of partitions.values()) this.get(groupId, topicId, index)?.release(memberId)
  }

  #forget({ key: { groupId, topicId, partition } }: SharedPartition): void {
    const group = this.#byGroup.get(groupId)
    group?.delete(`${partition}/${topicId}`)
    if (group?.size === 0) this.#byGroup.delete(groupId)
  }
}
