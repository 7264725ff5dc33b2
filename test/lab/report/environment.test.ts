import { describe, expect, test } from 'bun:test'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import manifest from '../../../package.json' with { type: 'json' }
import { describeDisk, describeEnvironment, mountOf } from '../../../src/lab/report/environment.ts'

const MOUNTS = [
  '27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw',
  '30 27 8:1 / /data rw,noatime shared:2 - xfs /dev/sda1 rw',
  '31 30 0:50 / /data/with\\040space rw - tmpfs tmpfs rw',
  '32 27 8:17 / /data rw,nodev - btrfs /dev/sdb1 rw',
  '',
].join('\n')

describe('which mount holds a path', () => {
  test.each([
    ['/home/x', '/', 'ext4'],
    ['/database', '/', 'ext4'],
    ['/data', '/data', 'btrfs'],
    ['/data/topic-0', '/data', 'btrfs'],
    ['/data/with space/a', '/data/with space', 'tmpfs'],
  ])('%s is on %s', (path, mountPoint, fileSystem) => {
    expect(mountOf(path, MOUNTS)).toMatchObject({ mountPoint, fileSystem })
  })

  test('options and device come from the same line', () => {
    expect(mountOf('/data/x', MOUNTS)).toEqual({
      mountPoint: '/data',
      deviceNumber: '8:17',
      fileSystem: 'btrfs',
      options: 'rw,nodev',
      device: '/dev/sdb1',
    })
  })

  test('a system without the table has no known file system', () => {
    expect(mountOf('/x', '').fileSystem).toBe('unknown')
  })
})

describe('this machine', () => {
  test('a folder that does not exist yet is on the disk of the folder above it', () => {
    const below = describeDisk(join(tmpdir(), 'not', 'there', 'yet'))
    expect({ ...below, freeBytes: 0 }).toEqual({ ...describeDisk(tmpdir()), freeBytes: 0 })
    expect(below.totalBytes).toBeGreaterThanOrEqual(below.freeBytes)
  })

  test('says what a reader needs to compare figures', () => {
    const values = describeEnvironment({ path: tmpdir() })
    expect(values.map(({ name }) => name)).toEqual(['kernel', 'processor', 'memory', 'disk', 'Bun', 'Samsa'])
    expect(values.find(({ name }) => name === 'Bun')?.value).toBe(Bun.version)
    expect(values.at(-1)?.value).toBe(manifest.version)
    expect(describeEnvironment().map(({ name }) => name)).not.toContain('disk')
  })
})
