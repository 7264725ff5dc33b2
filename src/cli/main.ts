#!/usr/bin/env bun
/**
 * `samsa`: the program. A broker first gets the environment that its runtime needs, and so does a lab, which measures what a broker
 * would get; see process-environment.ts.
 */
import { enterBrokerEnvironment } from './process-environment.ts'

if (['serve', 'lab'].some((command) => process.argv.slice(2).includes(command))) await enterBrokerEnvironment()
const { main } = await import('./program.ts')
await main()
