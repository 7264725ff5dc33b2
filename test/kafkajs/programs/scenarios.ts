/** The programs with `samsa/kafkajs`, as test/support/run-scenarios.ts runs them on Node. */
import * as kafkajs from '../../../src/kafkajs/index.ts'
import { programs } from './index.ts'
import { naming } from './program.ts'

const name = naming()

export const KAFKAJS_SCENARIOS = Object.entries(programs).map(([title, program]) => ({
  name: title,
  run: ({ bootstrap }: { readonly bootstrap: string }) =>
    program({ kafkajs, brokers: [bootstrap], hasAuthorizer: false, name }),
}))
