/** Broker properties of quotas, metrics, policies and plug-ins. */
import type { DefinitionTable } from './definition.ts'
import { atLeast, listOf } from './validators.ts'

export const brokerOtherConfigs: DefinitionTable = {
  'alter.config.policy.class.name': { type: 'class', default: null, importance: 'low' },
  'client.quota.callback.class': { type: 'class', default: null, importance: 'low' },
  'config.providers': {
    type: 'list',
    default: '',
    valid: listOf({ mayBeEmpty: true }),
    mode: 'cluster-wide',
    importance: 'low',
  },
  'create.topic.policy.class.name': { type: 'class', default: null, importance: 'low' },
  'kafka.metrics.polling.interval.secs': { type: 'int', default: '10', valid: atLeast(1), importance: 'low' },
  'kafka.metrics.reporters': { type: 'list', default: '', valid: listOf({ mayBeEmpty: true }), importance: 'low' },
  'metric.reporters': {
    type: 'list',
    default: 'org.apache.kafka.common.metrics.JmxReporter',
    valid: listOf({ mayBeEmpty: true }),
    mode: 'cluster-wide',
    importance: 'low',
  },
  'metrics.num.samples': { type: 'int', default: '2', valid: atLeast(1), importance: 'low' },
  'metrics.recording.level': { type: 'string', default: 'INFO', importance: 'low' },
  'metrics.sample.window.ms': { type: 'long', default: '30000', valid: atLeast(1), importance: 'low' },
  'quota.window.num': { type: 'int', default: '11', valid: atLeast(1), importance: 'low' },
  'quota.window.size.seconds': { type: 'int', default: '1', valid: atLeast(1), importance: 'low' },
  'telemetry.max.bytes': { type: 'int', default: '1048576', valid: atLeast(1), importance: 'low' },
}
