// Compares every declared message, field by field, with the definitions inside Kafka's own clients jar. Both sides are
// brought into the same flat form, one line per field, so that a failure reads as a difference of lines.

import { describe, expect, test } from 'bun:test'
import { apiName } from '../../src/protocol/api-keys.ts'
import { MESSAGES } from '../../src/protocol/messages/index.ts'
import { type VersionRange, versionRange } from '../../src/protocol/schema.ts'
import { kafkaJarsOrSkip } from '../support/kafka-jars.ts'
import { type KafkaMessage, readKafkaMessages } from '../support/kafka-messages.ts'
import { intersection, kafkaLines, ourLines, shown } from '../support/schema-lines.ts'

/** Requests that only brokers and controllers send each other; a client never sees them. */
const NOT_CLIENT_FACING = [
  'Vote',
  'BeginQuorumEpoch',
  'EndQuorumEpoch',
  'AlterPartition',
  'Envelope',
  'FetchSnapshot',
  'BrokerRegistration',
  'BrokerHeartbeat',
  'AllocateProducerIds',
  'ControllerRegistration',
  'AssignReplicasToDirs',
  'UpdateRaftVoter',
]

const jars = kafkaJarsOrSkip('comparing message declarations with Kafka')

describe.skipIf(jars === null)('message declarations match the Kafka jar', () => {
  const messages = jars === null ? [] : readKafkaMessages(jars)
  // Removed requests are still in the jar, without any version.
  const requests = messages.filter((message) => message.type === 'request' && message.validVersions !== 'none')
  const isClientFacing = (message: KafkaMessage): boolean =>
    !NOT_CLIENT_FACING.includes(message.name.replace(/Request$/, ''))
  const find = (type: string, key: number): KafkaMessage => {
    const found = messages.find((message) => message.type === type && message.apiKey === key)
    if (found === undefined) throw new Error(`the jar has no ${type} ${key}`)
    return found
  }

  test('every client-facing request of the jar is declared, and nothing else', () => {
    const expected = requests.filter(isClientFacing).map((message) => Number(message.apiKey))
    expect([...MESSAGES.keys()].sort((a, b) => a - b)).toEqual(expected.sort((a, b) => a - b))
    expect(expected.length).toBeGreaterThan(70)
  })

  test('the requests left out are those the jar still has', () => {
    const names = requests.map((message) => message.name.replace(/Request$/, ''))
    expect(NOT_CLIENT_FACING.filter((name) => !names.includes(name))).toEqual([])
  })

  for (const pair of MESSAGES.values()) {
    for (const schema of [pair.request, pair.response]) {
      test(`${schema.name} (${pair.key})`, () => {
        const message = find(schema.type, pair.key)
        const head = (name: string, valid: VersionRange, flexible: VersionRange, unstable: boolean) => ({
          name,
          valid: shown(valid),
          flexible: shown(intersection(flexible, valid)),
          unstable,
        })
        const unstable = find('request', pair.key).latestVersionUnstable ?? false
        expect(head(schema.name, schema.versions, schema.flexible, schema.latestVersionUnstable)).toEqual(
          head(message.name, versionRange(message.validVersions), versionRange(message.flexibleVersions), unstable),
        )
        expect(ourLines(schema)).toEqual(kafkaLines(message))
      })
    }
    test(`${pair.name} (${pair.key}) is named alike everywhere`, () => {
      expect(apiName(pair.key)).toBe(pair.name)
      expect(pair.request.name).toBe(`${pair.name}Request`)
      expect(pair.response.name).toBe(`${pair.name}Response`)
      expect(pair.response.key).toBe(pair.key)
      expect(pair.response.versions).toEqual(pair.request.versions)
    })
  }
})
