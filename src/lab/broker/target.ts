/**
 * What is being measured: a broker behind an address, or the machine's own limit. A broker that runs on this machine also
 * tells, through the kernel, what it spends: processor time of all its threads, and resident memory.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

export interface Address {
  readonly host: string
  readonly port: number
}

export interface Target {
  readonly name: string
  readonly address: Address
  /** Null: not on this machine, or not for us to see. */
  readonly pid: number | null
  /** `machine`: the plain C server. It has no topics; see machine-limit.c. */
  readonly kind: 'broker' | 'machine'
  /** What an acknowledgement of this target promises, as far as we know it. */
  readonly durability: string
  /** Where its log segments lie, if the run may put them out of the page cache. */
  readonly dataDirectory: string | null
}

/** Processor seconds (user and system, all threads) that the process has used so far. */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name, in parentheses, may hold anything; utime and stime are the 14th and 15th field of proc(5).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const CLOCK_TICKS_PER_SECOND = 100
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND
}

export interface ResidentBytes {
  readonly now: number
  /** The most since the process started. */
  readonly peak: number
}

export function residentBytesOf(pid: number): ResidentBytes {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const bytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) * 1024
  return { now: bytes('VmRSS'), peak: bytes('VmHWM') }
}

/** The process on this machine that listens there, or null: elsewhere, another user's, or no /proc. */
export function processListeningOn({ host, port }: Address): number | null {
  if (!/^(localhost|127(\.\d+){3}|::1)$/.test(host)) return null
  try {
    const inodes = new Set(['/proc/net/tcp', '/proc/net/tcp6'].flatMap((table) => listeningInodes(table, port)))
    for (const entry of readdirSync('/proc')) {
      if (/^\d+$/.test(entry) && holdsSocket(entry, inodes)) return Number(entry)
    }
  } catch {
    // Not Linux: the broker is measured from outside only.
  }
  return null
}

/** proc(5), net/tcp: `0: 0100007F:2384 00000000:0000 0A ... inode`; state 0A is LISTEN. */
export function listeningInodes(table: string, port: number, text: string = readFileSync(table, 'utf8')): string[] {
  const LISTEN = '0A'
  return text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => state === LISTEN && Number.parseInt(local?.split(':')[1] ?? '', 16) === port)
    .flatMap((fields) => fields[9] ?? [])
}

function holdsSocket(pid: string, inodes: ReadonlySet<string>): boolean {
  let descriptors: string[]
  try {
    descriptors = readdirSync(`/proc/${pid}/fd`)
  } catch {
    // Gone meanwhile, or another user's.
    return false
  }
  return descriptors.some((descriptor) => {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${descriptor}`))?.[1]
      return inode !== undefined && inodes.has(inode)
    } catch {
      // Closed meanwhile.
      return false
    }
  })
}
