import { describe, expect, test } from 'bun:test'
import { type Clock, Pacer, runSchedule } from '../../../src/lab/broker/pacer.ts'

/** Time passes only by `advance`; what was put off runs when it is due. */
class ManualClock implements Clock {
  private nowMs = 0
  private waiting: { atMs: number; run: () => void }[] = []

  now(): number {
    return this.nowMs
  }

  /** A turn of the event loop takes a tenth of a millisecond here. */
  soon(run: () => void): void {
    this.after(0.1, run)
  }

  after(milliseconds: number, run: () => void): void {
    this.waiting.push({ atMs: this.nowMs + milliseconds, run })
  }

  advance(milliseconds: number): void {
    const untilMs = this.nowMs + milliseconds
    for (;;) {
      const next = this.waiting.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (next === undefined) break
      this.waiting.splice(this.waiting.indexOf(next), 1)
      this.nowMs = Math.max(this.nowMs, next.atMs)
      next.run()
    }
    this.nowMs = untilMs
  }

  /** The process is held up: time passes, nothing runs. */
  stall(milliseconds: number): void {
    this.nowMs += milliseconds
  }
}

describe('the schedule', () => {
  test('request n is due at start + n / rate, whenever it is taken', () => {
    const pacer = new Pacer({ requestsPerSecond: 100, startMs: 1000 })
    expect(pacer.take(999)).toBeNull()
    expect(pacer.take(1000)).toBe(1000)
    expect(pacer.take(1005)).toBeNull()
    expect([pacer.take(1035), pacer.take(1035), pacer.take(1035), pacer.take(1035)]).toEqual([1010, 1020, 1030, null])
    expect(pacer.nextMs).toBe(1040)
  })
})

describe('an open loop', () => {
  function open(requestsPerSecond: number, accepts: (sent: number) => boolean = () => true) {
    const clock = new ManualClock()
    const sent: { dueMs: number; atMs: number }[] = []
    let isStopped = false
    const pacer = new Pacer({ requestsPerSecond, startMs: 0 })
    runSchedule({
      pacer,
      clock,
      stopped: () => isStopped,
      send: (dueMs) => {
        if (!accepts(sent.length)) return false
        sent.push({ dueMs, atMs: clock.now() })
        return true
      },
    })
    return { clock, sent, stop: () => (isStopped = true) }
  }

  test('sends as many as are due, close to when they are due', () => {
    const { clock, sent } = open(200)
    clock.advance(1000.5)
    expect(sent).toHaveLength(201)
    expect(sent.map(({ dueMs }) => dueMs)).toEqual(Array.from({ length: 201 }, (_, index) => index * 5))
    expect(Math.max(...sent.map(({ dueMs, atMs }) => atMs - dueMs))).toBeLessThan(0.2)
  })

  test('after a stall everything that was due is sent, with the time at which it was due', () => {
    const { clock, sent } = open(100)
    clock.advance(20)
    clock.stall(500)
    clock.advance(1)
    const late = sent.slice(3)
    expect(late.map(({ dueMs }) => dueMs)).toEqual(Array.from({ length: late.length }, (_, index) => 30 + index * 10))
    expect(late.length).toBe(50)
    // What coordinated omission would hide: the first of them counts almost all of the stall.
    expect(late[0]!.atMs - late[0]!.dueMs).toBeGreaterThan(480)
  })

  test('a request that finds no room stays due and keeps its time', () => {
    let room = 2
    const { clock, sent } = open(100, (count) => count < room)
    clock.advance(55)
    expect(sent.map(({ dueMs }) => dueMs)).toEqual([0, 10])
    room = 100
    clock.advance(1)
    expect(sent.map(({ dueMs }) => dueMs)).toEqual([0, 10, 20, 30, 40, 50])
    expect(sent[2]!.atMs).toBeGreaterThan(55)
  })

  test('ends when it is stopped', () => {
    const { clock, sent, stop } = open(100)
    clock.advance(50.5)
    stop()
    clock.advance(500)
    expect(sent).toHaveLength(6)
  })
})
