/** The share consumer against Samsa in this process; test/programs/consumer-client.test.ts runs the same against a real Kafka. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { EmbeddedBroker } from '../../../src/broker/embedded/broker.ts'
import { Acknowledgements } from '../../../src/client/consumer/share/acknowledgements.ts'
import { SHARE_SCENARIOS } from './share-scenarios.ts'

const TIMEOUT_MS = 200_000

describe('a share consumer against Samsa', () => {
  let broker: EmbeddedBroker

  beforeAll(async () => {
    broker = await EmbeddedBroker.start()
  })
  afterAll(() => broker.stop())

  for (const { name, run } of SHARE_SCENARIOS) test.concurrent(name, () => run(broker), TIMEOUT_MS)
})

test('acknowledgements travel in runs of one type, renewals apart; the last word counts', () => {
  const acks = new Acknowledgements()
  for (const offset of [3, 1, 2, 7]) acks.set(offset, 'accept')
  acks.set(2, 'reject')
  acks.setGap(8)
  acks.set(9, 'renew')
  expect(acks.take(true)).toEqual([{ firstOffset: 9, lastOffset: 9, acknowledgeTypes: [4] }])
  expect(acks.take(false)).toEqual([
    { firstOffset: 1, lastOffset: 1, acknowledgeTypes: [1] },
    { firstOffset: 2, lastOffset: 2, acknowledgeTypes: [3] },
    { firstOffset: 3, lastOffset: 3, acknowledgeTypes: [1] },
    { firstOffset: 7, lastOffset: 7, acknowledgeTypes: [1] },
    { firstOffset: 8, lastOffset: 8, acknowledgeTypes: [0] },
  ])
  expect(acks.size).toBe(0)
})
