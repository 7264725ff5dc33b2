/** Opens the broker on the folder given, and dies without a stop. */

import { startBroker } from './test-broker.ts'

await startBroker({ storage: 'disk', durability: 'os', dataDirectory: process.argv[2]! })
process.kill(process.pid, 'SIGKILL')
