#!/usr/bin/env bun
/**
 * `samsa`: the program. A broker first gets the environment that its runtime needs, and so does a lab, which measures what a broker
 * would get; see process-environment.ts. What talks to the process that started it stays as it is: a replaced process has lost the channel.
 */
import { enterBrokerEnvironment } from './process-environment.ts'

const isMeasured = ['serve', 'lab'].some((command) => process.argv.slice(2).includes(command))
if (isMeasured && process.send === undefined) await enterBrokerEnvironment()
const { main } = await import('./program.ts')
await main()
