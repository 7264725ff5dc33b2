// An error answer to any request of any API and version: it can be encoded, and says the error wherever it can.

import { describe, expect, test } from 'bun:test'
import { APIS } from '../../../src/broker/api/index.ts'
import { codeOf, errorAnswer } from '../../../src/broker/embedded/error-answers.ts'
import { decodeResponse, encodeResponse } from '../../../src/protocol/frame.ts'
import { Reader } from '../../../src/protocol/reader.ts'
import { Random } from '../../support/random.ts'
import { randomMessage } from '../../support/random-message.ts'

const CODE = codeOf('COORDINATOR_LOAD_IN_PROGRESS')

function codesIn(value: unknown): number[] {
  if (Array.isArray(value)) return value.flatMap(codesIn)
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return []
  return Object.entries(value).flatMap(([name, inner]) =>
    name === 'errorCode' || name === 'partitionErrorCode' ? [inner as number] : codesIn(inner),
  )
}

describe('an error answer', () => {
  for (const { key, name, request, response, servedFrom, maxVersion } of APIS) {
    test(`to ${name} says the error in every version`, () => {
      const random = new Random(key + 1)
      for (let version = servedFrom; version <= maxVersion; version++) {
        for (let round = 0; round < 20; round++) {
          const answer = errorAnswer(response, randomMessage(random, request, version), version, CODE)
          expect(codesIn(answer).every((code) => code === CODE)).toBe(true)
          const frame = Buffer.concat(encodeResponse(response, key, version, 7, answer))
          const reader = new Reader([frame.subarray(4)])
          expect(reader.int32()).toBe(7)
          const decoded = decodeResponse(response, version, reader)
          expect(codesIn(decoded).filter((code) => code === CODE)).toHaveLength(codesIn(answer).length)
        }
      }
    })
  }

  test('has a row for everything the request names', () => {
    const by = (key: number) => APIS.find((api) => api.key === key)!.response
    const topicData = [{ name: 'a', topicId: '', partitionData: [{ index: 3 }, { index: 5 }] }]
    expect(errorAnswer(by(0), { topicData }, 9, CODE)).toMatchObject({
      responses: [
        {
          name: 'a',
          partitionResponses: [
            { index: 3, errorCode: CODE },
            { index: 5, errorCode: CODE },
          ],
        },
      ],
    })
    const offsets = { topics: [{ name: 'a', partitions: [{ partitionIndex: 2 }] }] }
    expect(errorAnswer(by(8), offsets, 8, CODE)).toMatchObject({
      topics: [{ name: 'a', partitions: [{ partitionIndex: 2, errorCode: CODE }] }],
    })
    expect(errorAnswer(by(10), { coordinatorKeys: ['g', 'h'] }, 4, CODE)).toMatchObject({
      coordinators: [
        { key: 'g', errorCode: CODE },
        { key: 'h', errorCode: CODE },
      ],
    })
    expect(errorAnswer(by(20), { topics: [], topicNames: ['a'] }, 4, CODE)).toMatchObject({
      responses: [{ name: 'a', errorCode: CODE }],
    })
    expect(errorAnswer(by(42), { groupsNames: ['g'] }, 2, CODE)).toMatchObject({
      results: [{ groupId: 'g', errorCode: CODE }],
    })
    const transactions = [{ transactionalId: 't', topics: [{ name: 'a', partitions: [1] }] }]
    expect(errorAnswer(by(24), { transactions }, 5, CODE)).toMatchObject({
      resultsByTransaction: [
        {
          transactionalId: 't',
          topicResults: [{ name: 'a', resultsByPartition: [{ partitionIndex: 1, partitionErrorCode: CODE }] }],
        },
      ],
    })
    const dirs = [{ path: '/d', topics: [{ name: 'a', partitions: [4] }] }]
    expect(errorAnswer(by(34), { dirs }, 2, CODE)).toMatchObject({
      results: [{ topicName: 'a', partitions: [{ partitionIndex: 4, errorCode: CODE }] }],
    })
  })

  test('is of an error that Kafka has', () => {
    expect(codeOf(3)).toBe(3)
    expect(() => codeOf(4711)).toThrow('4711')
  })
})
