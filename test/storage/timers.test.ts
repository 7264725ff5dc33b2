import { describe, expect, test } from 'bun:test'
import { ManualClock } from '../../src/storage/clock-manual.ts'
import { realClock } from '../../src/storage/clock-real.ts'
import { ManualTimers } from '../../src/storage/timers-manual.ts'
import { RealTimers } from '../../src/storage/timers-real.ts'

describe('manual timers', () => {
  test('fire in order of due time at their own time', () => {
    const clock = new ManualClock(1000)
    const timers = new ManualTimers(clock)
    const fired: string[] = []
    timers.schedule('late', 1300, () => fired.push(`late@${clock.now()}`))
    timers.schedule('early', 1100, () => fired.push(`early@${clock.now()}`))
    timers.schedule('same', 1100, () => fired.push(`same@${clock.now()}`))
    expect(timers.names()).toEqual(['early', 'same', 'late'])
    timers.advance(200)
    expect(fired).toEqual(['early@1100', 'same@1100'])
    expect(clock.now()).toBe(1200)
    timers.advance(100)
    expect(fired).toEqual(['early@1100', 'same@1100', 'late@1300'])
  })

  test('a name has one timer; a cancelled one is nothing', () => {
    const clock = new ManualClock(0)
    const timers = new ManualTimers(clock)
    const fired: string[] = []
    timers.schedule('a', 10, () => fired.push('first'))
    timers.schedule('a', 20, () => fired.push('second'))
    timers.schedule('b', 15, () => fired.push('b'))
    timers.cancel('b')
    expect(timers.dueMs('a')).toBe(20)
    expect(timers.dueMs('b')).toBeNull()
    timers.advance(100)
    expect(fired).toEqual(['second'])
  })

  test('a timer may schedule the next one; what it leaves for the end of the turn runs before that', () => {
    const clock = new ManualClock(0)
    const timers = new ManualTimers(clock)
    const events: string[] = []
    const tick = () => {
      events.push(`tick ${clock.now()}`)
      timers.endOfTurn(() => events.push(`end ${clock.now()}`))
      if (clock.now() < 30) timers.schedule('tick', clock.now() + 10, tick)
    }
    timers.schedule('tick', 10, tick)
    timers.advance(100)
    expect(events).toEqual(['tick 10', 'end 10', 'tick 20', 'end 20', 'tick 30', 'end 30'])
  })
})

describe('real timers', () => {
  test('fire once, in time, and not after being cancelled or replaced', async () => {
    const timers = new RealTimers(realClock)
    const fired: string[] = []
    const now = realClock.now()
    timers.schedule('a', now + 5, () => fired.push('a'))
    timers.schedule('b', now + 5, () => fired.push('b'))
    timers.schedule('c', now + 5, () => fired.push('c, replaced'))
    timers.schedule('c', now + 10, () => fired.push('c'))
    timers.cancel('b')
    timers.schedule('far', now + 2 ** 40, () => fired.push('far'))
    await Bun.sleep(40)
    expect(fired).toEqual(['a', 'c'])
    timers.cancelAll()
  })

  test('the end of the turn comes after its microtasks', async () => {
    const timers = new RealTimers(realClock)
    const events: string[] = []
    await new Promise<void>((resolve) => {
      timers.endOfTurn(() => {
        events.push('end')
        resolve()
      })
      void Promise.resolve().then(() => events.push('microtask'))
    })
    expect(events).toEqual(['microtask', 'end'])
  })

  test('what is due now fires in its order among what was left for the end of the turn, unless it is cancelled', async () => {
    const timers = new RealTimers(realClock)
    const events: string[] = []
    await new Promise<void>((resolve) => {
      timers.endOfTurn(() => events.push('first'))
      timers.schedule('due', realClock.now(), () => events.push('due'))
      timers.schedule('cancelled', realClock.now(), () => events.push('cancelled'))
      timers.cancel('cancelled')
      timers.endOfTurn(resolve)
    })
    expect(events).toEqual(['first', 'due'])
  })
})
