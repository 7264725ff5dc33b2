// ShareFetch and ShareAcknowledge: sessions, who gets which records, and what becomes of them.

import { ShareFetchRequest, ShareFetchResponse } from '../../src/protocol/messages/78-share-fetch.ts'
import { ShareAcknowledgeRequest, ShareAcknowledgeResponse } from '../../src/protocol/messages/79-share-acknowledge.ts'
import type { Input } from '../../src/protocol/schema.ts'
import type { DifferentialBroker } from './broker.ts'
import { accepting, asks, type CaseGroup } from './case.ts'
import { prepareShareTopics, story } from './cases-share-groups.ts'
import { setGroupConfig } from './consumer-group-helpers.ts'
import { appendBatch, batchOf } from './produce-helpers.ts'
import {
  ACCEPT,
  acquiredOf,
  REJECT,
  RELEASE,
  RENEW,
  range,
  ShareClient,
  type ShareFetchOptions,
} from './share-helpers.ts'

const shareFetch = asks(ShareFetchRequest, ShareFetchResponse)
const shareAcknowledge = asks(ShareAcknowledgeRequest, ShareAcknowledgeResponse)

function fetching(more: Partial<Input<typeof ShareFetchRequest>> = {}): Input<typeof ShareFetchRequest> {
  return {
    groupId: 'share-fetch-checked',
    memberId: 'm',
    shareSessionEpoch: 0,
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 1_000_000,
    maxRecords: 10,
    batchSize: 10,
    topics: [],
    forgottenTopicsData: [],
    ...more,
  }
}

function acknowledging(
  more: Partial<Input<typeof ShareAcknowledgeRequest>> = {},
): Input<typeof ShareAcknowledgeRequest> {
  return { groupId: 'share-fetch-checked', memberId: 'm', shareSessionEpoch: 1, topics: [], ...more }
}

function fetchingFrom(memberId: string, topicId: string, partitionIndex: number): Input<typeof ShareFetchRequest> {
  return fetching({ memberId, topics: [{ topicId, partitions: [{ partitionIndex, acknowledgementBatches: [] }] }] })
}

const ANSWER = {
  throttleTimeMs: 0,
  errorCode: 0,
  errorMessage: null,
  acquisitionLockTimeoutMs: 30_000,
  nodeEndpoints: [],
}
const EMPTY_ROW = {
  errorMessage: null,
  acknowledgeErrorCode: 0,
  acknowledgeErrorMessage: null,
  currentLeader: { leaderId: 0, leaderEpoch: 0 },
  records: { batches: [], cutBytes: 0 },
  acquiredRecords: [],
}

const UNKNOWN_ID = 'AAAAAAAAAAAAAAAAAAAAAQ'

const REQUESTS: CaseGroup = {
  api: 'ShareFetch and ShareAcknowledge requests',
  prepare: prepareShareTopics,
  cases: [
    ...[1, 2].flatMap((version) => [
      shareFetch('no group id', version, fetching({ groupId: null })),
      shareFetch('no member id', version, fetching({ memberId: null })),
      shareFetch('an empty member id', version, fetching({ memberId: '' })),
      shareFetch('a member id of 37 characters', version, fetching({ memberId: 'x'.repeat(37) })),
      shareFetch('a session that does not exist', version, fetching({ shareSessionEpoch: 1 })),
      shareFetch('the end of a session that does not exist', version, fetching({ shareSessionEpoch: -1 })),
      shareFetch('nothing', version, fetching({ memberId: `n${version}` })),
      shareFetch('in the wrong epoch', version, fetching({ memberId: `n${version}`, shareSessionEpoch: 7 })),
      shareFetch('the next epoch', version, fetching({ memberId: `n${version}`, shareSessionEpoch: 1 })),
      shareFetch('the end of the session', version, fetching({ memberId: `n${version}`, shareSessionEpoch: -1 })),
      shareFetch('after the end', version, fetching({ memberId: `n${version}`, shareSessionEpoch: 2 })),
      accepting(
        shareFetch('an unknown topic id', version, fetchingFrom(`u${version}`, UNKNOWN_ID, 0)),
        'Kafka fails with an internal error; the partition is told what is wrong with it',
        {
          ...ANSWER,
          responses: [{ topicId: '<id>', partitions: [{ ...EMPTY_ROW, partitionIndex: 0, errorCode: 100 }] }],
        },
      ),
      shareFetch('an unknown partition', version, (broker) =>
        fetchingFrom(`v${version}`, broker.topicId('share-topic'), 9),
      ),
      shareFetch('acknowledgements in a new session', version, (broker) =>
        fetching({
          memberId: `a${version}`,
          topics: [
            {
              topicId: broker.topicId('share-topic'),
              partitions: [{ partitionIndex: 0, acknowledgementBatches: [range(0, 1, ACCEPT)] }],
            },
          ],
        }),
      ),
      shareAcknowledge('acknowledging: no group id', version, acknowledging({ groupId: null })),
      shareAcknowledge('acknowledging: no member id', version, acknowledging({ memberId: null })),
      shareAcknowledge('acknowledging: epoch 0', version, acknowledging({ shareSessionEpoch: 0 })),
      shareAcknowledge('acknowledging: a session that does not exist', version, acknowledging()),
      shareAcknowledge(
        'acknowledging: the end of a session that does not exist',
        version,
        acknowledging({ shareSessionEpoch: -1 }),
      ),
    ]),
    shareFetch('renewing with a wish for records', 2, fetching({ isRenewAck: true, memberId: 'r' })),
    shareFetch(
      'renewing nothing',
      2,
      fetching({ isRenewAck: true, memberId: 'r', minBytes: 0, maxBytes: 0, maxRecords: 0 }),
    ),
    shareFetch('no records', 2, fetching({ memberId: 'z', maxRecords: 0 })),
  ],
}

/** A group that reads a topic of its own from the beginning: batches of these sizes. */
async function reader(broker: DifferentialBroker, name: string, sizes: readonly number[]): Promise<ShareClient> {
  const topic = `share-of-${name}`
  await broker.createTopic(topic)
  for (const [index, size] of sizes.entries()) {
    await appendBatch(broker, topic, 0, batchOf(Array.from({ length: size }, (_, each) => `${index}.${each}`)))
  }
  const groupId = `share-${name}`
  await setGroupConfig(broker, groupId, 'share.auto.offset.reset', 'earliest')
  await setGroupConfig(broker, groupId, 'share.assignment.interval.ms', '0')
  const client = new ShareClient(broker, groupId, `${name}-1`, topic)
  await client.join()
  await client.untilAssigned(1)
  return client
}

async function another(broker: DifferentialBroker, client: ShareClient, memberId: string): Promise<ShareClient> {
  const other = new ShareClient(broker, client.groupId, memberId, client.topic)
  await other.join()
  await other.untilAssigned(1)
  return other
}

async function acquires(client: ShareClient, options: ShareFetchOptions = {}): Promise<unknown> {
  const answer = await client.fetch(options)
  return [answer.errorCode, acquiredOf(answer)]
}

const DELIVERIES: CaseGroup = {
  api: 'deliveries of share groups',
  prepare: prepareShareTopics,
  cases: [
    ...[1, 2].flatMap((version) => [
      story(`v${version}: everything is fetched and accepted`, async (broker) => {
        const client = await reader(broker, `all-${version}`, [3, 4])
        const fetched = await client.fetchSome({ version })
        const accepted = await client.acknowledge([range(0, 6, ACCEPT)], { version })
        return [
          fetched,
          accepted,
          await client.fetch({ version, maxWaitMs: 0 }),
          await client.fetch({ version, epoch: -1 }),
        ]
      }),
      story(`v${version}: acknowledgements that cannot be meant`, async (broker) => {
        const client = await reader(broker, `wrong-${version}`, [5])
        await client.fetchSome({ version })
        const tried: unknown[] = []
        for (const batches of [
          [range(3, 1, ACCEPT)],
          [range(2, 3, ACCEPT), range(0, 1, ACCEPT)],
          [range(0, 2, ACCEPT), range(1, 3, ACCEPT)],
          [range(0, 1)],
          [range(0, 2, ACCEPT, ACCEPT)],
          [range(0, 1, 5)],
          [range(0, 1, -1)],
          [range(0, 1, RENEW)],
          [range(0, 5, ACCEPT)],
          [range(7, 9, ACCEPT)],
          [],
          [range(0, 2, ACCEPT), range(4, 4, REJECT)],
          [range(0, 2, ACCEPT)],
          [range(3, 4, ACCEPT)],
          [range(3, 3, ACCEPT)],
        ]) {
          tried.push((await client.acknowledge(batches, { version })).responses)
        }
        return tried
      }),
    ]),
    story('single records accepted, released and rejected come back as they should', async (broker) => {
      const client = await reader(broker, 'mixed', [6])
      const first = await client.fetchSome()
      const said = await client.acknowledge([range(0, 5, ACCEPT, RELEASE, REJECT, 0, RELEASE, RELEASE)])
      const again = await client.fetchSome()
      return [acquiredOf(first), said.responses, acquiredOf(again), again.responses]
    }),
    story('two members never have the same record', async (broker) => {
      const client = await reader(broker, 'pair', [4, 4, 4])
      const other = await another(broker, client, 'pair-2')
      const first = await client.fetchSome({ maxRecords: 4 })
      const second = await other.fetchSome({ maxRecords: 4 })
      const stolen = await other.acknowledge([range(0, 3, ACCEPT)])
      const third = await client.fetchSome({ maxRecords: 100 })
      return [first, second, third].map(acquiredOf).concat(stolen.responses as never)
    }),
    story('the number of records is soft at the ends of batches, and hard in strict mode', async (broker) => {
      const client = await reader(broker, 'modes', [5, 5, 5])
      const soft = await client.fetchSome({ maxRecords: 3 })
      const strict = await client.fetchSome({ maxRecords: 3, mode: 1 })
      const rest = await client.fetchSome({ maxRecords: 3, mode: 1 })
      return [soft, strict, rest, await client.fetchSome({ maxRecords: 100 })].map(acquiredOf)
    }),
    story('large acquisitions are cut at the ends of batches', async (broker) => {
      const client = await reader(broker, 'cuts', [4, 4, 4, 4])
      return acquiredOf(await client.fetchSome({ batchSize: 5, maxRecords: 100 }))
    }),
    story('acknowledgements that come with a fetch', async (broker) => {
      const client = await reader(broker, 'piggy', [3, 3])
      const first = await client.fetchSome({ maxRecords: 3 })
      const second = await client.fetch({ acknowledgements: [range(0, 2, ACCEPT)], maxRecords: 3 })
      const third = await client.fetch({ acknowledgements: [range(0, 2, ACCEPT), range(3, 5, REJECT)], maxWaitMs: 0 })
      return [
        acquiredOf(first),
        second,
        third,
        await client.fetch({ epoch: -1, acknowledgements: [range(3, 5, ACCEPT)] }),
      ]
    }),
    story('the end of a session releases what was acquired', async (broker) => {
      const client = await reader(broker, 'ended', [4])
      const first = await client.fetchSome()
      const ended = await client.fetch({ epoch: -1 })
      return [acquiredOf(first), ended, acquiredOf(await client.fetchSome({ epoch: 0 }))]
    }),
    story('a closed connection releases what was acquired', async (broker) => {
      const client = await reader(broker, 'closed', [4])
      const other = await another(broker, client, 'closed-2')
      const first = await client.fetchSome()
      broker.dropConnection(client.connectionName)
      return [acquiredOf(first), acquiredOf(await other.fetchSome())]
    }),
    story('a released record is given up after five deliveries, the last ones alone', async (broker) => {
      const client = await reader(broker, 'poison', [8])
      const deliveries: unknown[] = []
      for (let delivery = 0; delivery < 20; delivery++) {
        const answer = await client.fetch({ maxWaitMs: 1000 })
        const acquired = acquiredOf(answer)
        deliveries.push(acquired)
        if (acquired.length === 0) break
        await client.acknowledge(acquired.map(([, first, last]) => range(first!, last!, RELEASE)))
      }
      return deliveries
    }),
    story('a lock is renewed, if the group allows it', async (broker) => {
      const client = await reader(broker, 'renewed', [2])
      await client.fetchSome()
      const renewed = await client.acknowledge([range(0, 1, RENEW)], { isRenewAck: true })
      await setGroupConfig(broker, client.groupId, 'share.renew.acknowledge.enable', 'false')
      const refused = await client.acknowledge([range(0, 1, RENEW)], { isRenewAck: true })
      return [renewed, refused, (await client.acknowledge([range(0, 1, ACCEPT)])).responses]
    }),
    story('records beyond the limit of locks wait', async (broker) => {
      const client = await reader(broker, 'locks', [60, 60])
      await setGroupConfig(broker, client.groupId, 'share.partition.max.record.locks', '100')
      const first = await client.fetchSome({ maxRecords: 60 })
      const second = await client.fetchSome({ maxRecords: 60 })
      await appendBatch(broker, client.topic, 0, batchOf(['late']))
      const third = await client.fetch({ maxWaitMs: 200 })
      await client.acknowledge([range(0, 59, ACCEPT)])
      return [acquiredOf(first), acquiredOf(second), acquiredOf(third), acquiredOf(await client.fetchSome())]
    }),
    story('an unknown partition state, and a topic nobody subscribes to', async (broker) => {
      const client = await reader(broker, 'foreign', [2])
      const stranger = new ShareClient(broker, client.groupId, 'stranger', 'share-other')
      const answer = await stranger.fetch({ maxWaitMs: 2_000 })
      return [answer.errorCode, answer.responses, (await stranger.acknowledge([range(0, 1, ACCEPT)])).responses]
    }),
    story('partitions are added to a session and forgotten', async (broker) => {
      const client = await reader(broker, 'session', [2])
      const topicId = broker.topicId(client.topic)
      const first = await client.fetchSome()
      const forgotten = await client.fetch({
        maxWaitMs: 0,
        more: { forgottenTopicsData: [{ topicId, partitions: [0] }] },
      })
      const added = await client.fetch({
        maxWaitMs: 0,
        more: { topics: [{ topicId, partitions: [{ partitionIndex: 0, acknowledgementBatches: [] }] }] },
      })
      // Kafka has a row without records for an added partition or has none, as its own waiting goes.
      return [
        acquiredOf(first),
        forgotten,
        [added.errorCode, acquiredOf(added)],
        await acquires(client, { maxWaitMs: 0 }),
      ]
    }),
  ],
}

export const SHARE_FETCH_CASES: readonly CaseGroup[] = [REQUESTS, DELIVERIES]
