/** Spans as the SDK of OpenTelemetry sees them, on Bun and on Node. */
import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node'
import { EmbeddedBroker } from '../../../src/broker/embedded/broker.ts'
import { Consumer } from '../../../src/client/consumer/consumer.ts'
import { KafkaError } from '../../../src/client/errors.ts'
import { openTelemetry } from '../../../src/client/observe/opentelemetry.ts'
import { Producer } from '../../../src/client/producer/producer.ts'
import { Child } from '../../support/child-process.ts'
import { nodeProgram } from '../../support/node-program.ts'

// Nothing here waits for time; a busy machine does.
setDefaultTimeout(180_000)

const topic = 'orders'
const exporter = new InMemorySpanExporter()
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
let broker: EmbeddedBroker

beforeAll(async () => {
  broker = await EmbeddedBroker.start()
  provider.register()
})
afterAll(async () => {
  await provider.shutdown()
  trace.disable()
  context.disable()
  propagation.disable()
  await broker.stop()
})
afterEach(() => exporter.reset())

const telemetry = () => openTelemetry({ context, propagation, trace })

test('a record is followed from the span around its send to its handler', async () => {
  const { producer: hooks, process } = telemetry()
  await using producer = new Producer({ bootstrap: broker.bootstrap, clientId: 'shop', hooks: hooks() })
  const tracer = trace.getTracer('test')
  const around = tracer.startSpan('checkout')
  await context.with(trace.setSpan(context.active(), around), () =>
    producer.send({ topic, key: 'k', value: 'x', partition: 0 }),
  )
  around.end()
  await using consumer = new Consumer({ bootstrap: broker.bootstrap })
  await consumer.assign([{ topic, partition: 0, offset: 0, until: 1 }])
  const handler = process(
    async (message) => {
      // Active also after the handler has waited.
      await Bun.sleep(0)
      tracer.startSpan(`inside ${message.offset}`).end()
    },
    { groupId: 'readers', clientId: 'worker' },
  )
  await consumer.run({ eachMessage: handler })

  const spans = new Map(exporter.getFinishedSpans().map((span) => [span.name, span]))
  expect([...spans.keys()].sort()).toEqual(['checkout', 'inside 0', `process ${topic}`, `send ${topic}`])
  const parentOf = (name: string) => spans.get(name)?.parentSpanContext?.spanId
  expect(parentOf(`send ${topic}`)).toBe(spans.get('checkout')!.spanContext().spanId)
  expect(parentOf(`process ${topic}`)).toBe(spans.get(`send ${topic}`)!.spanContext().spanId)
  expect(parentOf('inside 0')).toBe(spans.get(`process ${topic}`)!.spanContext().spanId)
  const common = {
    'messaging.system': 'kafka',
    'messaging.destination.name': topic,
    'messaging.kafka.message.key': 'k',
  }
  expect(spans.get(`send ${topic}`)).toMatchObject({
    kind: SpanKind.PRODUCER,
    attributes: {
      ...common,
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'messaging.client.id': 'shop',
      'messaging.destination.partition.id': '0',
      'messaging.kafka.offset': 0,
    },
  })
  expect(spans.get(`process ${topic}`)).toMatchObject({
    kind: SpanKind.CONSUMER,
    attributes: {
      ...common,
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.client.id': 'worker',
      'messaging.consumer.group.name': 'readers',
      'messaging.destination.partition.id': '0',
      'messaging.kafka.offset': 0,
    },
  })
})

test('what fails says so: a send, a handler that throws, one that rejects', async () => {
  const { producer: hooks, process } = telemetry()
  await using producer = new Producer({ bootstrap: broker.bootstrap, createTopics: false, hooks: hooks() })
  await producer.send({ topic: 'nowhere', value: null }).catch(() => undefined)
  const [sent] = exporter.getFinishedSpans()
  expect(sent?.attributes).toMatchObject({
    'error.type': 'UNKNOWN_TOPIC_OR_PARTITION',
    'messaging.kafka.message.tombstone': true,
  })
  expect(sent?.status.code).toBe(SpanStatusCode.ERROR)
  exporter.reset()

  const message = { topic, partition: 0, offset: 7, key: null, value: 'x', headers: [] }
  const failing = process((): void => {
    throw new TypeError('no')
  })
  expect(() => failing(message)).toThrow('no')
  await expect(process(() => Promise.reject(new TypeError('later')))(message)).rejects.toThrow('later')
  const spans = exporter.getFinishedSpans()
  expect(spans.map(({ attributes }) => attributes['error.type'])).toEqual(['TypeError', 'TypeError'])
  expect(spans.map(({ events }) => events.length)).toEqual([1, 1])
})

describe('hooks around it', () => {
  test('a record that nobody waits for is followed all the same, and flush still tells of its failure', async () => {
    const settled: unknown[] = []
    const own = { onSend: () => (error: KafkaError | null) => void settled.push(error?.code ?? 'stored') }
    const hooks = telemetry().producer(own)
    await using producer = new Producer({ bootstrap: broker.bootstrap, hooks })
    expect(producer.trySend({ topic, value: 'x', partition: 0 })).toBe(true)
    await producer.flush()
    expect(producer.trySend({ topic, value: 'x', partition: 99 })).toBe(true)
    await expect(producer.flush()).rejects.toBeInstanceOf(KafkaError)
    expect(settled).toEqual(['stored', 'ERR_INVALID_RECORD'])
    expect(exporter.getFinishedSpans()).toHaveLength(2)
  })

  test('a header of the same name is replaced, and an own one kept', async () => {
    await using producer = new Producer({ bootstrap: broker.bootstrap, hooks: telemetry().producer() })
    const headers = { traceparent: 'old', tenant: 'one' }
    const { offset } = await producer.send({ topic, value: 'x', partition: 0, headers })
    const record = (await broker.topic(topic).records()).find((each) => each.offset === offset)!
    expect(record.headers.map(({ key }) => key).sort()).toEqual(['tenant', 'traceparent'])
    expect(String(record.headers.find(({ key }) => key === 'traceparent')?.value)).toMatch(
      /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/,
    )
  })
})

describe.if(nodeProgram() !== null)('on Node', () => {
  test('a record is followed to its handler', async () => {
    const client = JSON.stringify(join(import.meta.dirname, '../../../src/client/index.ts'))
    const script = `
      import { context, propagation, trace } from '@opentelemetry/api'
      import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node'
      import { Consumer, openTelemetry, Producer } from ${client}
      const exporter = new InMemorySpanExporter()
      new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register()
      const telemetry = openTelemetry({ context, propagation, trace })
      const bootstrap = '${broker.bootstrap}'
      const producer = new Producer({ bootstrap, hooks: telemetry.producer() })
      await producer.send({ topic: 'node', value: 'x', partition: 0 })
      await producer.close()
      const consumer = new Consumer({ bootstrap })
      await consumer.assign([{ topic: 'node', partition: 0, offset: 0, until: 1 }])
      await consumer.run({ eachMessage: telemetry.process(() => undefined) })
      await consumer.close()
      const [sent, processed] = exporter.getFinishedSpans()
      console.log(sent.name, processed.name, processed.parentSpanContext.spanId === sent.spanContext().spanId)`
    const child = new Child({ command: [nodeProgram()!, '--input-type=module', '-e', script] })
    expect(await child.exited, child.stderr).toBe(0)
    expect(child.lines).toEqual(['send node process node true'])
  })
})
