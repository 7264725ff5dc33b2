/**
 * Runs the scenarios in a process of its own, on whichever runtime it is started with: `node run-scenarios.ts HOST:PORT [part of a name]`.
 * Prints a line per scenario and ends with 1 if one failed.
 */
import { EDGE_SCENARIOS } from './edge-scenarios.ts'
import { SCENARIOS } from './scenarios.ts'

const [bootstrap = '', part = ''] = process.argv.slice(2)
let failures = 0
process.on('unhandledRejection', (reason) => {
  failures += 1
  console.log('unhandled rejection', reason)
})
await Promise.all(
  [...SCENARIOS, ...EDGE_SCENARIOS]
    .filter(({ name }) => name.includes(part))
    .map(async ({ name, run }) => {
      try {
        await run({ bootstrap })
        console.log('passed', name)
      } catch (error) {
        failures += 1
        console.log('failed', name, error)
      }
    }),
)
process.exit(failures === 0 ? 0 : 1)
