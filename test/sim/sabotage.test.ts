/**
 * The simulation finds what it is there to find: brokers and disks with one mistake each. A change of the broker changes the histories, so that
 * another one may be the first to show a mistake; a few more are tried then. `SAMSA_SIM_SABOTAGE=1` says which one did.
 */
import { afterEach, expect, test } from 'bun:test'
import { LocalSharePersister } from '../../src/broker/share/persister.ts'
import { ShareSettings } from '../../src/broker/share/settings.ts'
import { SharedPartitions } from '../../src/broker/share/shared-partitions.ts'
import { TransactionVerifier } from '../../src/broker/transaction-verifier.ts'
import { StreamsGroup } from '../../src/coordinator/group/streams/group.ts'
import { HOLDS_NO_TASKS } from '../../src/coordinator/group/streams/tasks.ts'
import { GroupCoordinator } from '../../src/coordinator/runtime.ts'
import { SharePartition } from '../../src/coordinator/share-delivery/share-partition.ts'
import { Log } from '../../src/log/log.ts'
import { LogManager } from '../../src/log/log-manager.ts'
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
const { acknowledge, acquire, expireLocks, release } = SharePartition.prototype
const { putProgress } = StreamsGroup.prototype
const { runRetention } = LogManager.prototype

const NO_LIMIT = Number.POSITIVE_INFINITY
const EARLY_MS = 1500

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
    seed: 2,
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
    seed: 2,
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
  {
    name: 'acknowledgements of shared records are not written down',
    seed: 1,
    make: () =>
      sabotage(LocalSharePersister.prototype, 'write', {
        value(...[, , done]: Parameters<LocalSharePersister['write']>) {
          done({ errorCode: ErrorCode.NONE, errorMessage: null })
        },
      }),
  },
  {
    name: 'locks of shared records run out too early',
    seed: 2,
    make: () =>
      sabotage(SharePartition.prototype, 'acquire', {
        value(this: SharePartition, input: Parameters<typeof acquire>[0]) {
          return acquire.call(this, { ...input, lockedUntilMs: input.lockedUntilMs - EARLY_MS })
        },
      }),
  },
  {
    name: 'shared records are delivered without a limit',
    seed: 1,
    make: () => {
      sabotage(SharePartition.prototype, 'acknowledge', {
        value(this: SharePartition, ...[memberId, batches, rules]: Parameters<typeof acknowledge>) {
          return acknowledge.call(this, memberId, batches, { ...rules, deliveryLimit: NO_LIMIT })
        },
      })
      sabotage(SharePartition.prototype, 'expireLocks', {
        value(this: SharePartition, nowMs: number) {
          return expireLocks.call(this, nowMs, NO_LIMIT)
        },
      })
      sabotage(SharePartition.prototype, 'release', {
        value(this: SharePartition, memberId: string) {
          return release.call(this, memberId, NO_LIMIT)
        },
      })
    },
  },
  {
    name: 'a new state of one share partition forgets the deliveries of all of them',
    seed: 52,
    make: () =>
      sabotage(SharedPartitions.prototype, 'forget', {
        value(this: SharedPartitions) {
          this.close()
        },
      }),
  },
  {
    name: 'a share group passes over what was there before it',
    seed: 1,
    make: () => sabotage(ShareSettings.prototype, 'offsetReset', { value: () => 'latest' }),
  },
  {
    name: 'tasks that members of a streams group have count as free',
    seed: 4,
    make: () => {
      sabotage(StreamsGroup.prototype, 'putProgress', {
        value(this: StreamsGroup, ...[memberId, progress]: Parameters<typeof putProgress>) {
          putProgress.call(this, memberId, { ...progress, assigned: HOLDS_NO_TASKS, pendingRevocation: HOLDS_NO_TASKS })
        },
      })
    },
  },
  {
    name: 'positions in a deleted topic stay',
    seed: 10,
    make: () => sabotage(GroupCoordinator.prototype, 'topicDeleted', { value: () => {} }),
  },
  {
    name: 'retention takes what is too young',
    seed: 4,
    make: () =>
      sabotage(LogManager.prototype, 'runRetention', {
        value(this: LogManager, nowMs: number) {
          runRetention.call(this, nowMs + EARLY_MS)
        },
      }),
  },
  {
    name: 'retention takes nothing',
    seed: 1,
    make: () => sabotage(LogManager.prototype, 'runRetention', { value: () => {} }),
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
