import { describe, expect, test } from 'bun:test'
import { CONNECTION_REQUEST_BYTES_FREE, STALLED_REQUEST_MS } from '../../src/broker/limits.ts'
import { RequestBudget } from '../../src/broker/request-budget.ts'

const LIMIT = 10 * CONNECTION_REQUEST_BYTES_FREE

class Member {
  heldBytes = 0
  mayRead = true
  isClosed = false
  readonly budget: RequestBudget

  constructor(budget: RequestBudget) {
    this.budget = budget
  }

  receive(bytes: number, nowMs = 0): void {
    this.heldBytes += bytes
    this.budget.take(this, bytes, nowMs)
    this.mayRead = this.budget.mayRead(this, nowMs)
  }

  answer(bytes: number): void {
    this.heldBytes -= bytes
    this.budget.give(this, bytes)
  }

  budgetChanged(): void {
    this.mayRead = this.budget.mayRead(this, 0)
  }

  closeStalled(): void {
    this.isClosed = true
    this.answer(this.heldBytes)
    this.budget.forget(this)
  }
}

describe('request budget', () => {
  test('below the total everybody reads', () => {
    const budget = new RequestBudget(LIMIT)
    const members = [new Member(budget), new Member(budget)]
    for (const member of members) member.receive(LIMIT / 2)
    expect(members.map((member) => member.mayRead)).toEqual([true, true])
  })

  test('above it one goes on, large ones wait, small ones still pass', () => {
    const budget = new RequestBudget(LIMIT)
    const first = new Member(budget)
    const second = new Member(budget)
    const small = new Member(budget)
    first.receive(LIMIT)
    second.receive(LIMIT / 2)
    first.receive(1)
    small.receive(100)
    expect([first.mayRead, second.mayRead, small.mayRead]).toEqual([false, true, true])
  })

  test('when the one that went on is answered, the next one goes on', () => {
    const budget = new RequestBudget(LIMIT)
    const first = new Member(budget)
    const second = new Member(budget)
    const third = new Member(budget)
    first.receive(2 * LIMIT)
    second.receive(2 * LIMIT)
    third.receive(2 * LIMIT)
    expect([first.mayRead, second.mayRead, third.mayRead]).toEqual([true, false, false])
    first.answer(2 * LIMIT)
    expect([second.mayRead, third.mayRead]).toEqual([true, false])
    second.answer(2 * LIMIT)
    third.budgetChanged()
    expect(third.mayRead).toBe(true)
  })

  test('who streams one request after the other lets the others go on in between', () => {
    const budget = new RequestBudget(LIMIT)
    const streaming = new Member(budget)
    const other = new Member(budget)
    streaming.receive(3 * LIMIT)
    other.receive(LIMIT)
    expect([streaming.mayRead, other.mayRead]).toEqual([true, false])
    streaming.answer(LIMIT)
    streaming.budgetChanged()
    expect([streaming.mayRead, other.mayRead]).toEqual([false, true])
  })

  test('when the total is free again, all that waited go on', () => {
    const budget = new RequestBudget(LIMIT)
    const holder = new Member(budget)
    const waiting = [new Member(budget), new Member(budget)]
    holder.receive(2 * LIMIT)
    for (const member of waiting) member.receive(LIMIT / 4)
    expect(waiting.some((member) => member.mayRead)).toBe(false)
    holder.answer(2 * LIMIT)
    expect(waiting.every((member) => member.mayRead)).toBe(true)
    expect(budget.totalBytes).toBe(LIMIT / 2)
  })

  test('who stalls while others wait is closed, and only then', () => {
    const budget = new RequestBudget(LIMIT)
    const stalled = new Member(budget)
    stalled.receive(2 * LIMIT, 0)
    budget.sweep(STALLED_REQUEST_MS * 2)
    expect(stalled.isClosed).toBe(false)
    const other = new Member(budget)
    other.receive(LIMIT)
    stalled.receive(1, 1_000)
    budget.sweep(1_000 + STALLED_REQUEST_MS - 1)
    expect(stalled.isClosed).toBe(false)
    budget.sweep(1_000 + STALLED_REQUEST_MS)
    expect(stalled.isClosed).toBe(true)
    expect(other.mayRead).toBe(true)
    expect(budget.totalBytes).toBe(LIMIT)
  })
})
