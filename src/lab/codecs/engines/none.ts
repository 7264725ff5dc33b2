/** No compression. Copies, which every codec does at least: what is measured here is as fast as anything can be. */
import { type Engine, RUNTIME, stateless, WITHOUT_LEVELS } from './engine.ts'

export const none: Engine = {
  codec: 'none',
  name: 'copy',
  summary: 'no compression: the records are copied',
  version: RUNTIME,
  ...WITHOUT_LEVELS,
  open: () => stateless({ compress: (plain) => Buffer.from(plain), decompress: (packed) => Buffer.from(packed) }),
}
