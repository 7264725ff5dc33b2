/** Writes Protocol Buffers by hand, for tests of what reads them. */

export function varint(number: number, value: number): Buffer {
  return Buffer.concat([base128(number * 8), base128(value)])
}

export function fixed64(number: number, value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64LE(value)
  return Buffer.concat([base128(number * 8 + 1), bytes])
}

export function double(number: number, value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleLE(value)
  return Buffer.concat([base128(number * 8 + 1), bytes])
}

export function field(number: number, content: Buffer): Buffer {
  return Buffer.concat([base128(number * 8 + 2), base128(content.length), content])
}

export function text(number: number, value: string): Buffer {
  return field(number, Buffer.from(value))
}

/** A whole MetricsData message with these Metric messages. */
export function metricsData(metrics: readonly Buffer[]): Buffer {
  const scope = Buffer.concat(metrics.map((metric) => field(2, metric)))
  return field(1, Buffer.concat([field(1, Buffer.alloc(0)), field(2, scope)]))
}

function base128(value: number): Buffer {
  const bytes: number[] = []
  let left = value
  while (left >= 128) {
    bytes.push((left % 128) + 128)
    left = Math.floor(left / 128)
  }
  return Buffer.from([...bytes, left])
}
