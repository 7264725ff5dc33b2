/**
 * The topology of a streams group as its members send it and as it is stored: subtopologies with the topics they read and write. Which
 * partitions internal topics get, and whether all topics are there, is decided in `configure.ts`.
 */
import { isDeepStrictEqual } from 'node:util'

export interface InternalTopicInfo {
  readonly name: string
  /** 0: to be decided by the broker; always so for changelogs. */
  readonly partitions: number
  /** 0: the broker's default. */
  readonly replicationFactor: number
  readonly topicConfigs: readonly { readonly key: string; readonly value: string }[]
}

/** Topics that must have the same number of partitions, as places in the lists of the subtopology. */
export interface CopartitionGroup {
  readonly sourceTopics: readonly number[]
  readonly sourceTopicRegex: readonly number[]
  readonly repartitionSourceTopics: readonly number[]
}

export interface Subtopology {
  readonly subtopologyId: string
  readonly sourceTopics: readonly string[]
  readonly sourceTopicRegex: readonly string[]
  readonly stateChangelogTopics: readonly InternalTopicInfo[]
  readonly repartitionSinkTopics: readonly string[]
  readonly repartitionSourceTopics: readonly InternalTopicInfo[]
  readonly copartitionGroups: readonly CopartitionGroup[]
}

export interface Topology {
  readonly epoch: number
  readonly subtopologies: readonly Subtopology[]
}

/** Topics that must exist before tasks can run. Not those that are only written to: they are read by another subtopology. */
export function requiredTopics({ subtopologies }: Topology): Set<string> {
  const names = new Set<string>()
  for (const { sourceTopics, repartitionSourceTopics, stateChangelogTopics } of subtopologies) {
    for (const name of sourceTopics) names.add(name)
    for (const { name } of repartitionSourceTopics) names.add(name)
    for (const { name } of stateChangelogTopics) names.add(name)
  }
  return names
}

/** Everything that is named, each once, in the order of the request. */
export function namedTopics({ subtopologies }: Topology): Set<string> {
  const names = new Set<string>()
  for (const subtopology of subtopologies) {
    for (const name of subtopology.sourceTopics) names.add(name)
    for (const name of subtopology.repartitionSinkTopics) names.add(name)
    for (const { name } of subtopology.repartitionSourceTopics) names.add(name)
    for (const { name } of subtopology.stateChangelogTopics) names.add(name)
  }
  return names
}

/** Topic -> the subtopology that reads it. */
export function readersOf({ subtopologies }: Topology): Map<string, string> {
  const readers = new Map<string, string>()
  for (const { subtopologyId, sourceTopics, repartitionSourceTopics } of subtopologies) {
    for (const name of sourceTopics) readers.set(name, subtopologyId)
    for (const { name } of repartitionSourceTopics) readers.set(name, subtopologyId)
  }
  return readers
}

function byId({ subtopologies }: Topology): Map<string, Subtopology> {
  return new Map(subtopologies.map((subtopology) => [subtopology.subtopologyId, subtopology]))
}

/** The order of the subtopologies does not matter, that of everything within them does. */
export function sameTopology(one: Topology, other: Topology): boolean {
  return one.epoch === other.epoch && isDeepStrictEqual(byId(one), byId(other))
}
