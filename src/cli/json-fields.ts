/** The fields that --format json prints, by command: scripts rely on them, so none goes away or changes its meaning. */
export interface JsonOutput {
  /** `array`: one line, a list of objects; `object`: one object; `lines`: an object on each line, as they come. */
  readonly shape: 'array' | 'object' | 'lines'
  readonly fields: readonly string[]
}

const OUTCOME = (kind: string, ...more: readonly string[]): JsonOutput => ({
  shape: 'array',
  fields: [kind, ...more, 'done', 'error?'],
})

/** A field with ? may be missing. */
export const JSON_FIELDS: Readonly<Record<string, JsonOutput>> = {
  'topics list': { shape: 'array', fields: ['name', 'topicId', 'partitions', 'replicationFactor', 'internal'] },
  'topics describe': { shape: 'array', fields: ['name', 'topicId', 'internal', 'partitions', 'configs'] },
  'topics create': OUTCOME('topic'),
  'topics delete': OUTCOME('topic'),
  'topics alter': OUTCOME('topic'),
  'groups list': { shape: 'array', fields: ['groupId', 'protocolType', 'state', 'type'] },
  'groups describe': {
    shape: 'array',
    fields: ['groupId', 'type', 'state', 'assignor', 'coordinator', 'members', 'offsets'],
  },
  'groups seek': { shape: 'array', fields: ['topic', 'partition', 'offset'] },
  'groups delete-offsets': OUTCOME('partition'),
  'groups remove-members': OUTCOME('member'),
  'groups delete': OUTCOME('group'),
  'configs describe': {
    shape: 'array',
    fields: ['name', 'value', 'source', 'isDefault', 'isReadOnly', 'isSensitive', 'synonyms', 'documentation'],
  },
  'configs list': { shape: 'array', fields: ['type', 'name'] },
  'offsets list': { shape: 'array', fields: ['topic', 'partition', 'offset'] },
  'offsets trim': OUTCOME('partition', 'logStartOffset'),
  'transactions list': { shape: 'array', fields: ['transactionalId', 'coordinator', 'producerId', 'state'] },
  'transactions describe': {
    shape: 'object',
    fields: ['transactionalId', 'state', 'producerId', 'producerEpoch', 'timeoutMs', 'startedMs', 'partitions'],
  },
  'transactions fence': OUTCOME('transactionalId'),
  'users list': { shape: 'array', fields: ['user', 'credentials'] },
  'quotas list': { shape: 'array', fields: ['entity', 'quotas'] },
  'cluster info': { shape: 'object', fields: ['clusterId', 'controllerId', 'brokers'] },
  'cluster features': { shape: 'array', fields: ['name', 'level', 'min', 'max'] },
  'cluster log-dirs': {
    shape: 'array',
    fields: ['broker', 'path', 'totalBytes', 'usableBytes', 'replicas', 'error'],
  },
  produce: { shape: 'object', fields: ['topic', 'records', 'seconds'] },
  consume: {
    shape: 'lines',
    fields: ['topic', 'partition', 'offset', 'timestamp', 'headers', 'key?', 'keyBase64?', 'value?', 'valueBase64?'],
  },
  doctor: { shape: 'array', fields: ['check', 'level', 'what', 'advice'] },
  'profile list': { shape: 'array', fields: ['name', 'current', 'bootstrap'] },
  'profile show': { shape: 'object', fields: ['profile', 'file', 'settings'] },
  'profile properties': {
    shape: 'array',
    fields: ['name', 'default', 'secret', 'environment', 'otherNames', 'summary'],
  },
  version: { shape: 'object', fields: ['samsa', 'bun', 'platform'] },
}
