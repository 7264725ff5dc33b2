/** Kafka's own reader judges batches that are built and rebuilt here. It needs a JRE and Kafka's jars. */
import { beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  buildBatch,
  type CodecId,
  patchBaseOffset,
  patchLeaderEpoch,
  type RecordInput,
} from '../../src/records/batch.ts'
import { CODEC_NAMES, codecId } from '../../src/records/codecs/index.ts'
import { buildEndTransactionBatch } from '../../src/records/control.ts'
import { validateProduced } from '../../src/records/validate.ts'
import { javaTemporaryOption, kafkaJars } from '../support/kafka-jars.ts'
import { Random } from '../support/random.ts'
import { interopDescribe } from '../support/tools.ts'
import { NOW_MS, ORDINARY_TOPIC, record } from './support.ts'

const DUMP_TIMEOUT_MS = 180_000

/** The dump tool's text; its exit status says nothing. */
function dump(file: string): string {
  const tool = Bun.spawnSync(
    [
      'java',
      javaTemporaryOption(),
      '-cp',
      join(kafkaJars()!, '*'),
      'org.apache.kafka.tools.DumpLogSegments',
      '--deep-iteration',
      '--print-data-log',
      '--files',
      file,
    ],
    { stdout: 'pipe', stderr: 'pipe' },
  )
  return tool.stdout.toString() + tool.stderr.toString().replace(/^SLF4J.*\n/gm, '')
}

interface Written {
  name: string
  batch: Buffer
  records: readonly RecordInput[]
  compressCodec: string
}

const SMALL: RecordInput[] = [
  record(0, { headers: [{ key: 'trace', value: Buffer.from('abc') }] }),
  record(1, { key: null }),
  record(2, { value: null }),
  record(3, { timestamp: NOW_MS - 5000 }),
]
/** Several blocks in every codec; half of it does not compress. */
const LARGE: RecordInput[] = [
  record(0, { value: Buffer.from(`large-${new Random(2).bytes(60_000).toString('hex')}`) }),
  record(1, { value: Buffer.from('large-'.repeat(20_000)) }),
]

function written(): Written[] {
  const all: Written[] = []
  for (const [codec, name] of CODEC_NAMES.entries()) {
    const compressCodec = codec === 0 ? 'none' : name
    for (const [size, records] of [['small', SMALL] as const, ['large', LARGE] as const]) {
      const batch = buildBatch({ codec: codec as CodecId, records })
      all.push({ name: `built ${name}, ${size}`, batch, records, compressCodec })
      const other = buildBatch({ codec: codecId(name === 'lz4' ? 'zstd' : 'lz4'), records })
      const rebuilt = validateProduced([other], { ...ORDINARY_TOPIC, compressionType: name })
      if (!rebuilt.ok) throw new Error(rebuilt.reason)
      all.push({ name: `rebuilt ${name}, ${size}`, batch: Buffer.concat(rebuilt.chunks), records, compressCodec })
    }
  }
  const lying = buildBatch({ records: SMALL, timestampType: 'LogAppendTime', logAppendTimeMs: NOW_MS + 1 })
  const corrected = validateProduced([lying], ORDINARY_TOPIC)
  if (!corrected.ok) throw new Error(corrected.reason)
  all.push({ name: 'corrected', batch: Buffer.concat(corrected.chunks), records: SMALL, compressCodec: 'none' })
  return all
}

interopDescribe('the dump tool', ['java'], () => {
  const batches = written()
  let lines: string[] = []
  let text = ''

  beforeAll(() => {
    let offset = 0
    for (const { batch, records } of batches) {
      patchBaseOffset(batch, 0, offset)
      patchLeaderEpoch(batch, 0, 5)
      offset += records.length
    }
    const marker = buildEndTransactionBatch({
      type: 'abort',
      coordinatorEpoch: 3,
      producerId: 7,
      producerEpoch: 1,
      timestamp: NOW_MS,
      baseOffset: offset,
    })
    const folder = mkdtempSync(join(tmpdir(), 'samsa-dump-'))
    try {
      const file = join(folder, '00000000000000000000.log')
      writeFileSync(file, Buffer.concat([...batches.map(({ batch }) => batch), marker]))
      text = dump(file)
    } finally {
      rmSync(folder, { recursive: true })
    }
    lines = text.split('\n')
  }, DUMP_TIMEOUT_MS)

  test('finds every batch valid', () => {
    const valid = lines.filter((line) => line.startsWith('baseOffset:'))
    expect(valid).toHaveLength(batches.length + 1)
    expect(valid.filter((line) => !line.includes('isvalid: true'))).toEqual([])
    expect(text).not.toMatch(/exception|mismatch|trailing|invalid bytes/i)
  })

  test('reads every record of every codec', () => {
    let offset = 0
    for (const { name, records, compressCodec } of batches) {
      const header = lines.find((line) => line.startsWith(`baseOffset: ${offset} `))
      expect(header, name).toContain(`compresscodec: ${compressCodec}`)
      for (const { timestamp, key, value } of records) {
        const line = lines.find((each) => each.startsWith(`| offset: ${offset} `)) ?? ''
        expect(line, name).toContain(`CreateTime: ${timestamp} `)
        if (key !== null) expect(line, name).toContain(`key: ${Buffer.from(key)}`)
        if (value !== null) expect(line.endsWith(`payload: ${Buffer.from(value)}`), name).toBe(true)
        offset++
      }
    }
  })

  test('reads the end-transaction marker', () => {
    expect(text).toContain('endTxnMarker: ABORT coordinatorEpoch: 3')
  })
})
