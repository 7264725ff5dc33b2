import { expect, test } from 'bun:test'
import { chooseProtocol } from '../../../../src/coordinator/group/classic/protocol-choice.ts'

test('without members there is no protocol', () => {
  expect(chooseProtocol([])).toBeNull()
})

test('a single member gets its first preference', () => {
  expect(chooseProtocol([['range', 'roundrobin']])).toBe('range')
})

test('only what every member lists can be chosen', () => {
  expect(chooseProtocol([['sticky', 'range'], ['range'], ['sticky', 'range']])).toBe('range')
})

test('members without a common protocol have none', () => {
  expect(chooseProtocol([['range'], ['sticky']])).toBeNull()
})

test('the majority of first candidates wins over the first member', () => {
  const preferences = [
    ['range', 'roundrobin'],
    ['roundrobin', 'range'],
    ['roundrobin', 'range'],
  ]
  expect(chooseProtocol(preferences)).toBe('roundrobin')
})

test('a vote goes to the first candidate, not to the first name', () => {
  const preferences = [
    ['a', 'b'],
    ['only-mine', 'b', 'a'],
    ['b', 'a'],
  ]
  expect(chooseProtocol(preferences)).toBe('b')
})

test('a tie goes to the preference of the member that joined first', () => {
  expect(
    chooseProtocol([
      ['a', 'b'],
      ['b', 'a'],
    ]),
  ).toBe('a')
  expect(
    chooseProtocol([
      ['b', 'a'],
      ['a', 'b'],
    ]),
  ).toBe('b')
})
