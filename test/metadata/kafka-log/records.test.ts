// The records of Kafka's metadata log: declared as Kafka declares them, and read as Kafka's own tool reads them.

import { describe, expect, test } from 'bun:test'
import { plain } from '../../../src/cli/dump/item.ts'
import { CONTROL_RECORDS } from '../../../src/metadata/kafka-log/control-records.ts'
import { decodeMetadataRecord, METADATA_RECORDS } from '../../../src/metadata/kafka-log/records.ts'
import { versionRange } from '../../../src/protocol/schema.ts'
import { iterateRecords } from '../../../src/records/batch.ts'
import { readBatches } from '../../../src/records/batch-file.ts'
import { CONTROL_BIT } from '../../../src/records/header.ts'
import { goldenFiles, goldenMetadataRecords } from '../../broker/adopt/golden-folder.ts'
import { kafkaJarsOrSkip } from '../../support/kafka-jars.ts'
import { readKafkaMessages, readKafkaMetadataRecords } from '../../support/kafka-messages.ts'
import { kafkaLines, ourLines, shown } from '../../support/schema-lines.ts'
import { frame, sourceOf } from './support.ts'

const jars = kafkaJarsOrSkip('comparing the metadata records with Kafka')

describe.skipIf(jars === null)('declarations match the Kafka jars', () => {
  const records = jars === null ? [] : readKafkaMetadataRecords(jars)

  test('every record of the jar is declared, and nothing else', () => {
    const ours = Object.values(METADATA_RECORDS).map(({ number, schema }) => `${number} ${schema.name}`)
    expect(ours.sort()).toEqual(records.map(({ apiKey, name }) => `${apiKey} ${name}`).sort())
  })

  for (const { number, schema } of Object.values(METADATA_RECORDS)) {
    test(schema.name, () => {
      const kafka = records.find(({ apiKey }) => apiKey === number)!
      expect(shown(schema.versions)).toBe(shown(versionRange(kafka.validVersions)))
      expect(kafka.flexibleVersions).toBe('0+')
      expect(ourLines(schema)).toEqual(kafkaLines(kafka))
    })
  }

  for (const schema of Object.values(CONTROL_RECORDS)) {
    test(schema.name, () => {
      const kafka = readKafkaMessages(jars!).find(({ name }) => name === schema.name)!
      expect(shown(schema.versions)).toBe(shown(versionRange(kafka.validVersions)))
      expect(ourLines(schema)).toEqual(kafkaLines(kafka))
    })
  }
})

/** `FeatureLevel` -> `FEATURE_LEVEL_RECORD`, as Kafka's tool writes it. */
function kafkaName(type: string): string {
  return `${type.replace(/(?<=[a-z])[A-Z]/g, '_$&').toUpperCase()}_RECORD`
}

test("a real log's records say what Kafka's own tool says they do", () => {
  const log = goldenFiles().get('__cluster_metadata-0/00000000000000000000.log')!
  const expected = goldenMetadataRecords()
  const kinds = new Set<string>()
  let found = 0
  for (const { bytes, header, isIntact } of readBatches(sourceOf(log))) {
    expect(isIntact).toBe(true)
    if ((header!.attributes & CONTROL_BIT) !== 0) continue
    for (const { offset, value } of iterateRecords(bytes)) {
      const decoded = decodeMetadataRecord(value)
      if (decoded.kind !== 'known') throw new Error(`record ${offset}: ${decoded.reason}`)
      const { type, version, fields } = decoded.record
      const shownByKafka = expected[offset]!
      expect(`${kafkaName(type)} ${version}`).toBe(`${shownByKafka.type} ${shownByKafka.version}`)
      // Kafka's tool leaves tagged fields out that have their default.
      expect(plain(fields)).toMatchObject(shownByKafka.data as Record<string, unknown>)
      kinds.add(type)
      found++
    }
  }
  expect(found).toBe(Object.keys(expected).length)
  expect(kinds.size).toBeGreaterThan(15)
})

describe('what cannot be read is told apart', () => {
  const topic = frame('Topic', 0, { name: 'a', topicId: 'AAAAAAAAAAAAAAAAAAAAZg' })

  test.each([
    ['no value', null, 'malformed'],
    ['another frame version', Buffer.from([2, 2, 0]), 'malformed'],
    ['a type that is not known', Buffer.from([1, 99, 0]), 'unknown'],
    ['a version that is not known', Buffer.from([1, 2, 1, 2, 0x61]), 'unknown'],
    ['an early end', topic.subarray(0, topic.length - 1), 'malformed'],
    ['bytes too many', Buffer.concat([topic, Buffer.from([0])]), 'malformed'],
  ])('%s', (_name, value, kind) => {
    expect(decodeMetadataRecord(value).kind).toBe(kind as 'malformed')
  })
})
