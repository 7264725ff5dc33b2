/** The broker's settings for compaction as the log layer takes them; read at every use, so that a change counts at once. */
import type { CleanerSettings } from '../log/compaction.ts'
import type { BrokerConfig } from '../metadata/broker-config.ts'

export function cleanerSettings(config: BrokerConfig): CleanerSettings {
  return {
    enable: config.boolean('log.cleaner.enable'),
    threads: config.number('log.cleaner.threads'),
    backoffMs: config.number('log.cleaner.backoff.ms'),
    dedupeBufferBytes: config.number('log.cleaner.dedupe.buffer.size'),
    loadFactor: config.number('log.cleaner.io.buffer.load.factor'),
    ioBufferBytes: config.number('log.cleaner.io.buffer.size'),
    ioMaxBytesPerSecond: config.number('log.cleaner.io.max.bytes.per.second'),
  }
}

export function isCleanerSetting(name: string): boolean {
  return name.startsWith('log.cleaner.')
}
