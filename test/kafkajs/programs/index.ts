/** All programs by what they show. */
import { administering } from './administering.ts'
import { consuming } from './consuming.ts'
import { failing } from './failing.ts'
import { grouping } from './grouping.ts'
import { producing } from './producing.ts'
import type { Programs } from './program.ts'
import { transacting } from './transacting.ts'

export const programs: Programs = {
  ...producing,
  ...consuming,
  ...failing,
  ...grouping,
  ...transacting,
  ...administering,
}
