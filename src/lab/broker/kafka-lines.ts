/**
 * Rounds in the words of Kafka's own tools, so that what reads their output reads ours: the last line of
 * kafka-producer-perf-test and the line of kafka-consumer-perf-test, as Kafka 4.3 prints them. MB is 2^20 bytes there, and
 * only the bytes of records count, not those of batches around them.
 */
import type { FlowResult } from './flow.ts'

const MEGABYTE = 2 ** 20

/** Latencies have whole milliseconds there, except average and maximum. */
export function producerLine(publish: FlowResult, recordBytes: number): string {
  const { records, seconds, latency } = publish
  const summary = latency.summary()
  const milliseconds = (microseconds: number | undefined): number => (microseconds ?? 0) / 1000
  const whole = (microseconds: number | undefined): string => Math.floor(milliseconds(microseconds)).toString()
  return (
    `${records} records sent, ${(records / seconds).toFixed(6)} records/sec ` +
    `(${((records * recordBytes) / MEGABYTE / seconds).toFixed(2)} MB/sec), ` +
    `${milliseconds(summary?.mean).toFixed(2)} ms avg latency, ${milliseconds(summary?.max).toFixed(2)} ms max latency, ` +
    `${whole(summary?.p50)} ms 50th, ${whole(summary?.p95)} ms 95th, ${whole(summary?.p99)} ms 99th, ` +
    `${whole(summary?.p999)} ms 99.9th.`
  )
}

export const CONSUMER_HEADER =
  'start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, ' +
  'rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec'

/** There is no group, so nothing is spent on rebalancing and all the time is fetching. */
export function consumerLine(consume: FlowResult, options: { startedAt: Date; recordBytes: number }): string {
  const { records, seconds } = consume
  const megabytes = (records * options.recordBytes) / MEGABYTE
  const durationMs = Math.round(seconds * 1000)
  const rates = [megabytes / seconds, records / seconds].map((rate) => rate.toFixed(4))
  return [
    timestamp(options.startedAt),
    timestamp(new Date(options.startedAt.getTime() + durationMs)),
    megabytes.toFixed(4),
    rates[0],
    records,
    rates[1],
    0,
    durationMs,
    rates[0],
    rates[1],
  ].join(', ')
}

/** `yyyy-MM-dd HH:mm:ss:SSS`, local time. */
function timestamp(date: Date): string {
  const pad = (value: number, digits = 2): string => value.toString().padStart(digits, '0')
  const day = [date.getFullYear(), pad(date.getMonth() + 1), pad(date.getDate())].join('-')
  const time = [pad(date.getHours()), pad(date.getMinutes()), pad(date.getSeconds()), pad(date.getMilliseconds(), 3)]
  return `${day} ${time.join(':')}`
}
