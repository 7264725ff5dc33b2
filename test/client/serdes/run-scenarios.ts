/** Runs the scenarios on whichever runtime it is started with: `node run-scenarios.ts HOST:PORT REGISTRY`. Ends with 1 if one failed. */
import { runScenario, SERDE_SCENARIOS } from './scenarios.ts'

const [bootstrap = '', registry = ''] = process.argv.slice(2)
process.on('unhandledRejection', (reason) => {
  console.log('unhandled rejection', reason)
  process.exitCode = 1
})
await Promise.all(
  SERDE_SCENARIOS.map(async (scenario) => {
    const { name } = scenario
    try {
      await runScenario(scenario, { bootstrap, registry })
      console.log('ok', name)
    } catch (error) {
      process.exitCode = 1
      console.log('not ok', name, error)
    }
  }),
)
