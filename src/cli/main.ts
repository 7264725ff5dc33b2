#!/usr/bin/env bun
/** `samsa`: the program. A broker first gets the environment that its runtime needs; see process-environment.ts. */
import { enterBrokerEnvironment } from './process-environment.ts'

if (process.argv.slice(2).includes('serve')) await enterBrokerEnvironment()
const { main } = await import('./program.ts')
await main()
