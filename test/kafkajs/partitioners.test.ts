// kafkajs decides which partition a key belongs to; a migrated program must find its keys where they are.
import { expect, test } from 'bun:test'
import * as original from 'kafkajs'
import { Partitioners } from '../../src/kafkajs/index.ts'
import { Random } from '../support/random.ts'

const KEYS = 5_000
const PARTITIONS = 97

test.each(['DefaultPartitioner', 'LegacyPartitioner'] as const)('%s: every key where kafkajs has it', (name) => {
  const partitionMetadata = Array.from({ length: PARTITIONS }, (_, partitionId) => {
    return { partitionErrorCode: 0, partitionId, leader: 1, replicas: [1], isr: [1] }
  })
  const ours = Partitioners[name]()
  const theirs = original.Partitioners[name]()
  const random = new Random(4711)
  for (let index = 0; index < KEYS; index++) {
    const key = random.bytes(index % 40)
    const given = { topic: 't', partitionMetadata, message: { key, value: null } }
    expect(`${key.toString('hex')}: ${ours(given)}`).toBe(`${key.toString('hex')}: ${theirs(given)}`)
  }
})
