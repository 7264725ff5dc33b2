/** Properties of client metrics subscriptions (KIP-714): which clients are asked for which metrics, how often. */
import type { DefinitionTable } from './definition.ts'

export const clientMetricsConfigs: DefinitionTable = {
  'interval.ms': {
    type: 'int',
    default: '300000',
    documentation: 'How often the clients of this subscription push their metrics, from 100 to 3600000.',
  },
  match: {
    type: 'list',
    default: '',
    documentation:
      'Which clients: NAME=PATTERN pairs that all have to match, of client_id, client_instance_id, client_software_name, ' +
      'client_software_version, client_source_address and client_source_port. Empty: all clients.',
  },
  metrics: {
    type: 'list',
    default: '',
    documentation: 'Prefixes of the names of the metrics that are asked for; `*` asks for all.',
  },
}
