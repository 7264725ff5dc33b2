// Moves between data folders on devices that refuse a call: whose fault it is, and what is left behind.

import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import type { FolderFailure } from '../../src/log/log-manager.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { MemoryDisk } from '../../src/storage/disk-memory.ts'
import { FailingDisk } from './failing-folder.ts'
import { Moves } from './moves-support.ts'

// Much is computed; a machine with other work takes its time.
setDefaultTimeout(60_000)

interface Setup {
  readonly moves: Moves
  readonly failing: FailingDisk
  readonly failures: FolderFailure[]
}

async function opened(): Promise<Setup> {
  const failing = new FailingDisk(new MemoryDisk({ trackDurable: true }))
  const moves = await Moves.open(failing.disk)
  moves.fill(40)
  const failures: FolderFailure[] = []
  moves.world.manager.onFolderFailed((failure) => failures.push(failure))
  return { moves, failing, failures }
}

async function settled({ world }: Moves): Promise<void> {
  for (let round = 0; round < 50; round++) {
    world.timers.runTurn()
    await undefined
  }
}

/** What lies in the folder of the partition, under whatever name. */
function partitionFolders({ world }: Moves, folder: string): string[] {
  return world.disk.list(folder).filter((name) => name.startsWith('events-0'))
}

describe('a sync that was under way while its log moved, and fails then', () => {
  test('is about the folder that the log has left, not about the log', async () => {
    const { moves, failing, failures } = await opened()
    const { manager } = moves.world
    const held = failing.holdSyncs('/a/events-0')
    const flushed = manager.checkpoint()
    await settled(moves)
    expect(held.held).toBe(1)
    manager.moveTo('/b', 'events', 0)
    await moves.moved()
    expect(moves.folder()).toBe('/b')
    failing.breakFolder('/a')
    held.fail()
    await moves.drive(flushed)
    await settled(moves)
    expect(failures).toMatchObject([{ path: '/a', logs: [] }])
    expect(moves.log().syncBroken).toBe(false)
    expect(moves.put().info.errorCode).toBe(ErrorCode.NONE)
    await moves.check()
  })
})

describe('a move whose mark of an earlier one cannot be removed', () => {
  async function movedOnce(): Promise<Setup> {
    const setup = await opened()
    setup.moves.world.manager.moveTo('/b', 'events', 0)
    await setup.moves.moved()
    await settled(setup.moves)
    return setup
  }

  test('does not begin: the log stays, nothing is left in the target, and the folder of the log is looked at', async () => {
    const { moves, failing, failures } = await movedOnce()
    const { manager, disk } = moves.world
    failing.failOnce('remove', '/b/events-0/samsa-moved')
    expect(manager.moveTo('/a', 'events', 0)).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    await settled(moves)
    expect(partitionFolders(moves, '/a').filter((name) => name.endsWith('-future'))).toEqual([])
    expect(disk.exists('/b/samsa-probe')).toBe(false)
    expect(failures).toEqual([])
    expect(moves.log().moving).toBeNull()
    expect(moves.put().info.errorCode).toBe(ErrorCode.NONE)
    // The next start has no move to go on with.
    await moves.drive(manager.close())
    await moves.reopen(moves.world.disk)
    await moves.moved()
    expect(moves.folder()).toBe('/b')
    await moves.check()
  })

  test('takes the folder of the log offline if its device does not work, and leaves the target alone', async () => {
    const { moves, failing, failures } = await movedOnce()
    failing.breakFolder('/b')
    expect(moves.world.manager.moveTo('/a', 'events', 0)).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    await settled(moves)
    expect(failures).toMatchObject([{ path: '/b' }])
  })
})
