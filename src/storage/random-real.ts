import { randomBytes } from 'node:crypto'
import { type Random, uuidFromBytes } from './random.ts'

export const realRandom: Random = {
  next: () => Math.random(),
  uuid() {
    for (;;) {
      const text = uuidFromBytes(randomBytes(16))
      if (text !== null) return text
    }
  },
}
