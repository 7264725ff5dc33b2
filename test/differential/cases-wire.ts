// ApiVersions, and what happens to requests that cannot be served: unsupported versions, broken bodies and frames.
import { ApiKey } from '../../src/protocol/api-keys.ts'
import { decodeResponse, encodeRequest } from '../../src/protocol/frame.ts'
import { MetadataRequest, MetadataResponse } from '../../src/protocol/messages/03-metadata.ts'
import { HeartbeatRequest, HeartbeatResponse } from '../../src/protocol/messages/12-heartbeat.ts'
import { ApiVersionsRequest, ApiVersionsResponse } from '../../src/protocol/messages/18-api-versions.ts'
import { Reader } from '../../src/protocol/reader.ts'
import type { Infer } from '../../src/protocol/schema.ts'
import type { DifferentialBroker } from './broker.ts'
import { asks, type CaseGroup, type DifferentialCase } from './case.ts'

/** The APIs that are compared; Kafka serves more. */
const COMPARED = new Set<number>([
  ...[ApiKey.Produce, ApiKey.Fetch, ApiKey.ListOffsets, ApiKey.Metadata, ApiKey.OffsetCommit, ApiKey.OffsetFetch],
  ...[ApiKey.FindCoordinator, ApiKey.JoinGroup, ApiKey.Heartbeat, ApiKey.LeaveGroup, ApiKey.SyncGroup],
  ...[ApiKey.DescribeGroups, ApiKey.ListGroups, ApiKey.ApiVersions, ApiKey.CreateTopics, ApiKey.DeleteTopics],
  ...[ApiKey.DeleteRecords, ApiKey.InitProducerId, ApiKey.OffsetForLeaderEpoch, ApiKey.DescribeConfigs],
  ...[ApiKey.AlterConfigs, ApiKey.DescribeLogDirs, ApiKey.CreatePartitions, ApiKey.DeleteGroups],
  ...[
    ApiKey.IncrementalAlterConfigs,
    ApiKey.OffsetDelete,
    ApiKey.DescribeCluster,
    ApiKey.DescribeTopicPartitions,
    ApiKey.DescribeClientQuotas,
    ApiKey.AlterClientQuotas,
    ApiKey.DescribeAcls,
    ApiKey.CreateAcls,
    ApiKey.DeleteAcls,
    ApiKey.CreateDelegationToken,
    ApiKey.RenewDelegationToken,
    ApiKey.ExpireDelegationToken,
    ApiKey.DescribeDelegationToken,
    ApiKey.DescribeUserScramCredentials,
    ApiKey.AlterUserScramCredentials,
    ApiKey.DescribeQuorum,
    ApiKey.UpdateFeatures,
    ApiKey.UnregisterBroker,
    ApiKey.AddRaftVoter,
    ApiKey.RemoveRaftVoter,
    ApiKey.AlterReplicaLogDirs,
    ApiKey.ElectLeaders,
    ApiKey.AlterPartitionReassignments,
    ApiKey.ListPartitionReassignments,
    ApiKey.ListConfigResources,
  ],
])

const apiVersions = asks(ApiVersionsRequest, ApiVersionsResponse)
const SOFTWARE = { clientSoftwareName: 'differential', clientSoftwareVersion: '1.0' }

/** Share and streams groups are left out. */
const COMPARED_FEATURES = new Set([
  'eligible.leader.replicas.version',
  'group.version',
  'kraft.version',
  'metadata.version',
  'transaction.version',
])
const isCompared = ({ name }: { name: string }): boolean => COMPARED_FEATURES.has(name)
const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1)

/** The ranges of the compared APIs, and the features; Samsa has fewer of both until it serves all of Kafka. */
function comparedRanges(answer: Infer<typeof ApiVersionsResponse>): unknown {
  return {
    errorCode: answer.errorCode,
    apiKeys: answer.apiKeys.filter(({ apiKey }) => COMPARED.has(apiKey)),
    finalizedFeatures: answer.finalizedFeatures.filter(isCompared).sort(byName),
    supportedFeatures: answer.supportedFeatures.filter(isCompared).sort(byName),
    finalizedFeaturesEpoch: answer.finalizedFeaturesEpoch,
    zkMigrationReady: answer.zkMigrationReady,
  }
}

/** ApiVersions of a version that nobody serves: the answer is of version 0. */
function unsupportedApiVersions(version: number): DifferentialCase {
  return {
    name: `version ${version} is answered in version 0`,
    ask: async (broker) => {
      const connection = await broker.connection('api-versions')
      const frame = Buffer.concat(encodeRequest(ApiVersionsRequest, 4, 7, 'api-versions', SOFTWARE))
      frame.writeInt16BE(version, 6)
      const reader = new Reader([await connection.sendRaw(frame)])
      const correlationId = reader.int32()
      const errorCode = reader.int16()
      const rows = Array.from({ length: reader.int32() }, () => [reader.int16(), reader.int16(), reader.int16()])
      return { correlationId, errorCode, rows, stillOpen: await isAlive(broker, 'api-versions') }
    },
  }
}

async function isAlive(broker: DifferentialBroker, name: string): Promise<boolean> {
  const connection = await broker.connection(name)
  const answer = await connection.send(ApiVersionsRequest, ApiVersionsResponse, SOFTWARE, { version: 3 })
  return answer.errorCode === 0
}

/** A request whose header names a version that its API does not have. */
function unsupportedVersion(what: string, apiKey: number, version: number): DifferentialCase {
  return {
    name: `${what} version ${version}`,
    ask: async (broker) => {
      const header = Buffer.alloc(14)
      header.writeInt32BE(10, 0)
      header.writeInt16BE(apiKey, 4)
      header.writeInt16BE(version, 6)
      header.writeInt32BE(1, 8)
      header.writeInt16BE(-1, 12)
      return (await broker.connection('unsupported')).sendRaw(header, { timeoutMs: 5_000 })
    },
  }
}

function rawFrame(name: string, bytes: number[] | Buffer): DifferentialCase {
  return {
    name,
    ask: async (broker) => (await broker.connection('raw')).sendRaw(Buffer.from(bytes), { timeoutMs: 5_000 }),
  }
}

/** A Metadata request for one topic, to be damaged. */
function metadataFrame(change: (frame: Buffer) => Buffer): Buffer {
  const value = { topics: [{ name: 'no-such-topic' }], allowAutoTopicCreation: false }
  return change(Buffer.concat(encodeRequest(MetadataRequest, 4, 1, 'raw', value)))
}

function resized(body: Buffer): Buffer {
  body.writeInt32BE(body.length - 4, 0)
  return body
}

const metadata = asks(MetadataRequest, MetadataResponse)

export const WIRE_CASES: CaseGroup[] = [
  {
    api: 'ApiVersions',
    cases: [
      ...[0, 1, 2, 3, 4].map((version) =>
        apiVersions('ranges of the compared APIs', version, version < 3 ? {} : SOFTWARE, { only: comparedRanges }),
      ),
      apiVersions('an empty client software name', 3, { clientSoftwareName: '', clientSoftwareVersion: '1' }),
      apiVersions('a client software name with a space', 3, { clientSoftwareName: 'a b', clientSoftwareVersion: '1' }),
      apiVersions('a client software version that ends in a dash', 4, {
        clientSoftwareName: 'a',
        clientSoftwareVersion: '1-',
      }),
      unsupportedApiVersions(5),
      unsupportedApiVersions(-1),
      unsupportedApiVersions(32767),
    ],
  },
  {
    api: 'Framing',
    cases: [
      unsupportedVersion('Produce', ApiKey.Produce, 2),
      unsupportedVersion('Produce', ApiKey.Produce, 14),
      unsupportedVersion('Fetch', ApiKey.Fetch, 3),
      unsupportedVersion('Fetch', ApiKey.Fetch, 19),
      unsupportedVersion('ListOffsets', ApiKey.ListOffsets, 0),
      unsupportedVersion('Metadata', ApiKey.Metadata, 14),
      unsupportedVersion('OffsetCommit', ApiKey.OffsetCommit, 1),
      unsupportedVersion('OffsetFetch', ApiKey.OffsetFetch, 0),
      unsupportedVersion('JoinGroup', ApiKey.JoinGroup, 10),
      unsupportedVersion('CreateTopics', ApiKey.CreateTopics, 1),
      unsupportedVersion('InitProducerId', ApiKey.InitProducerId, 6),
      unsupportedVersion('an unknown key', 9999, 0),
      unsupportedVersion('a controller key', 52, 0),
      rawFrame('a frame of size 0', [0, 0, 0, 0]),
      rawFrame('a negative frame size', [0xff, 0xff, 0xff, 0xff]),
      rawFrame('a frame size above the limit', [0x7f, 0xff, 0xff, 0xff]),
      rawFrame('a frame too short for a header', [0, 0, 0, 2, 0, 3]),
      rawFrame('an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: samsa\r\n\r\n')),
      rawFrame(
        'a body that ends early',
        metadataFrame((frame) => resized(frame.subarray(0, -6))),
      ),
      rawFrame(
        'an impossible array length',
        metadataFrame((frame) => {
          frame.writeInt32BE(0x7fffffff, 4 + 8 + 2 + 3)
          return frame
        }),
      ),
      {
        name: 'bytes left over after the body are ignored',
        ask: async (broker) => {
          const frame = metadataFrame((whole) => resized(Buffer.concat([whole, Buffer.alloc(9, 0x55)])))
          const reader = new Reader([await (await broker.connection('raw')).sendRaw(frame, { timeoutMs: 5_000 })])
          return { correlationId: reader.int32(), answer: decodeResponse(MetadataResponse, 4, reader) }
        },
      },
      {
        name: 'a null client id, and unknown tagged fields in the header and the body',
        ask: async (broker) => {
          // Heartbeat v4: header with null client id and one tag, compact strings, body with one tag.
          const payload = Buffer.from(
            '000c0004000000090 ffff 01050161 026700000001 026d00 010502aabb'.replaceAll(' ', ''),
            'hex',
          )
          const size = Buffer.alloc(4)
          size.writeInt32BE(payload.length)
          return (await broker.connection('tags')).sendRaw(Buffer.concat([size, payload]), { timeoutMs: 5_000 })
        },
      },
      {
        name: 'answers come in the order of the requests',
        ask: async (broker) => {
          const connection = await broker.connection('order')
          const order: string[] = []
          const note = (name: string) => () => order.push(name)
          await Promise.all([
            connection
              .send(
                HeartbeatRequest,
                HeartbeatResponse,
                { groupId: 'none', generationId: 1, memberId: 'm' },
                { version: 4 },
              )
              .then(note('heartbeat')),
            connection.send(MetadataRequest, MetadataResponse, { topics: [] }, { version: 9 }).then(note('metadata')),
            connection.send(ApiVersionsRequest, ApiVersionsResponse, SOFTWARE, { version: 3 }).then(note('versions')),
          ])
          return order
        },
      },
      metadata('the broker still serves after all of that', 9, { topics: [] }),
    ],
  },
]
