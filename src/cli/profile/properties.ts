/**
 * What the commands that talk to a cluster can be told about it: one name for each thing, the same with -X, in a profile and, in capitals, in
 * the environment. The names are those of librdkafka and of Kafka's own clients; other names that people know lead to the same.
 */
import { parseBootstrap, parseHostPort } from '../../client/address.ts'
import { CODEC_NAMES } from '../../records/codecs/index.ts'

export interface PropertyDefinition {
  readonly name: string
  readonly summary: string
  readonly otherNames?: readonly string[]
  /** Shown where nobody has set it; null: it is not set then. */
  readonly standard?: string
  /** Never printed. */
  readonly isSecret?: boolean
  /** A file; in a profile it may be relative to the profiles file. */
  readonly isPath?: boolean
  /** Null: it can be this. Otherwise why not. */
  readonly check?: (value: string) => string | null
}

export const SECURITY_PROTOCOLS = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'] as const
export const SASL_MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'] as const
export const COMPRESSIONS = ['none', ...CODEC_NAMES.slice(1)] as const
export const ISOLATION_LEVELS = ['read_uncommitted', 'read_committed'] as const

function oneOf(allowed: readonly string[]): (value: string) => string | null {
  return (value) => (allowed.includes(value) ? null : `'${value}' is none of ${allowed.join(', ')}`)
}

function wholeNumber(least: number): (value: string) => string | null {
  return (value) => {
    const isWhole = /^\d{1,15}$/.test(value) && Number(value) >= least
    return isWhole ? null : `'${value}' is no whole number of at least ${least}`
  }
}

function webAddress(value: string): string | null {
  return /^https?:\/\/\S+$/.test(value) ? null : `'${value}' is no http:// or https:// address`
}

/** In the order in which they are listed. */
export const PROPERTIES: readonly PropertyDefinition[] = [
  {
    name: 'bootstrap.servers',
    summary: 'brokers to begin with: HOST:PORT, comma separated',
    otherNames: ['brokers', 'metadata.broker.list'],
    standard: '127.0.0.1:9092',
    check: (value) => {
      const parsed = parseBootstrap(value)
      return typeof parsed === 'string' ? parsed : null
    },
  },
  { name: 'client.id', summary: 'how brokers name this client in logs and quotas', standard: 'samsa-cli' },
  {
    name: 'timeout.ms',
    summary: 'how long to wait for brokers',
    otherNames: ['request.timeout.ms', 'socket.timeout.ms'],
    standard: '30000',
    check: wholeNumber(1),
  },
  {
    name: 'security.protocol',
    summary: 'PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL; not set: what the other properties need',
    check: oneOf(SECURITY_PROTOCOLS),
  },
  {
    name: 'ssl.ca.location',
    summary: 'file with the authorities (PEM) to trust instead of the system',
    otherNames: ['tls.ca'],
    isPath: true,
  },
  {
    name: 'ssl.certificate.location',
    summary: "file with the client's certificate (PEM)",
    otherNames: ['tls.cert'],
    isPath: true,
  },
  { name: 'ssl.key.location', summary: 'file with its private key (PEM)', otherNames: ['tls.key'], isPath: true },
  { name: 'ssl.key.password', summary: 'password of the private key', isSecret: true },
  {
    name: 'enable.ssl.certificate.verification',
    summary: "false accepts any broker's certificate: for tests only",
    standard: 'true',
    check: oneOf(['true', 'false']),
  },
  {
    name: 'sasl.mechanism',
    summary: SASL_MECHANISMS.join(', '),
    otherNames: ['sasl.mechanisms'],
    check: oneOf(SASL_MECHANISMS),
  },
  { name: 'sasl.username', summary: 'name of the user', otherNames: ['user'] },
  {
    name: 'sasl.password',
    summary: 'the password; asked for on a terminal if missing',
    otherNames: ['pass'],
    isSecret: true,
  },
  { name: 'sasl.password.file', summary: 'file that holds the password', isPath: true },
  { name: 'sasl.oauthbearer.token', summary: 'a token for OAUTHBEARER', isSecret: true },
  {
    name: 'sasl.oauthbearer.token.file',
    summary: 'file that holds it, read again at every authentication',
    isPath: true,
  },
  {
    name: 'sasl.oauthbearer.token.endpoint.url',
    summary: 'where a token is asked for (client credentials)',
    check: webAddress,
  },
  { name: 'sasl.oauthbearer.client.id', summary: 'name for the token endpoint' },
  { name: 'sasl.oauthbearer.client.secret', summary: 'secret for the token endpoint', isSecret: true },
  { name: 'sasl.oauthbearer.scope', summary: 'scope to ask for' },
  {
    name: 'schema.registry.url',
    summary: 'address of a schema registry',
    otherNames: ['registry.hosts'],
    check: webAddress,
  },
  { name: 'schema.registry.basic.auth.user.info', summary: 'NAME:PASSWORD for the schema registry', isSecret: true },
  {
    name: 'http.address',
    summary: "the broker's HTTP port, for export: HOST:PORT",
    standard: '127.0.0.1:9080',
    check: (value) => {
      const parsed = parseHostPort(value)
      return typeof parsed === 'string' ? parsed : null
    },
  },
  {
    name: 'isolation.level',
    summary: 'consume: read_uncommitted or read_committed',
    standard: 'read_uncommitted',
    check: oneOf(ISOLATION_LEVELS),
  },
  { name: 'client.rack', summary: 'consume: where this client is, to read from a replica nearby' },
  {
    name: 'acks',
    summary: 'produce: all, 1 or 0',
    otherNames: ['request.required.acks'],
    standard: 'all',
    check: oneOf(['all', '-1', '1', '0']),
  },
  {
    name: 'compression.type',
    summary: `produce: ${COMPRESSIONS.join(', ')}`,
    otherNames: ['compression.codec'],
    standard: 'none',
    check: oneOf(COMPRESSIONS),
  },
  {
    name: 'linger.ms',
    summary: 'produce: how long a record may wait for others',
    otherNames: ['queue.buffering.max.ms'],
    standard: '5',
    check: wholeNumber(0),
  },
  {
    name: 'batch.size',
    summary: 'produce: bytes of a batch before compression',
    standard: '262144',
    check: wholeNumber(1),
  },
  { name: 'transactional.id', summary: 'produce: all input is one transaction of this id' },
]

const BY_NAME = new Map(
  PROPERTIES.flatMap((property) =>
    [property.name, ...(property.otherNames ?? [])].map((name) => [name, property] as const),
  ),
)

/** By its own name or by another that it is known by. */
export function propertyNamed(name: string): PropertyDefinition | undefined {
  return BY_NAME.get(name)
}

/** SAMSA_CLIENT_SASL_USERNAME for sasl.username; the address alone is shorter. */
export function environmentName({ name }: PropertyDefinition): string {
  if (name === 'bootstrap.servers') return 'SAMSA_BOOTSTRAP'
  return `SAMSA_CLIENT_${name.toUpperCase().replaceAll('.', '_')}`
}

export interface NamedValue {
  readonly property: PropertyDefinition
  readonly value: string
}

/** The property and its value, or a sentence that says what is wrong with them. */
export function checkedProperty(name: string, value: string): NamedValue | string {
  const property = propertyNamed(name)
  if (property === undefined)
    return `there is no property '${name}'${nearest(name)}; samsa profile properties lists them`
  const normal = property.name === 'security.protocol' ? value.toUpperCase() : value
  const trouble = property.check?.(normal) ?? null
  return trouble === null ? { property, value: normal } : `${property.name}: ${trouble}`
}

function nearest(name: string): string {
  const last = name.split('.').at(-1) ?? name
  const found = PROPERTIES.find((property) => property.name.endsWith(`.${last}`))
  return found === undefined ? '' : ` (did you mean ${found.name}?)`
}
