/**
 * A topic's effective settings, typed: what its own configs say, otherwise what the broker's give as default. The log layer
 * and the produce path work with these; configs.ts builds them.
 */

import { TOPIC_DEFINITIONS } from './config-definitions/index.ts'
import { TOPIC_SYNONYMS } from './config-definitions/topic.ts'
import type { ConfigScalar } from './config-definitions/validators.ts'
import { parseConfigValue } from './config-values.ts'

export type CompressionType = 'producer' | 'uncompressed' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

export interface TopicSettings {
  readonly segmentBytes: number
  readonly segmentMs: number
  readonly segmentJitterMs: number
  readonly segmentIndexBytes: number
  readonly indexIntervalBytes: number
  readonly preallocate: boolean
  readonly flushMessages: number
  readonly flushMs: number
  readonly retentionMs: number
  readonly retentionBytes: number
  readonly fileDeleteDelayMs: number
  readonly cleanupPolicy: { readonly compact: boolean; readonly delete: boolean }
  readonly deleteRetentionMs: number
  readonly minCompactionLagMs: number
  readonly maxCompactionLagMs: number
  readonly minCleanableDirtyRatio: number
  readonly maxMessageBytes: number
  readonly compressionType: CompressionType
  readonly compressionLevels: { readonly gzip: number; readonly lz4: number; readonly zstd: number }
  readonly timestampType: 'CreateTime' | 'LogAppendTime'
  readonly timestampBeforeMaxMs: number
  readonly timestampAfterMaxMs: number
  readonly minInsyncReplicas: number
  readonly uncleanLeaderElection: boolean
  readonly producerIdExpirationMs: number
}

/**
 * The effective text of one topic property. Time settings exist in several units on the broker: the finest one that
 * has a value wins.
 */
export function effectiveTopicText(
  name: string,
  own: ReadonlyMap<string, string>,
  brokerText: (name: string) => string | null,
): string | null {
  const set = own.get(name)
  if (set !== undefined) return set
  for (const { name: synonym, factor } of TOPIC_SYNONYMS[name] ?? []) {
    const text = brokerText(synonym)
    if (text === null) continue
    // Any negative time means "no limit", in every unit; on the topic that is -1.
    if (text.startsWith('-') && name === 'retention.ms') return '-1'
    if (factor === 1) return text
    return String(BigInt(text) * BigInt(factor))
  }
  return TOPIC_DEFINITIONS.get(name)?.defaultValue ?? null
}

export function topicSettings(
  own: ReadonlyMap<string, string>,
  brokerText: (name: string) => string | null,
  producerIdExpirationMs: number,
): TopicSettings {
  const value = (name: string): ConfigScalar => {
    const definition = TOPIC_DEFINITIONS.get(name)
    if (definition === undefined) throw new Error(`there is no topic configuration ${name}`)
    const parsed = parseConfigValue(definition, effectiveTopicText(name, own, brokerText))
    if (parsed.ok) return parsed.value
    const fallback = parseConfigValue(definition, definition.defaultValue)
    return fallback.ok ? fallback.value : null
  }
  const number = (name: string): number => value(name) as number
  const policies = value('cleanup.policy') as readonly string[]
  return {
    segmentBytes: (value('internal.segment.bytes') as number | null) ?? number('segment.bytes'),
    segmentMs: number('segment.ms'),
    segmentJitterMs: number('segment.jitter.ms'),
    segmentIndexBytes: number('segment.index.bytes'),
    indexIntervalBytes: number('index.interval.bytes'),
    preallocate: value('preallocate') as boolean,
    flushMessages: number('flush.messages'),
    flushMs: number('flush.ms'),
    retentionMs: number('retention.ms'),
    retentionBytes: number('retention.bytes'),
    fileDeleteDelayMs: number('file.delete.delay.ms'),
    cleanupPolicy: { compact: policies.includes('compact'), delete: policies.includes('delete') },
    deleteRetentionMs: number('delete.retention.ms'),
    minCompactionLagMs: number('min.compaction.lag.ms'),
    maxCompactionLagMs: number('max.compaction.lag.ms'),
    minCleanableDirtyRatio: number('min.cleanable.dirty.ratio'),
    maxMessageBytes: number('max.message.bytes'),
    compressionType: value('compression.type') as CompressionType,
    compressionLevels: {
      gzip: number('compression.gzip.level'),
      lz4: number('compression.lz4.level'),
      zstd: number('compression.zstd.level'),
    },
    timestampType: value('message.timestamp.type') as 'CreateTime' | 'LogAppendTime',
    timestampBeforeMaxMs: number('message.timestamp.before.max.ms'),
    timestampAfterMaxMs: number('message.timestamp.after.max.ms'),
    minInsyncReplicas: number('min.insync.replicas'),
    uncleanLeaderElection: value('unclean.leader.election.enable') as boolean,
    producerIdExpirationMs,
  }
}
