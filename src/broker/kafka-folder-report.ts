/** What is in a Kafka data folder, in lines for its owner. */
import { KafkaConfigType } from '../metadata/kafka-log/kafka-metadata.ts'
import { metadataVersionName } from '../metadata/kafka-log/metadata-version.ts'
import type { KafkaFolder, PartitionPlace } from './kafka-folder.ts'

const INTERNAL_TOPICS = ['__consumer_offsets', '__transaction_state', '__share_group_state'] as const

const NAME_COLUMNS = 20

export function reportOf(folder: KafkaFolder): string[] {
  const { read, directories, metadataLog } = folder
  const { metadata } = read
  const row = (name: string, value: string): string => `  ${name.padEnd(NAME_COLUMNS)} ${value}`
  const features = [...metadata.features].filter(([name]) => name !== 'metadata.version')
  const level = metadata.features.get('metadata.version')
  return [
    `The data folder of a Kafka broker: ${directories.join(', ')}`,
    ...(directories.includes(metadataLog) ? [] : [row('metadata log', metadataLog)]),
    row('cluster id', folder.clusterId),
    row('node id', String(folder.nodeId)),
    row('last stop', folder.isCleanlyStopped ? 'clean' : 'not clean: its logs are checked at the start'),
    row('metadata.version', level === undefined ? 'none' : `${level} (${metadataVersionName(level) ?? 'unknown'})`),
    row('features', features.map(([name, each]) => `${name} ${each}`).join(', ') || 'none'),
    row('metadata', `${read.records} records${read.snapshot === null ? '' : `, from snapshot ${read.snapshot} on`}`),
    ...topicRows(folder, row),
    ...settingRows(folder, row),
    row('next producer id', String(metadata.nextProducerId)),
    ...listed('To know:', folder.notes),
    ...listed('Cannot be taken over:', folder.refusals),
  ]
}

type Row = (name: string, value: string) => string

function topicRows({ read, places }: KafkaFolder, row: Row): string[] {
  const topics = [...read.metadata.topics.values()]
  const partitions = topics.reduce((sum, topic) => sum + topic.partitions.size, 0)
  const rows = [row('topics', `${topics.length}, ${partitions} partitions, ${bytesOf(places)} bytes`)]
  for (const name of INTERNAL_TOPICS) {
    const topic = topics.find((each) => each.name === name)
    const own = places.filter((place) => place.topic === name)
    if (topic !== undefined) rows.push(row(name, `${topic.partitions.size} partitions, ${bytesOf(own)} bytes`))
  }
  return rows
}

function bytesOf(places: readonly PartitionPlace[]): number {
  return places.reduce((sum, { bytes }) => sum + bytes, 0)
}

function settingRows({ read: { metadata } }: KafkaFolder, row: Row): string[] {
  const configured = (type: number): number => metadata.configs.get(type)?.size ?? 0
  const configs = [
    [configured(KafkaConfigType.TOPIC), 'topics'],
    [configured(KafkaConfigType.BROKER), 'brokers (the defaults of all count as one)'],
    [configured(KafkaConfigType.GROUP), 'groups'],
    [configured(KafkaConfigType.CLIENT_METRICS), 'client metrics subscriptions'],
  ] as const
  const shown = configs.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`)
  return [
    row('configs of', shown.join(', ') || 'nothing'),
    row('quotas of', `${metadata.quotas.size} entities`),
    row('SCRAM users', String(metadata.scram.size)),
    row('ACLs', String(metadata.acls.size)),
  ]
}

function listed(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [title, ...lines.map((line) => `  - ${line}`)]
}
