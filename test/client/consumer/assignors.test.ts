import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import type { Assignor, GroupMember } from '../../../src/client/consumer/group/assignors/assignor.ts'
import { cooperativeStickyAssignor } from '../../../src/client/consumer/group/assignors/cooperative-sticky.ts'
import { rangeAssignor } from '../../../src/client/consumer/group/assignors/range.ts'
import { roundRobinAssignor } from '../../../src/client/consumer/group/assignors/round-robin.ts'
import type { TopicPartition } from '../../../src/client/consumer/topic-partition.ts'
import { fuzzRounds, Random } from '../../support/random.ts'

setDefaultTimeout(60_000)

const COUNTS: Readonly<Record<string, number>> = { a: 3, b: 2, c: 5 }
const partitionCount = (topic: string): number => COUNTS[topic] ?? 0

interface MemberInput {
  readonly topics: string
  readonly owned?: string
  readonly generation?: number
  readonly instanceId?: string
  readonly userData?: Uint8Array
}

function parse(text: string): TopicPartition[] {
  return text === '' ? [] : text.split(' ').map((each) => ({ topic: each[0]!, partition: Number(each.slice(1)) }))
}

function member(memberId: string, input: MemberInput): GroupMember {
  const { topics, owned = '', generation = -1, instanceId = null, userData = null } = input
  return {
    memberId,
    instanceId,
    subscription: { topics: [...topics], owned: parse(owned), generation, rackId: null, userData },
  }
}

function assign(assignor: Assignor, members: Readonly<Record<string, MemberInput>>): Record<string, string> {
  const all = Object.entries(members).map(([id, input]) => member(id, input))
  const assignments = assignor.assign({ members: all, partitionCount })
  return Object.fromEntries(
    [...assignments].map(([id, rows]) => [id, rows.map(({ topic, partition }) => `${topic}${partition}`).join(' ')]),
  )
}

describe('range', () => {
  test('neighbours go together, topic by topic; who comes first has one more', () => {
    expect(assign(rangeAssignor, { n: { topics: 'ac' }, m: { topics: 'abc' } })).toEqual({
      m: 'a0 a1 b0 b1 c0 c1 c2',
      n: 'a2 c3 c4',
    })
  })

  test('members with an instance id come first, by it; the others follow by member id', () => {
    expect(assign(rangeAssignor, { a: { topics: 'a' }, z: { topics: 'a', instanceId: 'i' } })).toEqual({
      a: 'a2',
      z: 'a0 a1',
    })
  })

  test('a topic that does not exist is left out', () => {
    expect(assign(rangeAssignor, { m: { topics: 'x' } })).toEqual({ m: '' })
  })
})

test('round robin deals in turn and passes over who does not subscribe', () => {
  expect(assign(roundRobinAssignor, { m: { topics: 'ab' }, n: { topics: 'a' }, o: { topics: 'abc' } })).toEqual({
    m: 'a0 b0',
    n: 'a1',
    o: 'a2 b1 c0 c1 c2 c3 c4',
  })
})

describe('cooperative-sticky', () => {
  const sticky = (members: Readonly<Record<string, MemberInput>>) => assign(cooperativeStickyAssignor, members)

  test('everybody keeps what is theirs; a newcomer gets nothing that is still claimed', () => {
    expect(sticky({ m: { topics: 'c', owned: 'c0 c1 c2 c3 c4', generation: 3 }, n: { topics: 'c' } })).toEqual({
      m: 'c0 c1 c2',
      n: '',
    })
  })

  test('in the next round the newcomer gets what was let go', () => {
    expect(sticky({ m: { topics: 'c', owned: 'c0 c1 c2', generation: 4 }, n: { topics: 'c', generation: 4 } })).toEqual(
      {
        m: 'c0 c1 c2',
        n: 'c3 c4',
      },
    )
  })

  test('of two that claim a partition, the later generation is right', () => {
    const members = { m: { topics: 'b', owned: 'b0', generation: 2 }, n: { topics: 'b', owned: 'b0', generation: 5 } }
    expect(sticky(members)).toEqual({ m: 'b1', n: 'b0' })
  })

  test('of one generation, neither is: both have to let go first', () => {
    const members = { m: { topics: 'b', owned: 'b0', generation: 5 }, n: { topics: 'b', owned: 'b0', generation: 5 } }
    expect(Object.values(sticky(members)).join(' ')).not.toContain('b0')
  })

  test('the generation of older members is in their user data', () => {
    const older = { topics: 'b', owned: 'b0', userData: cooperativeStickyAssignor.userData!(9) }
    expect(sticky({ m: older, n: { topics: 'b', owned: 'b0', generation: 5 } })).toEqual({ m: 'b0', n: 'b1' })
  })
})

describe.each([rangeAssignor, roundRobinAssignor, cooperativeStickyAssignor])('any group under $name', (assignor) => {
  test('has each partition at most once, all of them in the end, and only with subscribers', () => {
    for (let round = 0; round < fuzzRounds(100); round++) {
      const random = new Random(round)
      let members = Array.from({ length: 1 + random.below(5) }, (_, index) => {
        const topics = ['a', 'b', 'c'].filter(() => random.chance(0.7)).join('')
        return member(`m${index}`, { topics, generation: 1 })
      })
      let given: ReadonlyMap<string, readonly TopicPartition[]> = new Map()
      // Cooperative groups settle after as many rounds as it takes to let go and to take.
      for (let step = 0; step < 3; step++) {
        given = assignor.assign({ members, partitionCount })
        members = members.map((each) => {
          const owned = given.get(each.memberId) ?? []
          return { ...each, subscription: { ...each.subscription, owned, generation: step + 2 } }
        })
      }
      const all = [...given].flatMap(([id, rows]) => rows.map((row) => ({ id, ...row })))
      const places = all.map(({ topic, partition }) => `${topic}${partition}`)
      expect(new Set(places).size, `seed ${round}`).toBe(places.length)
      const subscribed = new Set(members.flatMap(({ subscription }) => subscription.topics))
      const expected = [...subscribed].reduce((sum, topic) => sum + partitionCount(topic), 0)
      expect(places.length, `seed ${round}`).toBe(expected)
      for (const { id, topic } of all) {
        expect(members.find(({ memberId }) => memberId === id)!.subscription.topics).toContain(topic)
      }
    }
  })
})
