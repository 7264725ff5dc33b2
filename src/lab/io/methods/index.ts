// Every method of the lab, in the order in which they are listed.

import type { Method } from '../method.ts'
import { DIRECT_READ_METHODS, DIRECT_WRITE_METHODS } from './direct.ts'
import { READ_METHODS } from './read.ts'
import { SEND_METHODS } from './send.ts'
import { SYNC_METHODS } from './sync.ts'
import { WRITE_METHODS } from './write.ts'

export const METHODS: readonly Method[] = [
  ...WRITE_METHODS,
  ...DIRECT_WRITE_METHODS,
  ...READ_METHODS,
  ...DIRECT_READ_METHODS,
  ...SEND_METHODS,
  ...SYNC_METHODS,
]
