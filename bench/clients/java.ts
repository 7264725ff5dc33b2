/** Kafka's own perf tools, with the batch settings of Samsa's producer: what a client on the JVM reaches against the same broker. */
import { readFileSync } from 'node:fs'
import { javaTemporaryOption } from '../../test/support/kafka-jars.ts'
import {
  BATCH_BYTES,
  BUFFER_BYTES,
  CONSUMED_RECORDS,
  type Measured,
  RATE_PER_SECOND,
  RECORD_BYTES,
  WARM_UP_MS,
  type Work,
} from './work.ts'

/** About what the tool sends in a second, so that it runs for as long as the others. */
const RECORDS_PER_SECOND = 600_000
const MEMORY_POLL_MS = 50

/** They cannot send one record after the other. */
export const JAVA_WORKS: readonly Work[] = ['batched', 'latency', 'consume']

export async function measureJava(
  jars: string,
  work: Work,
  bootstrap: string,
  topic: string,
  seconds: number,
): Promise<Measured> {
  const tool = work === 'consume' ? 'ConsumerPerformance' : 'ProducerPerformance'
  const args =
    work === 'consume' ? consumerArguments(bootstrap, topic) : producerArguments(work, bootstrap, topic, seconds)
  const command = [
    'java',
    '-Xmx512m',
    javaTemporaryOption(),
    '-cp',
    `${jars}/*`,
    `org.apache.kafka.tools.${tool}`,
    ...args,
  ]
  const child = Bun.spawn(command, { stdout: 'pipe', stderr: 'pipe' })
  let peakKiB = 0
  let rssKiB = 0
  const timer = setInterval(() => {
    const status = statusOf(child.pid)
    peakKiB = Math.max(peakKiB, status.peakKiB)
    rssKiB = status.rssKiB || rssKiB
  }, MEMORY_POLL_MS)
  const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()])
  clearInterval(timer)
  if ((await child.exited) !== 0) throw new Error(`${tool} failed: ${errors.slice(-1000)}`)
  const told = work === 'consume' ? consumed(output) : produced(output)
  return { ...told, rssMiB: rssKiB / 1024, peakMiB: peakKiB / 1024 }
}

function producerArguments(work: Work, bootstrap: string, topic: string, seconds: number): string[] {
  const perSecond = work === 'latency' ? RATE_PER_SECOND : RECORDS_PER_SECOND
  const warmUp = (perSecond * WARM_UP_MS) / 1000
  const settings = [
    `bootstrap.servers=${bootstrap}`,
    'acks=all',
    'linger.ms=0',
    `batch.size=${BATCH_BYTES}`,
    `buffer.memory=${BUFFER_BYTES}`,
  ]
  return [
    ...['--topic', topic, '--record-size', String(RECORD_BYTES)],
    ...['--num-records', String(warmUp + perSecond * seconds), '--warmup-records', String(warmUp)],
    ...['--throughput', String(work === 'latency' ? RATE_PER_SECOND : -1), '--command-property', ...settings],
  ]
}

function consumerArguments(bootstrap: string, topic: string): string[] {
  const group = `bench-java-${process.pid}-${Date.now()}`
  return [
    '--bootstrap-server',
    bootstrap,
    '--topic',
    topic,
    '--num-records',
    String(CONSUMED_RECORDS),
    '--group',
    group,
  ]
}

/** `1000 records sent, 199.2 records/sec (0.05 MB/sec), 0.61 ms avg latency, 9.00 ms max latency, 1 ms 50th, ..., 3 ms 99th, ...` */
function produced(output: string): { perSecond: number; p50Ms: number; p99Ms: number } {
  const line =
    output
      .trim()
      .split('\n')
      .findLast((each) => each.includes('99th')) ?? ''
  const number = (pattern: RegExp): number => Number(pattern.exec(line)?.[1] ?? Number.NaN)
  return {
    perSecond: number(/([\d.]+) records\/sec/),
    p50Ms: number(/([\d.]+) ms 50th/),
    p99Ms: number(/([\d.]+) ms 99th/),
  }
}

/** A header and a line; the last two columns are the rates without the time that joining the group took. */
function consumed(output: string): { perSecond: number; p50Ms: number; p99Ms: number } {
  const lines = output
    .trim()
    .split('\n')
    .map((line) => line.split(',').map((cell) => cell.trim()))
  const names = lines.find((cells) => cells.includes('nMsg.sec') || cells.includes('fetch.nMsg.sec')) ?? []
  const values = lines.at(-1) ?? []
  const cell = (name: string): number => Number(values[names.indexOf(name)] ?? Number.NaN)
  const untilFirstMs = cell('rebalance.time.ms')
  return { perSecond: cell('fetch.nMsg.sec'), p50Ms: untilFirstMs, p99Ms: untilFirstMs }
}

function statusOf(pid: number): { readonly rssKiB: number; readonly peakKiB: number } {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8')
    const number = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0)
    return { rssKiB: number('VmRSS'), peakKiB: number('VmHWM') }
  } catch {
    return { rssKiB: 0, peakKiB: 0 }
  }
}
