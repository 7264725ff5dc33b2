/**
 * The only code that changes durable state: a record that is in the log, or queued for it, is applied here; a load is
 * nothing but this over the whole log. It must not fail and must not depend on anything but state and record.
 */
import type { GroupRecord } from './records.ts'
import type { CommittedOffset, DurableState, GroupMetadata } from './state.ts'

interface MutableDurableState {
  readonly metadata: Map<string, GroupMetadata>
  readonly offsets: Map<string, Map<string, Map<number, CommittedOffset>>>
}

export function emptyDurableState(): DurableState {
  const state: MutableDurableState = { metadata: new Map(), offsets: new Map() }
  return state
}

export function replay(state: DurableState, record: GroupRecord): void {
  // Every DurableState comes from emptyDurableState(); readonly is a promise of the other modules, taken back only here.
  const mutable = state as MutableDurableState
  if (record.type === 'group-metadata') {
    if (record.value === null) mutable.metadata.delete(record.group)
    else mutable.metadata.set(record.group, record.value)
    return
  }
  if (record.value === null) forgetOffset(mutable, record.group, record.topic, record.partition)
  else storeOffset(mutable, record.group, record.topic, record.partition, record.value)
}

function storeOffset(
  state: MutableDurableState,
  group: string,
  topic: string,
  partition: number,
  value: CommittedOffset,
): void {
  let topics = state.offsets.get(group)
  if (topics === undefined) {
    topics = new Map()
    state.offsets.set(group, topics)
  }
  let partitions = topics.get(topic)
  if (partitions === undefined) {
    partitions = new Map()
    topics.set(topic, partitions)
  }
  partitions.set(partition, value)
}

function forgetOffset(state: MutableDurableState, group: string, topic: string, partition: number): void {
  const topics = state.offsets.get(group)
  const partitions = topics?.get(topic)
  if (topics === undefined || partitions === undefined) return
  partitions.delete(partition)
  if (partitions.size === 0) topics.delete(topic)
  if (topics.size === 0) state.offsets.delete(group)
}
