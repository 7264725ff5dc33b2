/** `cordoned.log.dirs`: data folders that get no new replicas. Those in them stay (KIP-1066). */
import type { BrokerConfig } from './broker-config.ts'

const NAME = 'cordoned.log.dirs'
/** Instead of a list: all of them. */
const EVERY_DIRECTORY = '*'

export function isCordoned(config: BrokerConfig, directory: string): boolean {
  const cordoned = config.list(NAME)
  return cordoned.includes(EVERY_DIRECTORY) || cordoned.includes(directory)
}

/** Whether a new replica finds no folder on this broker. */
export function areAllCordoned(config: BrokerConfig): boolean {
  const cordoned = config.list(NAME)
  if (cordoned.length === 0) return false
  return dataDirectories(config).every((directory) => isCordoned(config, directory))
}

/** Why these folders cannot be cordoned, in Kafka's words; null: they can. */
export function refuseCordoned(config: BrokerConfig, cordoned: readonly string[]): string | null {
  const known = dataDirectories(config)
  const missing = cordoned.filter((directory) => directory !== EVERY_DIRECTORY && !known.includes(directory))
  if (missing.length === 0) return null
  const entries = missing.join(', ')
  return `requirement failed: All entries in ${NAME} must be present in log.dirs or log.dir. Missing entries : ${entries}`
}

function dataDirectories(config: BrokerConfig): readonly string[] {
  const directories = config.list('log.dirs')
  return directories.length > 0 ? directories : config.list('log.dir')
}
