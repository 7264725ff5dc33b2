// Both disks must behave alike; every test here runs on each.

import { describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Disk, DiskError } from '../../src/storage/disk.ts'
import { MemoryDisk } from '../../src/storage/disk-memory.ts'
import { RealDisk } from '../../src/storage/disk-real.ts'
import { libc, NO_LIBC } from '../../src/storage/libc.ts'

interface Place {
  readonly disk: Disk
  readonly root: string
  readonly remove: () => void
}

function memoryPlace(): Place {
  const disk = new MemoryDisk({ now: () => 1234 })
  disk.makeDirectory('/root')
  return { disk, root: '/root', remove: () => {} }
}

function realPlace(disk: Disk): Place {
  const root = mkdtempSync(join(tmpdir(), 'samsa-disk-'))
  return { disk, root, remove: () => rmSync(root, { recursive: true, force: true }) }
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

const kinds: [string, () => Place][] = [
  ['memory disk', memoryPlace],
  ['real disk', () => realPlace(new RealDisk())],
  ['real disk without libc calls', () => realPlace(new RealDisk(NO_LIBC))],
]

for (const [name, make] of kinds) {
  describe(name, () => {
    function on(title: string, run: (place: Place) => void | Promise<void>): void {
      test(title, async () => {
        const place = make()
        try {
          await run(place)
        } finally {
          place.remove()
        }
      })
    }

    on('a missing file is not opened unless it may be created', ({ disk, root }) => {
      expect(codeOf(() => disk.open(`${root}/f`))).toBe('ENOENT')
      expect(disk.open(`${root}/f`, { create: true }).sizeBytes).toBe(0)
      expect(disk.exists(`${root}/f`)).toBe(true)
      expect(codeOf(() => disk.open(`${root}/no/f`, { create: true }))).toBe('ENOENT')
    })

    on('what is written at a position is read there, hot, now and later', async ({ disk, root }) => {
      const file = disk.open(`${root}/f`, { create: true })
      file.writev([Buffer.from('hello '), Buffer.alloc(0), Buffer.from('world')], 0)
      file.writev([Buffer.from('W')], 6)
      expect(file.sizeBytes).toBe(11)
      const buffer = Buffer.alloc(20, 0x2e)
      expect(file.readNow(buffer, 2, 18, 0)).toBe(11)
      expect(buffer.toString()).toBe('..hello World.......')
      expect(file.readHot(buffer, 0, 5, 6)).toBe(5)
      expect(buffer.toString('latin1', 0, 5)).toBe('World')
      expect(await file.read(buffer, 0, 20, 4)).toBe(7)
      expect(buffer.toString('latin1', 0, 7)).toBe('o World')
      expect(await file.read(buffer, 0, 20, 11)).toBe(0)
      expect(file.readHot(buffer, 0, 20, 11)).toBe(0)
      file.close()
    })

    on('many buffers go out in one call', ({ disk, root }) => {
      const file = disk.open(`${root}/f`, { create: true })
      const chunks = Array.from({ length: 3000 }, (_unused, index) => Buffer.from([index & 0xff, index >> 8]))
      file.writev(chunks, 0)
      expect(disk.readWhole(`${root}/f`)?.equals(Buffer.concat(chunks))).toBe(true)
    })

    on('a large file keeps its bytes across page borders', ({ disk, root }) => {
      const file = disk.open(`${root}/f`, { create: true })
      const bytes = Buffer.alloc(700_000)
      for (let index = 0; index < bytes.length; index++) bytes[index] = (index * 31) & 0xff
      file.writev([bytes.subarray(0, 300_001), bytes.subarray(300_001)], 0)
      const back = Buffer.alloc(500_000)
      expect(file.readNow(back, 0, back.length, 150_000)).toBe(500_000)
      expect(back.equals(bytes.subarray(150_000, 650_000))).toBe(true)
    })

    on('cutting a file and writing on leaves nothing of the old bytes', ({ disk, root }) => {
      const file = disk.open(`${root}/f`, { create: true })
      file.writev([Buffer.alloc(1000, 1)], 0)
      file.truncate(10)
      expect(file.sizeBytes).toBe(10)
      file.truncate(20)
      file.writev([Buffer.from([9])], 20)
      const expected = Buffer.concat([Buffer.alloc(10, 1), Buffer.alloc(10), Buffer.from([9])])
      expect(disk.readWhole(`${root}/f`)).toEqual(expected)
    })

    on('preallocation does not change the length', ({ disk, root }) => {
      const file = disk.open(`${root}/f`, { create: true })
      file.writev([Buffer.from('abc')], 0)
      file.preallocate(1_000_000)
      expect(file.sizeBytes).toBe(3)
      expect(disk.stat(`${root}/f`)?.sizeBytes).toBe(3)
    })

    on('sync, now and later', async ({ disk, root }) => {
      const file = disk.open(`${root}/f`, { create: true })
      file.writev([Buffer.from('abc')], 0)
      file.syncNow()
      await file.sync()
      disk.syncDirectory(root)
      await disk.syncDirectoryLater(root)
    })

    on(
      'a file closed while a read is under way ends the read undisturbed; later use is refused',
      async ({ disk, root }) => {
        const file = disk.open(`${root}/f`, { create: true })
        file.writev([Buffer.from('abcdef')], 0)
        const buffer = Buffer.alloc(6)
        const reading = file.read(buffer, 0, 6, 0)
        file.close()
        expect(await reading).toBe(6)
        expect(codeOf(() => file.readNow(buffer, 0, 6, 0))).toBe('EBADF')
        expect(codeOf(() => file.writev([buffer], 0))).toBe('EBADF')
        file.close()
      },
    )

    on('small files are replaced whole', async ({ disk, root }) => {
      const path = `${root}/small`
      expect(disk.readWhole(path)).toBeNull()
      disk.writeNew(path, Buffer.from('zero'))
      disk.writeWhole(path, Buffer.from('one'))
      expect(disk.readWhole(path)?.toString()).toBe('one')
      disk.replaceWhole(path, Buffer.from('second'))
      expect(disk.readWhole(path)?.toString()).toBe('second')
      await disk.replaceWholeLater(path, Buffer.from('3'))
      expect(disk.readWhole(path)?.toString()).toBe('3')
      expect(disk.list(root)).toEqual(['small'])
    })

    on('a replacement wins over an older one that is still under way', async ({ disk, root }) => {
      const path = `${root}/small`
      const older = disk.replaceWholeLater(path, Buffer.from('older'))
      disk.replaceWhole(path, Buffer.from('newer'))
      await older
      expect(disk.readWhole(path)?.toString()).toBe('newer')
    })

    on('folders: list, stat, rename, remove', async ({ disk, root }) => {
      disk.makeDirectory(`${root}/a/b`)
      disk.makeDirectory(`${root}/a/b`)
      disk.writeNew(`${root}/a/b/x`, Buffer.from('x'))
      disk.writeNew(`${root}/a/y`, Buffer.from('yy'))
      expect(disk.list(`${root}/a`).sort()).toEqual(['b', 'y'])
      expect(disk.stat(`${root}/a`)?.isDirectory).toBe(true)
      expect(disk.stat(`${root}/a/y`)).toMatchObject({ sizeBytes: 2, isDirectory: false })
      expect(disk.stat(`${root}/none`)).toBeNull()
      disk.rename(`${root}/a`, `${root}/c`)
      expect(disk.readWhole(`${root}/c/b/x`)?.toString()).toBe('x')
      expect(codeOf(() => disk.list(`${root}/a`))).toBe('ENOENT')
      expect(codeOf(() => disk.rename(`${root}/a`, `${root}/d`))).toBe('ENOENT')
      disk.remove(`${root}/c/y`)
      disk.remove(`${root}/c/y`)
      expect(disk.exists(`${root}/c/y`)).toBe(false)
      disk.makeDirectory(`${root}/e/f`)
      await disk.removeLater(`${root}/e`)
      disk.remove(`${root}/c`, { recursive: true })
      disk.remove(`${root}/c`, { recursive: true })
      expect(disk.list(root)).toEqual([])
    })

    on('file times can be set', ({ disk, root }) => {
      disk.writeNew(`${root}/f`, Buffer.from('x'))
      disk.setModified(`${root}/f`, 1_600_000_000_000)
      expect(disk.stat(`${root}/f`)?.modifiedMs).toBe(1_600_000_000_000)
    })

    on('one lock at a time', ({ disk, root }) => {
      const lock = disk.lock(`${root}/.lock`)
      expect(lock).not.toBeNull()
      expect(disk.lock(`${root}/.lock`)).toBeNull()
      lock?.release()
      lock?.release()
      expect(disk.exists(`${root}/.lock`)).toBe(false)
      const again = disk.lock(`${root}/.lock`)
      expect(again).not.toBeNull()
      again?.release()
    })

    on('free space', ({ disk, root }) => {
      const { totalBytes, usableBytes } = disk.free(root)
      expect(totalBytes).toBeGreaterThan(0)
      expect(usableBytes).toBeGreaterThan(0)
      expect(usableBytes).toBeLessThanOrEqual(totalBytes)
    })
  })
}

describe('real disk', () => {
  test('the lock of another process is respected, and void once that process is dead', async () => {
    const place = realPlace(new RealDisk())
    const path = `${place.root}/.lock`
    const module = join(import.meta.dir, '../../src/storage/disk-real.ts')
    const program = `import { RealDisk } from ${JSON.stringify(module)}; console.log(new RealDisk().lock(${JSON.stringify(path)}) !== null); setInterval(() => {}, 1000)`
    for (const env of [{ SAMSA_NO_FFI: '0' }, { SAMSA_NO_FFI: '1' }]) {
      const child = Bun.spawn([process.execPath, '-e', program], { stdout: 'pipe', env: { ...process.env, ...env } })
      const reader = child.stdout.getReader()
      expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe('true\n')
      const disk = new RealDisk(env.SAMSA_NO_FFI === '1' ? NO_LIBC : libc())
      expect(disk.lock(path)).toBeNull()
      child.kill('SIGKILL')
      await child.exited
      const lock = disk.lock(path)
      expect(lock).not.toBeNull()
      lock?.release()
    }
    place.remove()
  })

  test('space reserved ahead is given back by cutting the file to its length', () => {
    const place = realPlace(new RealDisk())
    const file = place.disk.open(`${place.root}/f`, { create: true })
    file.writev([Buffer.alloc(4096, 1)], 0)
    file.preallocate(8 * 1024 * 1024)
    const reserved = statSync(file.path).blocks * 512
    file.truncate(4096)
    const kept = statSync(file.path).blocks * 512
    // On file systems without fallocate there is nothing to give back.
    if (reserved >= 8 * 1024 * 1024) expect(kept).toBeLessThanOrEqual(8192)
    file.close()
    place.remove()
  })
})
