import { describe, expect, test } from 'bun:test'
import { DiskError } from '../../src/storage/disk.ts'
import { MemoryDisk } from '../../src/storage/disk-memory.ts'

function fresh(): MemoryDisk {
  const disk = new MemoryDisk({ trackDurable: true })
  disk.makeDirectory('/d')
  return disk
}

function codeOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (error instanceof DiskError) return error.code
    throw error
  }
  return 'none'
}

describe('faults', () => {
  test('a write fails once, having written what it was told to', () => {
    const disk = fresh()
    const file = disk.open('/d/f', { create: true })
    disk.failNextWrite('EIO', { bytesWritten: 3 })
    expect(codeOf(() => file.writev([Buffer.from('ab'), Buffer.from('cdef')], 0))).toBe('EIO')
    expect(disk.readWhole('/d/f')?.toString()).toBe('abc')
    file.writev([Buffer.from('xyz')], 0)
    expect(disk.readWhole('/d/f')?.toString()).toBe('xyz')
  })

  test('only matching files are hit', () => {
    const disk = fresh()
    disk.failNextWrite('ENOSPC', { matching: (path) => path.endsWith('b') })
    disk.open('/d/a', { create: true }).writev([Buffer.from('1')], 0)
    const file = disk.open('/d/b', { create: true })
    expect(codeOf(() => file.writev([Buffer.from('1')], 0))).toBe('ENOSPC')
  })

  test('a full disk takes no growth, but overwriting and cutting go on', () => {
    const disk = fresh()
    const file = disk.open('/d/f', { create: true })
    file.writev([Buffer.alloc(100)], 0)
    disk.fill()
    expect(codeOf(() => file.writev([Buffer.alloc(1)], 100))).toBe('ENOSPC')
    file.writev([Buffer.alloc(100, 1)], 0)
    file.truncate(50)
    file.writev([Buffer.alloc(50)], 50)
    expect(codeOf(() => file.writev([Buffer.alloc(10)], 95))).toBe('ENOSPC')
    disk.capacityBytes = Number.POSITIVE_INFINITY
    file.writev([Buffer.alloc(10)], 100)
  })

  test('a failed sync leaves nothing more durable', () => {
    const disk = fresh()
    const file = disk.open('/d/f', { create: true })
    disk.syncDirectory('/d')
    file.writev([Buffer.from('a')], 0)
    disk.failNextSync()
    expect(codeOf(() => file.syncNow())).toBe('EIO')
    disk.crash()
    expect(disk.readWhole('/d/f')?.length).toBe(0)
  })

  test('cold data is not read hot', () => {
    const disk = fresh()
    const file = disk.open('/d/f', { create: true })
    file.writev([Buffer.from('a')], 0)
    disk.setCold(true)
    expect(file.readHot(Buffer.alloc(1), 0, 1, 0)).toBe(-1)
    expect(file.readNow(Buffer.alloc(1), 0, 1, 0)).toBe(1)
  })
})

describe('losing power', () => {
  test('keeps synced bytes of files whose names were synced', () => {
    const disk = fresh()
    const kept = disk.open('/d/kept', { create: true })
    const nameless = disk.open('/d/nameless', { create: true })
    kept.writev([Buffer.from('synced')], 0)
    nameless.writev([Buffer.from('synced')], 0)
    kept.syncNow()
    nameless.syncNow()
    disk.rename('/d/nameless', '/d/other')
    disk.rename('/d/other', '/d/nameless2')
    disk.remove('/d/nameless2')
    disk.syncDirectory('/d')
    disk.open('/d/late', { create: true })
    kept.writev([Buffer.from(' and more')], 6)
    disk.crash()
    expect(disk.list('/d')).toEqual(['kept'])
    expect(disk.readWhole('/d/kept')?.toString()).toBe('synced')
    expect(codeOf(() => kept.syncNow())).toBe('EBADF')
  })

  test('undoes overwriting and cutting that was not synced', () => {
    const disk = fresh()
    const file = disk.open('/d/f', { create: true })
    file.writev([Buffer.from('abcdefgh')], 0)
    file.syncNow()
    disk.syncDirectory('/d')
    file.writev([Buffer.from('XY')], 2)
    file.truncate(5)
    disk.crash()
    expect(disk.readWhole('/d/f')?.toString()).toBe('abcdefgh')
  })

  test('may keep a part of the unsynced end', () => {
    const disk = fresh()
    const file = disk.open('/d/f', { create: true })
    file.writev([Buffer.from('abc')], 0)
    file.syncNow()
    disk.syncDirectory('/d')
    file.writev([Buffer.from('defghi')], 3)
    disk.crash((_path, unsynced) => unsynced - 4)
    expect(disk.readWhole('/d/f')?.toString()).toBe('abcde')
  })

  test('a second crash finds what the first one left', () => {
    const disk = fresh()
    disk.replaceWhole('/d/f', Buffer.from('one'))
    disk.crash()
    disk.writeWhole('/d/f', Buffer.from('two'))
    disk.crash()
    expect(disk.readWhole('/d/f')?.toString()).toBe('one')
  })

  test('a removal counts once the folder is synced', () => {
    const disk = fresh()
    disk.replaceWhole('/d/f', Buffer.from('one'))
    disk.remove('/d/f')
    disk.crash()
    expect(disk.exists('/d/f')).toBe(true)
    disk.remove('/d/f')
    disk.syncDirectory('/d')
    disk.crash()
    expect(disk.exists('/d/f')).toBe(false)
  })
})

test('a killed process leaves its files and none of its locks', () => {
  const disk = fresh()
  const file = disk.open('/d/f', { create: true })
  file.writev([Buffer.from('abc')], 0)
  const lock = disk.lock('/d/.lock')
  disk.killProcess()
  expect(disk.readWhole('/d/f')?.toString()).toBe('abc')
  const second = disk.lock('/d/.lock')
  expect(second).not.toBeNull()
  lock?.release()
  expect(disk.lock('/d/.lock')).toBeNull()
})
