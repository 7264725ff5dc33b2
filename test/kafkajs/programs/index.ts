/** All programs by what they show. */
import { producing } from './producing.ts'
import type { Programs } from './program.ts'

export const programs: Programs = { ...producing }
