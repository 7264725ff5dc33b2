/** What to try next, for errors that people meet first. It goes behind the error's own sentence, on the same line. */
import { KafkaError, type KafkaErrorCode } from '../client/errors.ts'

const HINTS: Readonly<Partial<Record<KafkaErrorCode, string>>> = {
  ERR_CONNECT: 'is a broker running there? samsa doctor looks closer',
  ERR_CONNECTION_CLOSED: 'does the broker expect TLS or SASL here? samsa doctor looks closer',
  ERR_TIMEOUT: 'wait longer with --timeout; samsa doctor looks closer',
  ERR_AUTHENTICATION:
    'samsa profile show tells which user, mechanism and certificates are in use; samsa doctor looks closer',
  SASL_AUTHENTICATION_FAILED:
    'samsa profile show tells which user, mechanism and certificates are in use; samsa doctor looks closer',
  UNSUPPORTED_SASL_MECHANISM: 'choose another one with -X sasl.mechanism=...',
  ILLEGAL_SASL_STATE: 'the broker wants a user: set sasl.mechanism and sasl.username (samsa profile --help)',
  UNKNOWN_TOPIC_OR_PARTITION: 'samsa topics list shows the topics there are',
  GROUP_ID_NOT_FOUND: 'samsa groups list shows the groups there are',
  NON_EMPTY_GROUP: 'stop its members first; samsa groups describe --members shows them',
  UNKNOWN_MEMBER_ID: 'the group has members: stop them first; samsa groups describe --members shows them',
  TOPIC_ALREADY_EXISTS: '--if-not-exists tolerates it',
  TRANSACTIONAL_ID_NOT_FOUND: 'samsa transactions list shows the ids there are',
  TOPIC_AUTHORIZATION_FAILED: 'an ACL has to allow it; samsa acls list shows them',
  GROUP_AUTHORIZATION_FAILED: 'an ACL has to allow it; samsa acls list shows them',
  CLUSTER_AUTHORIZATION_FAILED: 'an ACL has to allow it; samsa acls list shows them',
  INVALID_REPLICATION_FACTOR: 'samsa cluster info shows how many brokers there are',
  SECURITY_DISABLED: 'the broker has no authorizer; set authorizer.class.name',
}

/** Empty where there is none. */
export function hintFor(error: unknown): string {
  const found = error instanceof KafkaError ? HINTS[error.code] : error instanceof Error && hintFor(error.cause)
  if (!found) return ''
  return error instanceof KafkaError ? ` (${found})` : found
}
