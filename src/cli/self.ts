/** How this program is started: for commands that need another process of it. */
import { fileURLToPath } from 'node:url'

/** Where a compiled program keeps its sources; there, the executable alone is the program. */
const COMPILED_ROOT = '/$bunfs/'

export function selfCommand(): string[] {
  if (Bun.main.startsWith(COMPILED_ROOT)) return [process.execPath]
  return [process.execPath, fileURLToPath(new URL('./main.ts', import.meta.url))]
}
