// The definitions of messages and records inside Kafka's jars, as data.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { readZipEntries } from './zip.ts'

export interface KafkaField {
  readonly name: string
  readonly type: string
  readonly versions: string
  readonly nullableVersions?: string
  readonly taggedVersions?: string
  readonly tag?: number
  readonly default?: string | number | boolean
  readonly ignorable?: boolean
  readonly fields?: readonly KafkaField[]
}

export interface KafkaMessage {
  readonly type: string
  readonly name: string
  readonly apiKey?: number
  readonly validVersions: string
  readonly flexibleVersions: string
  readonly latestVersionUnstable?: boolean
  readonly listeners?: readonly string[]
  readonly fields: readonly KafkaField[]
  readonly commonStructs?: readonly { readonly name: string; readonly fields: readonly KafkaField[] }[]
}

export function readKafkaMessages(jarsFolder: string): KafkaMessage[] {
  return readDefinitions(jarsFolder, 'kafka-clients', /^common\/message\/\w+\.json$/)
}

/** The records of the metadata log. */
export function readKafkaMetadataRecords(jarsFolder: string): KafkaMessage[] {
  return readDefinitions(jarsFolder, 'kafka-metadata', /^common\/metadata\/\w+\.json$/)
}

function readDefinitions(jarsFolder: string, library: string, path: RegExp): KafkaMessage[] {
  const jar = readdirSync(jarsFolder).find((name) => new RegExp(`^${library}-[\\d.]+\\.jar$`).test(name))
  if (jar === undefined) throw new Error(`no ${library} jar in ${jarsFolder}`)
  const entries = readZipEntries(join(jarsFolder, jar), (name) => path.test(name))
  // The definitions are JSON with comment lines.
  return [...entries.values()].map((bytes) => JSON.parse(bytes.toString('utf8').replace(/^\s*\/\/.*$/gm, '')))
}
