/** Snappy in the two shapes that Kafka's clients write: chunks of 32 KiB in snappy-java's stream, and one raw block. */

import manifest from '../../../../package.json' with { type: 'json' }
import { compress, decompress } from '../../../records/codecs/index.ts'
import { CODEC_SNAPPY } from '../../../records/header.ts'
import { type Engine, stateless, WITHOUT_LEVELS } from './engine.ts'

type Snappy = typeof import('snappy')

const VERSION = `snappy ${manifest.dependencies.snappy}`

const stream: Engine = {
  codec: 'snappy',
  name: 'stream',
  summary: "the snappy package in snappy-java's stream of 32 KiB chunks, as Java clients write it: the broker's own",
  version: VERSION,
  ...WITHOUT_LEVELS,
  open: () =>
    stateless({
      compress: (plain) => compress(CODEC_SNAPPY, plain),
      decompress: (packed, maxBytes) => decompress(CODEC_SNAPPY, packed, maxBytes),
    }),
}

const raw: Engine = {
  codec: 'snappy',
  name: 'raw',
  summary: 'the snappy package, one raw block per batch, as librdkafka writes it',
  version: VERSION,
  ...WITHOUT_LEVELS,
  open() {
    const snappy = require('snappy') as Snappy
    return stateless({
      compress: (plain) => snappy.compressSync(plain),
      decompress: (packed, maxBytes) => decompress(CODEC_SNAPPY, packed, maxBytes),
    })
  },
}

export const snappyEngines: readonly Engine[] = [stream, raw]
