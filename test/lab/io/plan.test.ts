/** What is measured, and in which order. */
import { describe, expect, test } from 'bun:test'
import { METHODS } from '../../../src/lab/io/methods/index.ts'
import { cellName, extentBytes, neededBytes, orderOfRound, planCells } from '../../../src/lab/io/plan.ts'

const KIB = 1024
const MIB = 1024 * KIB

function methods(...names: string[]) {
  return METHODS.filter(({ name }) => names.includes(name))
}

describe('cells', () => {
  test('each method with each block and each state of the cache, next to those it competes with', () => {
    const groups = planCells(methods('write', 'writev', 'read', 'read-stream', 'read-direct'), [4 * KIB, MIB])
    expect(groups.map((group) => group.map(cellName))).toEqual([
      ['write, 4 KiB', 'writev, 4 KiB'],
      ['write, 1 MiB', 'writev, 1 MiB'],
      ['read, 4 KiB, cached'],
      ['read, 1 MiB, cached'],
      ['read-stream, whole file, cached'],
      ['read, 4 KiB, uncached'],
      ['read, 1 MiB, uncached'],
      ['read-stream, whole file, uncached'],
      ['read-direct, 4 KiB, bypassed'],
      ['read-direct, 1 MiB, bypassed'],
    ])
  })

  test('a method with a block size of its own is measured once, also where that size was chosen', () => {
    expect(
      planCells(methods('group-8'), [4 * KIB, MIB])
        .flat()
        .map(cellName),
    ).toEqual(['group-8, 1 KiB'])
    expect(planCells(methods('group-8', 'fsync'), [KIB]).flat().map(cellName)).toEqual([
      'fsync, 1 KiB',
      'group-8, 1 KiB',
    ])
  })
})

test('each round begins elsewhere, and none leaves anything out', () => {
  const groups = planCells(methods('write', 'writev', 'write-mmap'), [KIB])
  const orders = [0, 1, 2].map((round) => orderOfRound(groups, round, 3).map(({ method }) => method.name))
  expect(orders).toEqual([
    ['write', 'writev', 'write-mmap'],
    ['writev', 'write-mmap', 'write'],
    ['write-mmap', 'write', 'writev'],
  ])
})

describe('bytes', () => {
  test('whole blocks within the size, at least one; syncs need no more than 64 MiB', () => {
    const cellOf = (name: string, blockBytes: number | null) => ({ method: methods(name)[0]!, blockBytes, cache: null })
    expect(extentBytes(cellOf('write', 300), 1000)).toBe(900)
    expect(extentBytes(cellOf('write', 2000), 1000)).toBe(2000)
    expect(extentBytes(cellOf('read-stream', null), 1000)).toBe(1000)
    expect(extentBytes(cellOf('fsync', MIB), 256 * MIB)).toBe(64 * MIB)
  })

  test('room is needed for what is read and for what is written', () => {
    expect(neededBytes(methods('write'), 100)).toBe(100)
    expect(neededBytes(methods('read', 'read-mmap'), 100)).toBe(100)
    expect(neededBytes(methods('read', 'fsync'), 100)).toBe(200)
  })
})
