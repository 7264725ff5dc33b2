import { ManualTimers } from '../../src/storage/timers-manual.ts'

/** Time goes on when the test says so; turns of the event loop end by themselves. */
export class ManualTime extends ManualTimers {
  override endOfTurn(fire: () => void): void {
    setImmediate(fire)
  }
}
