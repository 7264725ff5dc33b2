/** Broker properties that Kafka does not have. They are settable and, so that tools see Kafka's list, not described. */
import type { DefinitionTable } from './definition.ts'
import { oneOf } from './validators.ts'

export const brokerSamsaConfigs: DefinitionTable = {
  'samsa.write.mode': {
    type: 'string',
    default: 'auto',
    valid: oneOf('auto', 'buffered', 'direct'),
    documentation:
      'How large appends reach the files: through the page cache (buffered), past it (direct), or whichever suits the data folder (auto).',
  },
}
