/**
 * What a measurement ran on: kernel, processor, memory, runtime, and the disk behind a path. Without this a figure cannot be
 * compared with anything. What the system does not tell is left out; nothing here fails.
 */
import { readFileSync, realpathSync, statfsSync } from 'node:fs'
import { arch, availableParallelism, cpus, platform, release, totalmem } from 'node:os'
import { basename, join, resolve } from 'node:path'
import manifest from '../../../package.json' with { type: 'json' }
import { formatBytes, type NamedValue } from './report.ts'

export interface DiskDescription {
  readonly mountPoint: string
  /** ext4, xfs, tmpfs, overlay, ... */
  readonly fileSystem: string
  readonly mountOptions: string
  readonly device: string
  /** What the drive calls itself; virtual disks often say nothing. */
  readonly model: string | null
  readonly rotational: boolean | null
  readonly freeBytes: number
  readonly totalBytes: number
}

export function describeEnvironment(options: { path?: string } = {}): NamedValue[] {
  const processors = cpus()
  const model = processors[0]?.model.trim() ?? 'unknown'
  const usable = availableParallelism()
  const values = [
    { name: 'kernel', value: `${platform()} ${release()} ${arch()}` },
    {
      name: 'processor',
      value: `${processors.length} x ${model}${usable < processors.length ? `, ${usable} usable` : ''}`,
    },
    { name: 'memory', value: formatBytes(totalmem()) },
  ]
  if (options.path !== undefined) values.push({ name: 'disk', value: diskText(describeDisk(options.path)) })
  values.push({ name: 'Bun', value: Bun.version }, { name: 'Samsa', value: manifest.version })
  return values
}

/** The file system that holds `path`, and the drive below it as far as the kernel shows it. */
export function describeDisk(path: string): DiskDescription {
  const mount = mountOf(existingPath(path), textOf('/proc/self/mountinfo') ?? '')
  const space = statfsSync(mount.mountPoint)
  const drive = driveOf(mount.deviceNumber)
  return {
    mountPoint: mount.mountPoint,
    fileSystem: mount.fileSystem,
    mountOptions: mount.options,
    device: mount.device,
    model: drive.model,
    rotational: drive.rotational,
    freeBytes: space.bavail * space.bsize,
    totalBytes: space.blocks * space.bsize,
  }
}

interface Mount {
  readonly mountPoint: string
  readonly deviceNumber: string
  readonly fileSystem: string
  readonly options: string
  readonly device: string
}

/** proc(5), mountinfo: `36 35 98:0 / /mnt rw,noatime shared:1 - ext3 /dev/root rw`. The longest mount point above the path holds it. */
export function mountOf(path: string, mountInfo: string): Mount {
  let best: Mount = { mountPoint: '/', deviceNumber: '', fileSystem: 'unknown', options: '', device: 'unknown' }
  for (const line of mountInfo.split('\n')) {
    const [left = '', right = ''] = line.split(' - ')
    const [, , deviceNumber, , rawMountPoint, options] = left.split(' ')
    const [fileSystem, device] = right.split(' ')
    if (rawMountPoint === undefined || fileSystem === undefined) continue
    const mountPoint = unescapeOctal(rawMountPoint)
    const holds = path === mountPoint || path.startsWith(mountPoint.endsWith('/') ? mountPoint : `${mountPoint}/`)
    // Later lines are mounted over earlier ones.
    if (!holds || mountPoint.length < best.mountPoint.length) continue
    best = { mountPoint, deviceNumber: deviceNumber ?? '', fileSystem, options: options ?? '', device: device ?? '' }
  }
  return best
}

/** Spaces and the like stand as `\040` in the kernel's tables. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_match, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}

/** A partition has neither queue nor model: the drive is its parent. */
function driveOf(deviceNumber: string): { model: string | null; rotational: boolean | null } {
  const nothing = { model: null, rotational: null }
  if (deviceNumber === '') return nothing
  try {
    const device = realpathSync(`/sys/dev/block/${deviceNumber}`)
    for (const folder of [device, resolve(device, '..')]) {
      const rotational = textOf(join(folder, 'queue/rotational'))
      if (rotational === null) continue
      const model = textOf(join(folder, 'device/model'))?.trim() ?? ''
      return { model: model === '' ? null : `${basename(folder)} ${model}`, rotational: rotational.trim() === '1' }
    }
  } catch {
    // No /sys, or a file system without a device of its own: there is nothing to say about a drive.
  }
  return nothing
}

function diskText(disk: DiskDescription): string {
  const parts = [`${disk.fileSystem} on ${disk.device}`]
  // Virtual disks have no model, and what they say about rotation is made up.
  if (disk.model !== null) parts.push(disk.model, disk.rotational === true ? 'rotational' : 'not rotational')
  parts.push(`${formatBytes(disk.freeBytes)} of ${formatBytes(disk.totalBytes)} free`)
  return parts.join(', ')
}

/** The path itself, or the nearest folder above it that exists already. */
function existingPath(path: string): string {
  for (let candidate = resolve(path); ; candidate = resolve(candidate, '..')) {
    try {
      return realpathSync(candidate)
    } catch {
      if (candidate === '/') return '/'
    }
  }
}

function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}
