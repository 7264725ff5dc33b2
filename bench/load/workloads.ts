/**
 * The work that brokers are compared by. Each function drives one running broker and tells what the client saw and what
 * the broker's process spent.
 */
import { type BrokerProcess, cpuSeconds, residentMegabytes } from './brokers.ts'
import {
  type BatchShape,
  benchBatch,
  createTopicFrame,
  deleteTopicsFrame,
  fetchFrame,
  metadataFrame,
  patchFetchOffset,
  produceFrame,
} from './frames.ts'
import { ask, Wire } from './wire.ts'

export interface Outcome {
  /** Requests answered per second. */
  readonly requestsPerSecond: number
  readonly recordsPerSecond: number
  /** Batch bytes per second, in MB (10^6). */
  readonly megabytesPerSecond: number
  /** Broker CPU seconds (all its threads) per GB (10^9) of batch bytes. */
  readonly cpuSecondsPerGigabyte: number
  readonly residentMegabytes: number
}

export interface ProduceWork extends BatchShape {
  readonly connections: number
  readonly inFlight: number
  readonly acks: number
  readonly seconds: number
  readonly warmupSeconds: number
}

/** Keeps `connections x inFlight` Produce requests under way, each connection on a topic with one partition of its own. */
export async function runProduce(broker: BrokerProcess, work: ProduceWork, topicPrefix: string): Promise<Outcome> {
  const batch = benchBatch(work)
  let answered = 0
  let failed: string | null = null
  const wires: Wire[] = []
  for (let index = 0; index < work.connections; index++) {
    const topic = `${topicPrefix}-${index}`
    await createTopic(broker, topic)
    const frame = produceFrame({ topic, partition: 0, acks: work.acks, batch })
    const wire = await Wire.connect(broker.host, broker.port, {
      onAnswer: (payloadBytes, head) => {
        const errorCode = produceError(head, topic, payloadBytes)
        if (errorCode === 0) answered++
        else if (!NOT_READY_YET.has(errorCode)) failed ??= `Produce to ${topic} answered error ${errorCode}`
        if (failed === null) wire.send(frame)
      },
    })
    wires.push(wire)
    for (let started = 0; started < work.inFlight; started++) wire.send(frame)
  }
  const measured = await measure(broker, work, () => ({ answered, failure: failed ?? firstFailure(wires) }))
  for (const wire of wires) wire.close()
  return outcome(measured, work.recordsPerBatch, batch.length, broker)
}

export interface FetchWork {
  readonly connections: number
  /** Most bytes asked for in one Fetch. */
  readonly maxBytes: number
  readonly seconds: number
  readonly warmupSeconds: number
}

/**
 * Reads a topic from its start again and again, one partition per connection. The topic holds equal batches, so the next
 * offset follows from the size of the answer and nothing has to be parsed.
 */
export async function runFetch(
  broker: BrokerProcess,
  work: FetchWork,
  data: { topic: string; shape: BatchShape; endOffset: number },
): Promise<Outcome> {
  const batchBytes = benchBatch(data.shape).length
  let batches = 0
  let failed: string | null = null
  const wires: Wire[] = []
  for (let index = 0; index < work.connections; index++) {
    const fetch = fetchFrame({ topic: data.topic, partition: 0, maxBytes: work.maxBytes })
    let offset = 0
    const wire = await Wire.connect(broker.host, broker.port, {
      onAnswer: (payloadBytes, head) => {
        const whole = Math.floor((payloadBytes - fetchAnswerOverhead(data.topic)) / batchBytes)
        const errorCode = head.readInt16BE(fetchErrorPosition(data.topic))
        if (errorCode !== 0 || whole < 1) {
          failed ??= `Fetch of ${data.topic} at ${offset} answered error ${errorCode} with ${whole} batches`
          return
        }
        batches += whole
        offset += whole * data.shape.recordsPerBatch
        if (offset >= data.endOffset) offset = 0
        patchFetchOffset(fetch, offset)
        // The frame is patched in place, so what is queued must already have left: one Fetch is under way at a time.
        wire.send(fetch.frame)
      },
    })
    wires.push(wire)
    wire.send(fetch.frame)
  }
  const measured = await measure(broker, work, () => ({ answered: batches, failure: failed ?? firstFailure(wires) }))
  for (const wire of wires) wire.close()
  return outcome(measured, data.shape.recordsPerBatch, batchBytes, broker)
}

/** Fills a fresh topic with `totalBytes` of equal batches and returns its end offset. */
export async function fillTopic(
  broker: BrokerProcess,
  topic: string,
  shape: BatchShape,
  totalBytes: number,
): Promise<number> {
  await createTopic(broker, topic)
  const batch = benchBatch(shape)
  const frame = produceFrame({ topic, partition: 0, acks: 1, batch })
  const wanted = Math.ceil(totalBytes / batch.length)
  let sent = 0
  let answered = 0
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const wire = await Wire.connect(broker.host, broker.port, {
    onAnswer: (payloadBytes, head) => {
      const errorCode = produceError(head, topic, payloadBytes)
      if (NOT_READY_YET.has(errorCode)) {
        wire.send(frame)
        return
      }
      if (errorCode !== 0) reject(new Error(`Produce to ${topic} answered error ${errorCode}`))
      answered++
      if (answered === wanted) resolve()
      else if (sent < wanted) {
        sent++
        wire.send(frame)
      }
    },
  })
  while (sent < Math.min(4, wanted)) {
    sent++
    wire.send(frame)
  }
  await promise
  wire.close()
  return wanted * shape.recordsPerBatch
}

export async function deleteTopics(broker: BrokerProcess, topics: readonly string[]): Promise<void> {
  await ask(broker.host, broker.port, deleteTopicsFrame(topics))
}

export async function createTopic(broker: BrokerProcess, topic: string): Promise<void> {
  // Files go soon after the topic does: the rounds of a comparison write more than a disk may hold.
  await ask(broker.host, broker.port, createTopicFrame(topic, 1, { 'file.delete.delay.ms': '1000' }))
  // Kafka publishes a new topic to its own brokers a moment after it answered; Metadata v5 shows error 0 then.
  const deadline = performance.now() + 10_000
  while (performance.now() < deadline) {
    const answer = await ask(broker.host, broker.port, metadataFrame([topic]))
    const name = Buffer.from(topic)
    const nameAt = answer.indexOf(name)
    const errorCode = nameAt < 4 ? -1 : answer.readInt16BE(nameAt - 4)
    if (errorCode === 0) return
    await Bun.sleep(20)
  }
  throw new Error(`topic ${topic} did not appear within 10 s`)
}

/** Fetch v11 answer: correlation 4, throttle 4, error 2, session 4, topics 4, name 2 + n, partitions 4, index 4, error 2 ... */
const fetchErrorPosition = (topic: string) => 4 + 4 + 2 + 4 + 4 + 2 + Buffer.byteLength(topic) + 4 + 4
/** ... high watermark 8, last stable 8, log start 8, aborted 4, preferred replica 4, record set length 4. */
const fetchAnswerOverhead = (topic: string) => fetchErrorPosition(topic) + 2 + 8 + 8 + 8 + 4 + 4 + 4

/** UNKNOWN_TOPIC_OR_PARTITION and NOT_LEADER_OR_FOLLOWER: a topic that was just created may still be on its way. */
const NOT_READY_YET: ReadonlySet<number> = new Set([3, 6])
const UNREADABLE_ANSWER = -1

/** Produce v9 answer: correlation 4, tags 1, topics 1, name 1 + n, partitions 1, index 4, error 2 ... */
function produceError(head: Buffer, topic: string, payloadBytes: number): number {
  const errorAt = 4 + 1 + 1 + 1 + Buffer.byteLength(topic) + 1 + 4
  return payloadBytes < errorAt + 2 ? UNREADABLE_ANSWER : head.readInt16BE(errorAt)
}

function firstFailure(wires: readonly Wire[]): string | null {
  for (const wire of wires) if (wire.failure !== null) return wire.failure
  return null
}

interface Measured {
  readonly answered: number
  readonly seconds: number
  readonly cpuSeconds: number
}

async function measure(
  broker: BrokerProcess,
  work: { seconds: number; warmupSeconds: number },
  read: () => { answered: number; failure: string | null },
): Promise<Measured> {
  await Bun.sleep(work.warmupSeconds * 1000)
  const before = { answered: read().answered, cpu: cpuSeconds(broker.pid), at: performance.now() }
  await Bun.sleep(work.seconds * 1000)
  const after = read()
  const seconds = (performance.now() - before.at) / 1000
  if (after.failure !== null) throw new Error(`${broker.name}: ${after.failure}`)
  return { answered: after.answered - before.answered, seconds, cpuSeconds: cpuSeconds(broker.pid) - before.cpu }
}

function outcome(measured: Measured, recordsPerBatch: number, batchBytes: number, broker: BrokerProcess): Outcome {
  const bytes = measured.answered * batchBytes
  return {
    requestsPerSecond: measured.answered / measured.seconds,
    recordsPerSecond: (measured.answered * recordsPerBatch) / measured.seconds,
    megabytesPerSecond: bytes / measured.seconds / 1e6,
    cpuSecondsPerGigabyte: measured.cpuSeconds / (bytes / 1e9),
    residentMegabytes: residentMegabytes(broker.pid).now,
  }
}
