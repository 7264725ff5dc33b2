import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { Connection } from '../../src/client/connection.ts'
import { KafkaError } from '../../src/client/errors.ts'
import { encodeRequest } from '../../src/protocol/frame.ts'
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/00-produce.ts'
import { MetadataRequest, MetadataResponse } from '../../src/protocol/messages/03-metadata.ts'
import { HeartbeatRequest, HeartbeatResponse } from '../../src/protocol/messages/12-heartbeat.ts'
import { SaslHandshakeRequest, SaslHandshakeResponse } from '../../src/protocol/messages/17-sasl-handshake.ts'
import { ApiVersionsRequest } from '../../src/protocol/messages/18-api-versions.ts'
import { SaslAuthenticateRequest, SaslAuthenticateResponse } from '../../src/protocol/messages/36-sasl-authenticate.ts'
import { FakeBroker } from './fake-broker.ts'

// Nothing here waits for time; a busy machine does.
setDefaultTimeout(60_000)

let fake: FakeBroker
beforeEach(() => {
  fake = new FakeBroker()
})
afterEach(() => fake.stop())

function connect(options: { timeoutMs?: number; negotiate?: boolean } = {}): Promise<Connection> {
  return Connection.connect({ host: fake.host, port: fake.port, clientId: 'test', timeoutMs: 2_000, ...options })
}

const heartbeat = { groupId: 'g', generationId: 1, memberId: 'm' }

async function failureOf(promise: Promise<unknown>): Promise<KafkaError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof KafkaError) return error
    throw error
  }
  throw new Error('expected a KafkaError')
}

describe('version negotiation', () => {
  test('keeps what the broker advertises', async () => {
    fake.on(MetadataRequest, MetadataResponse, () => null, [1, 9])
    const connection = await connect()
    expect(connection.versions.get(MetadataRequest.key)).toEqual({ min: 1, max: 9 })
    await connection.close()
  })

  test('falls back to the version that a broker names when it does not know ours', async () => {
    fake.onRaw(ApiVersionsRequest.key, (_body, { version }) =>
      version > 2
        ? { errorCode: 35, apiKeys: [{ apiKey: ApiVersionsRequest.key, minVersion: 0, maxVersion: 2 }] }
        : { errorCode: 0, apiKeys: fake.advertised() },
    )
    const connection = await connect()
    expect(fake.seen.map(({ version }) => version)).toEqual([ApiVersionsRequest.versions.max, 2])
    await connection.close()
  })

  test('an error in the answer ends the connection attempt', async () => {
    fake.onRaw(ApiVersionsRequest.key, () => ({ errorCode: 42, apiKeys: [] }))
    const failure = await failureOf(connect())
    expect(failure.code).toBe('INVALID_REQUEST')
    expect(failure.message).toContain('INVALID_REQUEST')
  })

  test('send uses the highest version that both know', async () => {
    fake.on(HeartbeatRequest, HeartbeatResponse, () => ({ throttleTimeMs: 0, errorCode: 0 }), [0, 2])
    const connection = await connect()
    await connection.send(HeartbeatRequest, HeartbeatResponse, heartbeat)
    await connection.send(HeartbeatRequest, HeartbeatResponse, heartbeat, { maxVersion: 1 })
    await connection.send(HeartbeatRequest, HeartbeatResponse, heartbeat, { version: 0 })
    expect(fake.requests(HeartbeatRequest.key).map(({ version }) => version)).toEqual([2, 1, 0])
    await connection.close()
  })

  test('says which versions each side speaks when they have none in common', async () => {
    fake.on(ProduceRequest, ProduceResponse, () => null, [0, 2])
    const connection = await connect()
    const failure = await failureOf(
      connection.send(ProduceRequest, ProduceResponse, { acks: 1, timeoutMs: 1, topicData: [] }),
    )
    expect(failure.code).toBe('ERR_UNSUPPORTED_VERSION')
    expect(failure.message).toContain('serves Produce 0-2, this client speaks 3-13')
    await connection.close()
  })

  test('says so when the broker does not serve a request at all', async () => {
    const connection = await connect()
    const failure = await failureOf(connection.send(HeartbeatRequest, HeartbeatResponse, heartbeat))
    expect(failure.code).toBe('ERR_UNSUPPORTED_VERSION')
    expect(failure.message).toContain('does not serve Heartbeat')
    await connection.close()
  })
})

describe('pipelining', () => {
  test('requests sent together are answered in order, each with its own answer', async () => {
    let errorCode = 0
    fake.on(HeartbeatRequest, HeartbeatResponse, () => ({ throttleTimeMs: 0, errorCode: errorCode++ }))
    const connection = await connect()
    const sends = Array.from({ length: 200 }, () => connection.send(HeartbeatRequest, HeartbeatResponse, heartbeat))
    const answers = await Promise.all(sends)
    expect(answers.map((answer) => answer.errorCode)).toEqual(Array.from({ length: 200 }, (_, index) => index))
    await connection.close()
  })

  test('a request that is aborted keeps its place: its late answer is not taken for the next one', async () => {
    // Request A is aborted while the broker works on it. B is sent. A's answer arrives, then B's. B must get its own.
    const slow = Promise.withResolvers<void>()
    let count = 0
    fake.on(HeartbeatRequest, HeartbeatResponse, async () => {
      const errorCode = ++count
      if (errorCode === 1) await slow.promise
      return { throttleTimeMs: 0, errorCode }
    })
    const connection = await connect()
    const patience = new AbortController()
    const { signal } = patience
    const a = connection.send(HeartbeatRequest, HeartbeatResponse, heartbeat, { timeoutMs: 60_000, signal })
    patience.abort()
    expect((await failureOf(a)).code).toBe('ERR_ABORTED')
    const b = connection.send(HeartbeatRequest, HeartbeatResponse, heartbeat)
    slow.resolve()
    expect((await b).errorCode).toBe(2)
    await connection.close()
  })

  test('a request that times out ends the connection: the next one would wait behind it', async () => {
    fake.on(HeartbeatRequest, HeartbeatResponse, () => null)
    const connection = await connect({ timeoutMs: 60_000 })
    const a = connection.send(HeartbeatRequest, HeartbeatResponse, heartbeat, { timeoutMs: 20 })
    const behind = failureOf(connection.send(HeartbeatRequest, HeartbeatResponse, heartbeat))
    const failure = await failureOf(a)
    expect(failure.code).toBe('ERR_TIMEOUT')
    expect(failure.message).toContain('Heartbeat')
    expect((await behind).code).toBe('ERR_CONNECTION_CLOSED')
    expect(connection.closedBy?.cause).toBe(failure)
    await connection.whenClosed()
  })

  test('so does one that its caller gave up before', async () => {
    fake.on(HeartbeatRequest, HeartbeatResponse, () => null)
    const connection = await connect({ timeoutMs: 60_000 })
    const patience = new AbortController()
    const { signal } = patience
    const a = connection.send(HeartbeatRequest, HeartbeatResponse, heartbeat, { timeoutMs: 20, signal })
    patience.abort()
    expect((await failureOf(a)).code).toBe('ERR_ABORTED')
    await connection.whenClosed()
    expect(connection.closedBy?.message).toContain('Heartbeat')
  })

  test('what is sent without an answer while a session is renewed is not drained before it has left', async () => {
    const { promise: isHeld, resolve: held } = Promise.withResolvers<void>()
    const { promise: mayGoOn, resolve: goOn } = Promise.withResolvers<void>()
    let handshakes = 0
    fake.on(SaslHandshakeRequest, SaslHandshakeResponse, async () => {
      handshakes += 1
      if (handshakes === 2) {
        held()
        await mayGoOn
      }
      return { errorCode: 0, mechanisms: ['PLAIN'] }
    })
    fake.on(SaslAuthenticateRequest, SaslAuthenticateResponse, () => {
      const sessionLifetimeMs = handshakes === 1 ? 1 : 0
      return { errorCode: 0, errorMessage: null, authBytes: Buffer.alloc(0), sessionLifetimeMs }
    })
    fake.on(ProduceRequest, ProduceResponse, () => null)
    const sasl = { mechanism: 'PLAIN', username: 'u', password: 'p' } as const
    const connection = await Connection.connect({ host: fake.host, port: fake.port, timeoutMs: 60_000, sasl })
    await isHeld
    connection.sendNoReply(ProduceRequest, { acks: 0, timeoutMs: 1, topicData: [] })
    let isDrained = false
    const drained = connection.drained().then(() => {
      isDrained = true
    })
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(isDrained).toBe(false)
    goOn()
    await drained
    while (fake.requests(ProduceRequest.key).length === 0) await Bun.sleep(1)
    await connection.close()
  })

  test('a request without answer does not shift the answers of others', async () => {
    fake.on(ProduceRequest, ProduceResponse, () => null)
    fake.on(HeartbeatRequest, HeartbeatResponse, () => ({ throttleTimeMs: 0, errorCode: 0 }))
    const connection = await connect()
    connection.sendNoReply(ProduceRequest, { acks: 0, timeoutMs: 1, topicData: [] })
    const answer = await connection.send(HeartbeatRequest, HeartbeatResponse, heartbeat)
    expect(answer.errorCode).toBe(0)
    expect(fake.requests(ProduceRequest.key)).toHaveLength(1)
    await connection.close()
  })

  test('a large request arrives whole', async () => {
    let bytes = 0
    fake.on(ProduceRequest, ProduceResponse, (body) => {
      const records = body.topicData[0]?.partitionData[0]?.records ?? []
      bytes = records.reduce((sum, view) => sum + view.byteLength, 0)
      return { responses: [], throttleTimeMs: 0 }
    })
    const connection = await connect({ timeoutMs: 10_000 })
    const records = [Buffer.alloc(30 * 1024 * 1024, 7)]
    const topicData = [{ name: 't', partitionData: [{ index: 0, records }] }]
    await connection.send(ProduceRequest, ProduceResponse, { acks: 1, timeoutMs: 1, topicData }, { version: 9 })
    expect(bytes).toBe(30 * 1024 * 1024)
    await connection.close()
  })
})

describe('raw frames', () => {
  test('sendRaw sends the bytes as they are and answers without the size prefix', async () => {
    fake.on(HeartbeatRequest, HeartbeatResponse, () => ({ throttleTimeMs: 0, errorCode: 5 }))
    const connection = await connect({ negotiate: false })
    const frame = Buffer.concat(encodeRequest(HeartbeatRequest, 0, 4711, null, heartbeat))
    const answer = await connection.sendRaw(frame)
    expect(answer.toString('hex')).toBe('00001267' + '0005')
    await connection.close()
  })
})

describe('how connections end', () => {
  test('nobody listens', async () => {
    fake.stop()
    const failure = await failureOf(connect())
    expect(failure.code).toBe('ERR_CONNECT')
    expect(failure.message).toContain(`127.0.0.1:${fake.port}`)
  })

  test('the broker hangs up: every waiting request says on which broker it waited', async () => {
    fake.on(HeartbeatRequest, HeartbeatResponse, () => {
      fake.hangUp()
      return null
    })
    const connection = await connect()
    const failures = await Promise.all(
      [1, 2].map(() => failureOf(connection.send(HeartbeatRequest, HeartbeatResponse, heartbeat))),
    )
    for (const failure of failures) {
      expect(failure.code).toBe('ERR_CONNECTION_CLOSED')
      expect(failure.message).toContain(`127.0.0.1:${fake.port}`)
    }
    await connection.whenClosed()
    expect((await failureOf(connection.send(HeartbeatRequest, HeartbeatResponse, heartbeat))).code).toBe(
      'ERR_CONNECTION_CLOSED',
    )
  })

  test('an answer with the wrong correlation id ends the connection', async () => {
    fake.on(HeartbeatRequest, HeartbeatResponse, () => {
      fake.sendToAll(Buffer.from('00000006' + '7fffffff' + '0000', 'hex'))
      return null
    })
    const connection = await connect()
    const failure = await failureOf(connection.send(HeartbeatRequest, HeartbeatResponse, heartbeat))
    expect(failure.code).toBe('ERR_BAD_RESPONSE')
    expect(failure.message).toContain('correlation id 2147483647')
    expect(connection.closedBy).toBe(failure)
  })

  test('an answer that nobody asked for ends the connection', async () => {
    const connection = await connect()
    fake.sendToAll(Buffer.from('00000006' + '00000009' + '0000', 'hex'))
    await connection.whenClosed()
    expect(connection.closedBy?.code).toBe('ERR_BAD_RESPONSE')
  })

  test('bytes that are no frame end the connection', async () => {
    const connection = await connect()
    fake.sendToAll(Buffer.from('HTTP/1.1 400 Bad Request\r\n'))
    await connection.whenClosed()
    expect(connection.closedBy?.message).toContain("does not speak Kafka's protocol")
  })

  test('an answer cut short is an error of that request only', async () => {
    let count = 0
    fake.on(HeartbeatRequest, HeartbeatResponse, () => {
      count += 1
      if (count > 1) return { throttleTimeMs: 0, errorCode: 0 }
      fake.sendToAll(Buffer.from('00000005' + '00000001' + '00', 'hex'))
      return null
    })
    const connection = await connect()
    const failure = await failureOf(connection.send(HeartbeatRequest, HeartbeatResponse, heartbeat, { version: 0 }))
    expect(failure.code).toBe('ERR_BAD_RESPONSE')
    expect(failure.message).toContain('Heartbeat v0 answer')
    expect((await connection.send(HeartbeatRequest, HeartbeatResponse, heartbeat)).errorCode).toBe(0)
    await connection.close()
  })

  test('close hands over what was sent before it rejects what still waits', async () => {
    fake.on(ProduceRequest, ProduceResponse, () => null)
    const connection = await connect()
    const records = [Buffer.alloc(8 * 1024 * 1024)]
    const topicData = [{ name: 't', partitionData: [{ index: 0, records }] }]
    connection.sendNoReply(ProduceRequest, { acks: 0, timeoutMs: 1, topicData }, { version: 9 })
    const waiting = failureOf(
      connection.send(ProduceRequest, ProduceResponse, { acks: 1, timeoutMs: 1, topicData: [] }, { version: 9 }),
    )
    await connection.close()
    expect((await waiting).message).toContain('closed by its owner')
    for (let round = 0; round < 100 && fake.requests(ProduceRequest.key).length < 2; round++) await Bun.sleep(10)
    expect(fake.requests(ProduceRequest.key)).toHaveLength(2)
  })
})
