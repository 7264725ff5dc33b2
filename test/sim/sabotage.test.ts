/**
 * The simulation finds what it is there to find: brokers and disks with one mistake each. A change of the broker changes the histories, so that
 * another one may be the first to show a mistake; a few more are tried then. `SAMSA_SIM_SABOTAGE=1` says which one did.
 */
import { afterEach, expect, test } from 'bun:test'
import { TransactionVerifier } from '../../src/broker/transaction-verifier.ts'
import { GroupCoordinator } from '../../src/coordinator/runtime.ts'
import { Log } from '../../src/log/log.ts'
import { ProducerState } from '../../src/log/producer-state.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { MemoryFile } from '../../src/storage/disk-memory.ts'
import { History } from './history.ts'

const STEPS = 600
const HISTORIES = process.env.SAMSA_SIM_SABOTAGE === '1' ? 500 : 150

const repairs: (() => void)[] = []
afterEach(() => {
  for (const repair of repairs.splice(0).reverse()) repair()
})

/** Replaces a method or a getter of a class, until the test is over. */
function sabotage<Class extends object, Name extends keyof Class>(of: Class, name: Name, to: PropertyDescriptor): void {
  const original = Object.getOwnPropertyDescriptor(of, name)!
  Object.defineProperty(of, name, { ...original, ...to })
  repairs.push(() => Object.defineProperty(of, name, original))
}

interface Mistake {
  readonly name: string
  /** The first history that shows it. */
  readonly seed: number
  make(): void
}

const { check } = ProducerState.prototype
const { transactionEnded } = GroupCoordinator.prototype

const MISTAKES: readonly Mistake[] = [
  {
    name: 'the device has less than a sync says',
    seed: 3,
    make: () => sabotage(MemoryFile.prototype, 'beginSync', { value: () => () => {} }),
  },
  {
    name: 'aborted transactions are not indexed',
    seed: 1,
    make: () => sabotage(Log.prototype, 'addAborted', { value: () => {} }),
  },
  {
    name: 'readers at read_committed see open transactions',
    seed: 1,
    make: () =>
      sabotage(Log.prototype, 'lastStableOffset', {
        get(this: Log) {
          return this.highWatermark
        },
      }),
  },
  {
    // One of them alone is enough: the coordinator is asked before, and the log looks at the epoch after that.
    name: 'neither the coordinator nor the log fences a producer',
    seed: 1,
    make: () => {
      sabotage(TransactionVerifier.prototype, 'verify', {
        value(_partition: unknown, _write: unknown, verified: (errorCode: ErrorCode) => void) {
          verified(ErrorCode.NONE)
        },
      })
      sabotage(ProducerState.prototype, 'check', {
        value(this: ProducerState, ...args: Parameters<typeof check>) {
          const found = check.apply(this, args)
          return found.kind === 'refuse' ? { kind: 'accept' } : found
        },
      })
    },
  },
  {
    name: 'repeated batches are taken for new ones',
    seed: 1,
    make: () =>
      sabotage(ProducerState.prototype, 'check', {
        value(this: ProducerState, ...args: Parameters<typeof check>) {
          const found = check.apply(this, args)
          return found.kind === 'duplicate' ? { kind: 'accept' } : found
        },
      }),
  },
  {
    name: 'positions of aborted transactions hold',
    seed: 1,
    make: () =>
      sabotage(GroupCoordinator.prototype, 'transactionEnded', {
        value(this: GroupCoordinator, partition: number, producerId: number) {
          transactionEnded.call(this, partition, producerId, true)
        },
      }),
  },
  {
    name: 'deleted records are forgotten only in memory',
    seed: 25,
    make: () =>
      sabotage(Log.prototype, 'deleteRecordsTo', {
        value(this: Log, offset: number) {
          if (offset > this.logStartOffset) this.logStartOffset = offset
          return ErrorCode.NONE
        },
      }),
  },
]

for (const { name, seed: first, make } of MISTAKES) {
  test(`${name}: found`, async () => {
    make()
    let found: string | null = null
    for (let seed = first; seed < first + HISTORIES && found === null; seed++) {
      const { problems } = await new History({ seed, steps: STEPS }).run()
      if (problems[0] !== undefined) found = `seed ${seed}: ${problems[0].slice(0, 200)}`
    }
    if (process.env.SAMSA_SIM_SABOTAGE === '1') console.log(found)
    expect(found).not.toBeNull()
  }, 600_000)
}
