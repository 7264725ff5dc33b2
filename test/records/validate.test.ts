/** Which produced batches are refused, with which code, and what is changed in the others: one row per rule. */
import { describe, expect, test } from 'bun:test'
import { compressSync as rawSnappy } from 'snappy'
import { ErrorCode } from '../../src/protocol/errors.ts'
import {
  type BatchHeader,
  buildBatch,
  checkCrc,
  codecOf,
  iterateRecords,
  patchBaseOffset,
  patchLeaderEpoch,
  readBatchHeader,
  timestampType,
} from '../../src/records/batch.ts'
import { CODEC_NAMES, type CodecName, codecId, compress } from '../../src/records/codecs/index.ts'
import { MAX_RECORD_ERRORS } from '../../src/records/limits.ts'
import { type ProduceSuccess, type ProduceValidation, validateProduced } from '../../src/records/validate.ts'
import { HOUR_MS, NOW_MS, ORDINARY_TOPIC, record, sectionOf, threeRecords, withHeader, withSection } from './support.ts'

const THREE = threeRecords()
const SECTION = sectionOf(THREE)
const COMPRESSED: CodecName[] = ['gzip', 'snappy', 'lz4', 'zstd']

function accepted(chunks: readonly Uint8Array[], over: Partial<ProduceValidation> = {}): ProduceSuccess {
  const result = validateProduced(chunks, { ...ORDINARY_TOPIC, ...over })
  if (!result.ok) throw new Error(`refused with ${result.errorCode}: ${result.reason}`)
  return result
}

/** The three records with a section compressed by hand. */
function compressed(codec: CodecName, section: Buffer, over: Partial<BatchHeader> = {}): Buffer {
  return withSection(THREE, section, { attributes: codecId(codec), ...over })
}

/** The section of the three records with another byte at `position` of record `index`. */
function patched(index: number, position: number, value: number): Buffer {
  const section = Buffer.from(SECTION)
  let start = 0
  for (let skipped = 0; skipped < index; skipped++) start += 1 + section[start]! / 2
  section[start + position] = value
  return section
}

function headerlessMagic(magic: number): Buffer {
  return withHeader(THREE, { magic })
}

/** name, produced bytes, code, whether the answer carries the real log start offset, options that differ */
type Row = [string, Buffer, ErrorCode, boolean, Partial<ProduceValidation>?]

const SHAPE: Row[] = [
  ['no bytes', Buffer.alloc(0), ErrorCode.INVALID_RECORD, false],
  ['less than a preamble', THREE.subarray(0, 16), ErrorCode.INVALID_RECORD, false],
  ['a truncated only batch', THREE.subarray(0, -1), ErrorCode.INVALID_RECORD, false],
  ['two batches', Buffer.concat([THREE, THREE]), ErrorCode.INVALID_RECORD, false],
  ['magic 0', headerlessMagic(0), ErrorCode.INVALID_RECORD, false],
  ['magic 1', headerlessMagic(1), ErrorCode.INVALID_RECORD, false],
  ['magic 3', headerlessMagic(3), ErrorCode.CORRUPT_MESSAGE, false],
  ['magic -1', headerlessMagic(-1), ErrorCode.CORRUPT_MESSAGE, false],
  ['a length field of 13', withHeader(THREE, { sizeBytes: 25 }, { seal: false }), ErrorCode.CORRUPT_MESSAGE, false],
  ['a negative length field', withHeader(THREE, { sizeBytes: 11 }, { seal: false }), ErrorCode.CORRUPT_MESSAGE, false],
  ['a bad length after the batch', Buffer.concat([THREE, Buffer.alloc(12)]), ErrorCode.CORRUPT_MESSAGE, false],
  ['an unknown magic after the batch', Buffer.concat([THREE, headerlessMagic(9)]), ErrorCode.CORRUPT_MESSAGE, false],
  [
    'zstd before version 7',
    buildBatch({ codec: codecId('zstd'), records: [record(0)] }),
    ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
    false,
    { produceVersion: 6 },
  ],
]

const wrongChecksum = Buffer.from(THREE)
wrongChecksum[80]! ^= 1

const RAW_BATCH: Row[] = [
  ['base offset 5', withHeader(THREE, { baseOffset: 5 }), ErrorCode.INVALID_RECORD, true],
  ['larger than max.message.bytes', THREE, ErrorCode.MESSAGE_TOO_LARGE, false, { maxMessageBytes: THREE.length - 1 }],
  [
    'too large and a wrong checksum: the size is checked first',
    wrongChecksum,
    ErrorCode.MESSAGE_TOO_LARGE,
    false,
    { maxMessageBytes: 100 },
  ],
  [
    'no room for a header',
    withHeader(THREE, { sizeBytes: 40 }, { seal: false }).subarray(0, 40),
    ErrorCode.CORRUPT_MESSAGE,
    false,
  ],
  ['a wrong checksum', wrongChecksum, ErrorCode.CORRUPT_MESSAGE, false],
  ['codec 5', withHeader(THREE, { attributes: 5 }), ErrorCode.UNKNOWN_SERVER_ERROR, true],
  ['codec 7', withHeader(THREE, { attributes: 7 }), ErrorCode.UNKNOWN_SERVER_ERROR, true],
]

const BATCH_FIELDS: Row[] = [
  ['a negative last offset delta', withHeader(THREE, { lastOffsetDelta: -1 }), ErrorCode.INVALID_RECORD, true],
  ['record count 0', withHeader(THREE, { recordCount: 0 }), ErrorCode.INVALID_RECORD, true],
  ['record count -1', withHeader(THREE, { recordCount: -1 }), ErrorCode.INVALID_RECORD, true],
  ['a count that does not fit the delta', withHeader(THREE, { recordCount: 2 }), ErrorCode.INVALID_RECORD, true],
  ['a control batch', withHeader(THREE, { attributes: 0x20 }), ErrorCode.INVALID_RECORD, true],
  [
    'a producer id without sequence',
    withHeader(THREE, { producerId: 5, producerEpoch: 0 }),
    ErrorCode.INVALID_RECORD,
    true,
  ],
]

const RECORDS: Row[] = [
  [
    'more records than the count',
    withHeader(THREE, { recordCount: 2, lastOffsetDelta: 1 }),
    ErrorCode.INVALID_RECORD,
    true,
  ],
  [
    'fewer records than the count',
    withHeader(THREE, { recordCount: 4, lastOffsetDelta: 3 }),
    ErrorCode.INVALID_RECORD,
    true,
  ],
  ['an offset delta left out', withSection(THREE, patched(1, 3, 5 << 1)), ErrorCode.INVALID_RECORD, true],
  ['an offset delta twice', withSection(THREE, patched(2, 3, 1 << 1)), ErrorCode.INVALID_RECORD, true],
  ['a record longer than it says', withSection(THREE, patched(0, 0, SECTION[0]! - 2)), ErrorCode.INVALID_RECORD, true],
  ['a record shorter than it says', withSection(THREE, patched(0, 0, SECTION[0]! + 2)), ErrorCode.INVALID_RECORD, true],
  ['a negative record length', withSection(THREE, patched(0, 0, 1)), ErrorCode.INVALID_RECORD, true],
  ['a record beyond the batch', withSection(THREE, patched(2, 0, 0x7e)), ErrorCode.INVALID_RECORD, true],
  ['a key beyond the record', withSection(THREE, patched(0, 4, 0x7e)), ErrorCode.INVALID_RECORD, true],
  ['a negative header count', withSection(THREE, patched(2, SECTION[0]! / 2, 1)), ErrorCode.INVALID_RECORD, true],
  ['more headers than bytes', withSection(THREE, patched(2, SECTION[0]! / 2, 0x7e)), ErrorCode.INVALID_RECORD, true],
  [
    'a byte after the last record',
    withSection(THREE, Buffer.concat([SECTION, Buffer.alloc(1)])),
    ErrorCode.INVALID_RECORD,
    true,
  ],
  [
    'a header without a key',
    withSection(THREE, Buffer.from('100000000101020101', 'hex'), {
      recordCount: 1,
      lastOffsetDelta: 0,
    }),
    ErrorCode.INVALID_RECORD,
    true,
  ],
]

const CODECS: Row[] = COMPRESSED.flatMap((codec): Row[] => {
  const good = compress(codecId(codec), SECTION)
  return [
    [
      `${codec}: garbage`,
      compressed(codec, Buffer.from('neither this nor that')),
      ErrorCode.UNKNOWN_SERVER_ERROR,
      true,
    ],
    [`${codec}: nothing at all`, compressed(codec, Buffer.alloc(0)), ErrorCode.UNKNOWN_SERVER_ERROR, true],
    [`${codec}: cut short`, compressed(codec, good.subarray(0, -5)), ErrorCode.UNKNOWN_SERVER_ERROR, true],
    [
      `${codec}: bytes after the data`,
      compressed(codec, Buffer.concat([good, Buffer.from('??')])),
      ErrorCode.UNKNOWN_SERVER_ERROR,
      true,
    ],
    [
      `${codec}: an offset delta left out`,
      compressed(codec, compress(codecId(codec), patched(1, 3, 10))),
      ErrorCode.INVALID_RECORD,
      true,
    ],
    [
      `${codec}: more records than the count`,
      compressed(codec, good, { recordCount: 2, lastOffsetDelta: 1 }),
      ErrorCode.INVALID_RECORD,
      true,
    ],
    [
      `${codec}: more than the memory allowed`,
      compressed(codec, good),
      ErrorCode.MESSAGE_TOO_LARGE,
      false,
      { maxDecompressedBytes: SECTION.length - 1 },
    ],
    [
      `${codec}: too large once rebuilt`,
      compressed(
        codec,
        compress(codecId(codec), sectionOf(buildBatch({ records: [record(0, { value: Buffer.alloc(900) })] }))),
        {
          recordCount: 1,
          lastOffsetDelta: 0,
        },
      ),
      ErrorCode.MESSAGE_TOO_LARGE,
      false,
      { compressionType: 'uncompressed', maxMessageBytes: 500 },
    ],
  ]
})

describe.each([
  ['the shape', SHAPE],
  ['the raw batch', RAW_BATCH],
  ['the batch fields', BATCH_FIELDS],
  ['the records', RECORDS],
  ['compressed records', CODECS],
])('%s: refused', (_name, rows) => {
  const named = rows.map((row): [string, Row] => [row[0], row])

  test.each(named)('%s', (_rule, [, bytes, errorCode, insideLog, over]) => {
    const result = validateProduced([Buffer.from(bytes)], { ...ORDINARY_TOPIC, ...over })
    expect(result).toMatchObject({ ok: false, errorCode, insideLog, recordErrors: [] })
    if (!result.ok) expect(result.reason).not.toBe('')
  })

  test.each(named)('%s, byte by byte', (_rule, [, bytes, errorCode, insideLog, over]) => {
    const chunks = Array.from(bytes, (byte) => Buffer.from([byte]))
    expect(validateProduced(chunks, { ...ORDINARY_TOPIC, ...over })).toMatchObject({ ok: false, errorCode, insideLog })
  })
})

describe('what the answer says', () => {
  test('a bad length or magic of the only batch is named', () => {
    const [length, magic] = [Buffer.alloc(20), headerlessMagic(3)].map((bytes) =>
      validateProduced([bytes], ORDINARY_TOPIC),
    )
    expect(length).toMatchObject({ ok: false, errorMessage: expect.stringContaining('length 0') })
    expect(magic).toMatchObject({ ok: false, errorMessage: expect.stringContaining('magic 3') })
  })

  test('other refusals of a whole batch say nothing', () => {
    for (const [, bytes, , , over] of [...RAW_BATCH, ...BATCH_FIELDS, ...RECORDS]) {
      expect(validateProduced([Buffer.from(bytes)], { ...ORDINARY_TOPIC, ...over })).toMatchObject({
        ok: false,
        errorMessage: null,
      })
    }
  })
})

describe('record errors', () => {
  const late = { timestamp: NOW_MS + HOUR_MS + 1 }

  function errorsOf(records: Parameters<typeof buildBatch>[0]['records'], over: Partial<ProduceValidation>, codec = 0) {
    const batch = buildBatch({ codec: codec as 0 | 1, records })
    const result = validateProduced([batch], { ...ORDINARY_TOPIC, ...over })
    if (result.ok) throw new Error('accepted')
    expect(result.insideLog).toBe(true)
    expect(result.errorMessage).not.toBeNull()
    expect(result.recordErrors.every(({ message }) => message !== null && message !== '')).toBe(true)
    return { code: result.errorCode, rows: result.recordErrors.map(({ batchIndex }) => batchIndex) }
  }

  test.each([0, 1])('every record without a key is named on a compacted topic (codec %d)', (codec) => {
    const records = [record(0, { key: null }), record(1), record(2, { key: null })]
    expect(errorsOf(records, { compacted: true }, codec)).toEqual({ code: ErrorCode.INVALID_RECORD, rows: [0, 2] })
  })

  test('an empty key is a key', () => {
    accepted([buildBatch({ records: [record(0, { key: Buffer.alloc(0) })] })], { compacted: true })
  })

  test('a timestamp too far ahead', () => {
    expect(errorsOf([record(0), record(1, late)], {})).toEqual({ code: ErrorCode.INVALID_TIMESTAMP, rows: [1] })
    accepted([buildBatch({ records: [record(0, { timestamp: NOW_MS + HOUR_MS })] })])
  })

  test('a timestamp too far back', () => {
    const old = [record(0, { timestamp: NOW_MS - 1001 })]
    expect(errorsOf(old, { timestampBeforeMaxMs: 1000 })).toEqual({ code: ErrorCode.INVALID_TIMESTAMP, rows: [0] })
    accepted([buildBatch({ records: old })], { timestampBeforeMaxMs: 1001 })
  })

  test('one timestamp error makes the code of the batch, and all errors are listed', () => {
    const records = [record(0, { key: null }), record(1, late)]
    expect(errorsOf(records, { compacted: true })).toEqual({ code: ErrorCode.INVALID_TIMESTAMP, rows: [0, 1] })
  })

  test('no timestamp is fine on any topic', () => {
    const batch = buildBatch({ records: [record(0, { timestamp: -1 })] })
    expect(accepted([batch], { timestampBeforeMaxMs: 1000 }).header.maxTimestamp).toBe(-1)
    accepted([batch], { timestampType: 'LogAppendTime' })
  })

  test('timestamps do not matter on a LogAppendTime topic', () => {
    accepted([buildBatch({ records: [record(0, late)] })], { timestampType: 'LogAppendTime' })
  })

  test('a producer that claims LogAppendTime is refused on a LogAppendTime topic', () => {
    const result = validateProduced([withHeader(THREE, { attributes: 8 })], {
      ...ORDINARY_TOPIC,
      timestampType: 'LogAppendTime',
    })
    expect(result).toMatchObject({ ok: false, errorCode: ErrorCode.INVALID_TIMESTAMP })
    if (!result.ok) expect(result.recordErrors).toHaveLength(3)
  })

  test('and on a CreateTime topic if it has no timestamp', () => {
    const claimed = withHeader(THREE, { attributes: 8, maxTimestamp: -1 })
    expect(validateProduced([claimed], ORDINARY_TOPIC)).toMatchObject({ errorCode: ErrorCode.INVALID_TIMESTAMP })
  })

  test('the list is bounded', () => {
    const records = Array.from({ length: MAX_RECORD_ERRORS + 5 }, () => record(0, { key: null, value: null }))
    const { rows } = errorsOf(records, { compacted: true })
    expect(rows).toHaveLength(MAX_RECORD_ERRORS)
  })
})

describe('accepted as it came', () => {
  test('one chunk is passed on without a copy', () => {
    const result = accepted([THREE])
    expect(result.rewritten).toBe(false)
    expect(result.chunks).toHaveLength(1)
    expect(result.chunks[0]!.buffer).toBe(THREE.buffer)
    expect(result.header).toEqual(readBatchHeader(THREE, 0))
  })

  test('a plain Uint8Array is taken, too', () => {
    expect(Buffer.concat(accepted([new Uint8Array(THREE)]).chunks).equals(THREE)).toBe(true)
  })

  test('bytes that form no batch are dropped behind it', () => {
    for (const extra of [5, 20, THREE.length - 1]) {
      const whole = Buffer.concat([THREE, THREE.subarray(0, extra)])
      expect(Buffer.concat(accepted([whole]).chunks).equals(THREE)).toBe(true)
      const chunks = [whole.subarray(0, 90), whole.subarray(90, THREE.length + 2), whole.subarray(THREE.length + 2)]
      expect(Buffer.concat(accepted(chunks).chunks).equals(THREE)).toBe(true)
    }
  })

  test.each(COMPRESSED)('a %s batch', (codec) => {
    const batch = buildBatch({ codec: codecId(codec), records: [record(0), record(1)] })
    expect(Buffer.concat(accepted([batch]).chunks).equals(batch)).toBe(true)
  })

  test('snappy without framing', () => {
    accepted([compressed('snappy', rawSnappy(SECTION))])
  })

  test('record attributes and negative lengths other than -1', () => {
    accepted([withSection(THREE, patched(0, 1, 0x7f))])
    const nullKey = Buffer.from('0c000000030100', 'hex')
    accepted([withSection(THREE, nullKey, { recordCount: 1, lastOffsetDelta: 0 })])
  })

  test('zstd from version 7 on, other codecs before', () => {
    accepted([buildBatch({ codec: codecId('zstd'), records: [record(0)] })], { produceVersion: 7 })
    accepted([buildBatch({ codec: codecId('lz4'), records: [record(0)] })], { produceVersion: 3 })
  })

  test('a header that straddles chunks is joined; the rest stays where it is', () => {
    const chunks = [THREE.subarray(0, 10), THREE.subarray(10, 10), THREE.subarray(10, 65), THREE.subarray(65)]
    const result = accepted(chunks)
    expect(result.chunks[0]!.length).toBe(61)
    expect(result.chunks.at(-1)!.byteOffset).toBe(THREE.byteOffset + 65)
    patchBaseOffset(result.chunks[0]!, 0, 42)
    patchLeaderEpoch(result.chunks[0]!, 0, 3)
    expect(checkCrc(result.chunks)).toBe(true)
    expect(THREE.readBigInt64BE(0)).toBe(0n)
  })
})

describe('corrected in place', () => {
  function corrected(batch: Buffer, over: Partial<ProduceValidation> = {}) {
    const result = accepted([batch], over)
    expect(result.rewritten).toBe(true)
    expect(checkCrc(result.chunks)).toBe(true)
    expect(readBatchHeader(Buffer.concat(result.chunks), 0)).toEqual(result.header)
    return result
  }

  test('a lying maxTimestamp', () => {
    const { header } = corrected(withHeader(THREE, { maxTimestamp: NOW_MS + 99 }))
    expect(header.maxTimestamp).toBe(NOW_MS + 2)
  })

  test('the LogAppendTime bit on a CreateTime topic', () => {
    const { header } = corrected(withHeader(THREE, { attributes: 8 }))
    expect(timestampType(header)).toBe('CreateTime')
    expect(header.maxTimestamp).toBe(NOW_MS + 2)
  })

  test.each(['uncompressed', ...COMPRESSED] as const)('append time, %s', (codec) => {
    const batch = buildBatch({ codec: codecId(codec), records: [record(0), record(1)] })
    const result = corrected(Buffer.from(batch), { timestampType: 'LogAppendTime', nowMs: NOW_MS + 777 })
    expect(timestampType(result.header)).toBe('LogAppendTime')
    expect(result.header.baseTimestamp).toBe(NOW_MS)
    const stored = Buffer.concat(result.chunks)
    expect([...iterateRecords(stored)].map(({ timestamp }) => timestamp)).toEqual([NOW_MS + 777, NOW_MS + 777])
    expect(sectionOf(stored).equals(sectionOf(batch))).toBe(true)
  })

  test('unknown attribute bits and a delete horizon are cleared', () => {
    const { header } = corrected(withHeader(THREE, { attributes: 0x7fc0 }))
    expect(header.attributes).toBe(0)
  })
})

describe('rebuilt', () => {
  const names = CODEC_NAMES
  const pairs = names.flatMap((from) =>
    names.filter((to) => to !== from).map((to): [CodecName, CodecName] => [from, to]),
  )

  test.each(pairs)('%s to %s', (from, to) => {
    const batch = buildBatch({
      codec: codecId(from),
      producerId: 9,
      producerEpoch: 2,
      baseSequence: 17,
      isTransactional: true,
      records: Array.from({ length: 20 }, (_, index) => record(index, { headers: [{ key: 'h', value: null }] })),
    })
    const middle = batch.length >> 1
    const result = accepted([batch.subarray(0, 5), batch.subarray(5, middle), batch.subarray(middle)], {
      compressionType: to,
    })
    const stored = Buffer.concat(result.chunks)
    expect(result.rewritten).toBe(true)
    expect(checkCrc([stored])).toBe(true)
    expect(result.chunks[0]!.length).toBeGreaterThanOrEqual(61)
    expect(readBatchHeader(stored, 0)).toEqual(result.header)
    expect(result.header).toMatchObject({ producerId: 9, producerEpoch: 2, baseSequence: 17, recordCount: 20 })
    expect(result.header.attributes).toBe(codecId(to) | 0x10)
    expect([...iterateRecords(stored)]).toEqual([...iterateRecords(batch)])
  })

  test('the codec that the batch has already is left alone', () => {
    const batch = buildBatch({ codec: codecId('zstd'), records: [record(0)] })
    expect(accepted([batch], { compressionType: 'zstd', levels: { zstd: 19 } }).rewritten).toBe(false)
  })

  test('levels are honoured', () => {
    const value = Buffer.from(Array.from({ length: 20_000 }, (_, index) => (index * index) % 251))
    const batch = buildBatch({ records: [record(0, { value })] })
    const sizeWith = (compressionType: CodecName, levels: ProduceValidation['levels']) =>
      accepted([Buffer.from(batch)], { compressionType, levels }).header.sizeBytes
    expect(sizeWith('zstd', { zstd: 19 })).toBeLessThan(sizeWith('zstd', { zstd: -100 }))
    expect(sizeWith('gzip', { gzip: 9 })).toBeLessThan(sizeWith('gzip', { gzip: 1 }))
  })

  test('on a LogAppendTime topic the append time goes along', () => {
    const result = accepted([Buffer.from(THREE)], { compressionType: 'gzip', timestampType: 'LogAppendTime' })
    expect(codecOf(result.header)).toBe(1)
    expect([...iterateRecords(Buffer.concat(result.chunks))].map(({ timestamp }) => timestamp)).toEqual(
      Array(3).fill(NOW_MS),
    )
  })
})
