import { describe, expect, test } from 'bun:test'
import { type Condition, divide, joinAnswers } from '../../../src/broker/embedded/request-scope.ts'

const ID = 'abcdefghijklmnopqrstuA'
const a1: Condition = {
  selects: (topic, partition) => topic === 'a' && (partition === null || partition === 1),
  topicName: (id) => (id === ID ? 'a' : undefined),
}

describe('a request is divided', () => {
  test('by partition, whatever the lists and names are called', () => {
    const produce = {
      acks: 1,
      topicData: [
        { name: 'a', partitionData: [{ index: 0 }, { index: 1 }] },
        { name: 'b', partitionData: [{ index: 1 }] },
      ],
    }
    expect(divide(produce, a1)).toEqual({
      selected: { acks: 1, topicData: [{ name: 'a', partitionData: [{ index: 1 }] }] },
      rest: {
        acks: 1,
        topicData: [
          { name: 'a', partitionData: [{ index: 0 }] },
          { name: 'b', partitionData: [{ index: 1 }] },
        ],
      },
    })
    const byId = { topics: [{ topicId: ID, partitionIndexes: [0, 1] }] }
    expect(divide(byId, a1)).toEqual({
      selected: { topics: [{ topicId: ID, partitionIndexes: [1] }] },
      rest: { topics: [{ topicId: ID, partitionIndexes: [0] }] },
    })
    const inGroups = {
      groups: [
        { groupId: 'g', topics: [{ name: 'a', partitionIndexes: [1] }] },
        { groupId: 'h', topics: [{ name: 'b', partitionIndexes: [1] }] },
      ],
    }
    expect(divide(inGroups, a1)).toEqual({
      selected: { groups: [{ groupId: 'g', topics: [{ name: 'a', partitionIndexes: [1] }] }] },
      rest: { groups: [{ groupId: 'h', topics: [{ name: 'b', partitionIndexes: [1] }] }] },
    })
  })

  test('by topic where it names no partitions', () => {
    expect(divide({ topicNames: ['b', 'a'] }, a1)).toEqual({
      selected: { topicNames: ['a'] },
      rest: { topicNames: ['b'] },
    })
  })

  test('with nothing on one side if one side has it all', () => {
    const only = { topics: [{ name: 'a', partitions: [{ partitionIndex: 1 }] }] }
    expect(divide(only, a1)).toEqual({ selected: only, rest: null })
    const none = { groupId: 'g' }
    expect(divide(none, a1)).toEqual({ selected: null, rest: none })
  })
})

test('answers are joined row by row', () => {
  const answer = {
    throttleTimeMs: 5,
    topics: [
      { name: 'a', partitions: [{ partitionIndex: 0, errorCode: 0 }] },
      { name: 'b', partitions: [] },
    ],
  }
  const other = {
    throttleTimeMs: 0,
    topics: [
      { name: 'a', partitions: [{ partitionIndex: 1, errorCode: 6 }] },
      { name: 'c', partitions: [] },
    ],
  }
  expect(joinAnswers(answer, other)).toEqual({
    throttleTimeMs: 5,
    topics: [
      {
        name: 'a',
        partitions: [
          { partitionIndex: 0, errorCode: 0 },
          { partitionIndex: 1, errorCode: 6 },
        ],
      },
      { name: 'b', partitions: [] },
      { name: 'c', partitions: [] },
    ],
  })
})
