/**
 * Runs the scenarios of a module on whatever runtime started this file, which Bun's test runner cannot: one line per scenario,
 * `ok NAME` or `not ok NAME`, and the exit code 1 if one failed.
 *
 *     node test/support/run-scenarios.ts <module> <export> <bootstrap>
 */
import { pathToFileURL } from 'node:url'

interface Scenario {
  readonly name: string
  run(bench: { readonly bootstrap: string }): Promise<void>
}

const [modulePath, exportName, bootstrap] = process.argv.slice(2)
if (modulePath === undefined || exportName === undefined || bootstrap === undefined) {
  throw new Error('usage: run-scenarios.ts <module> <export> <bootstrap>')
}
process.on('unhandledRejection', (error) => {
  process.stderr.write(`unhandled rejection: ${error instanceof Error ? error.stack : String(error)}\n`)
  process.exitCode = 1
})
const loaded = (await import(pathToFileURL(modulePath).href)) as Record<string, readonly Scenario[]>
await Promise.all(
  (loaded[exportName] ?? []).map(async ({ name, run }) => {
    try {
      await run({ bootstrap })
      process.stdout.write(`ok ${name}\n`)
    } catch (error) {
      process.exitCode = 1
      process.stdout.write(`not ok ${name}\n`)
      process.stderr.write(`${name}: ${error instanceof Error ? error.stack : String(error)}\n`)
    }
  }),
)
