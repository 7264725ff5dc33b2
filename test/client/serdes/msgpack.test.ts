import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { Unpackr } from 'msgpackr'
import { msgpackSerde } from '../../../src/client/index.ts'
import { CONTEXT } from './support.ts'

interface Order {
  readonly item: string
  readonly counts: readonly number[]
  readonly places: readonly { readonly shelf: number; readonly row: string }[]
}

const ORDERS: readonly Order[] = [1, 2, 3].map((n) => ({
  item: `tea ${n}`,
  counts: [n, n + 1],
  places: [
    { shelf: n, row: 'a' },
    { shelf: n + 1, row: 'b' },
  ],
}))

function bytesOf(maps: boolean): Buffer[] {
  const serde = msgpackSerde<Order>({ maps })
  return ORDERS.map((order) => Buffer.from(serde.serialize(order, CONTEXT) as Uint8Array))
}

describe.each([
  ['records', false],
  ['maps', true],
])('%s', (_name, maps) => {
  test('stand alone: each is read without those before it, in any order', () => {
    const written = bytesOf(maps)
    for (const index of [2, 0, 1]) {
      expect(msgpackSerde<Order>().deserialize(written[index]!, CONTEXT)).toEqual(ORDERS[index]!)
      expect(new Unpackr({ useRecords: true, mapsAsObjects: true }).unpack(written[index]!)).toEqual(ORDERS[index])
    }
  })

  test('are read by another process, which saw none of the others', async () => {
    const last = bytesOf(maps)[2]!.toString('hex')
    const program = `
      import { msgpackSerde } from ${JSON.stringify(join(import.meta.dir, '../../../src/client/index.ts'))}
      const bytes = Buffer.from('${last}', 'hex')
      console.log(JSON.stringify(msgpackSerde().deserialize(bytes, { topic: 't', field: 'value' })))`
    const child = Bun.spawn([process.execPath, '-e', program], { stdout: 'pipe', stderr: 'pipe' })
    const [printed, complaints] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ])
    expect(complaints).toBe('')
    expect(JSON.parse(printed)).toEqual(ORDERS[2])
  }, 60_000)
})

test('records name a structure once in a message, maps name its fields every time', () => {
  const [records, maps] = [bytesOf(false)[0]!, bytesOf(true)[0]!].map(
    (bytes) => bytes.toString('latin1').split('shelf').length - 1,
  )
  expect([records, maps]).toEqual([1, 2])
})

test('integers of 64 bits, dates and bytes come back as what they were', () => {
  const serde = msgpackSerde<object>()
  const value = {
    big: 2n ** 63n - 1n,
    at: new Date(1_700_000_000_123),
    bytes: Buffer.from([1, 2]),
    not: undefined,
  }
  expect(serde.deserialize(serde.serialize(value, CONTEXT) as Buffer, CONTEXT)).toEqual(value)
})

test('bytes within a value keep no memory of the fetch', () => {
  const serde = msgpackSerde<{ readonly raw: Uint8Array }>()
  const bytes = Buffer.from(serde.serialize({ raw: Buffer.from([1, 2]) }, CONTEXT) as Uint8Array)
  const { raw } = serde.deserialize(bytes, CONTEXT) as { readonly raw: Uint8Array }
  bytes.fill(0xff)
  expect([...raw]).toEqual([1, 2])
})
