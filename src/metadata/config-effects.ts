/**
 * Which properties do nothing here, and why. Everything else works. The reference (docs/configuration.md) shows it.
 *
 *   inert    Its meaning needs something that a broker of one node, or of one event loop, does not have: nobody loses anything by it.
 *   warned   The same, but somebody could rely on it, or means something by it here: he is told, at the start and when it is set later.
 *   refused  A value that asks for something that is not done: the start, or the change, fails with the reason. What files and tools
 *            set anyway and is harmless is accepted.
 *
 * What must hold: a property that no rule names is read somewhere, and one that a rule calls inert or warned is not
 * (test/metadata/configuration-reference.test.ts).
 */

interface Rule {
  readonly names: RegExp
  readonly reason: string
  readonly effect: 'inert' | 'warned' | 'refused'
  /** Of a refused one: the values that are accepted, and how they are called. */
  readonly harmless?: { readonly text: string; readonly accepts: (value: string) => boolean }
}

export type ConfigEffect =
  | { readonly kind: 'works' }
  | { readonly kind: 'inert' | 'warned'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string; readonly harmless: string }

export type EffectScope = 'broker' | 'topic' | 'group'

const inert = (names: RegExp, reason: string): Rule => ({ names, reason, effect: 'inert' })
const warned = (names: RegExp, reason: string): Rule => ({ names, reason, effect: 'warned' })

/** Nothing but these values, which ask for nothing. */
const refused = (names: RegExp, reason: string, ...harmless: string[]): Rule => ({
  names,
  reason,
  effect: 'refused',
  harmless: {
    text: harmless.map((value) => (value === '' ? 'not set' : value)).join(' or '),
    accepts: (value) => harmless.includes(value.trim()),
  },
})

const refusedUnless = (names: RegExp, reason: string, text: string, accepts: (value: string) => boolean): Rule => ({
  names,
  reason,
  effect: 'refused',
  harmless: { text, accepts },
})

const items = (value: string): string[] => value.split(',').filter((item) => item.trim() !== '')

const LZ4_LEVEL = refused(
  /^compression\.lz4\.level$/,
  'There is one LZ4 compressor, the fast one, which is what level 9 stands for in Kafka as well.',
  '9',
)

const SECURITY_RULES: readonly Rule[] = [
  refused(/^authorizer\.class\.name$/, 'Nobody is authorized yet: every client may do everything.', ''),
  refused(
    /^principal\.builder\.class$/,
    'Java classes cannot be loaded.',
    'org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder',
  ),
  refused(/\.policy\.class\.name$|^client\.quota\.callback\.class$/, 'Java classes cannot be loaded.', ''),
  inert(/^(security\.inter\.broker\.protocol|inter\.broker\.listener\.name)$/, 'There is no other broker to talk to.'),
  warned(
    /^(sasl|ssl|security|delegation\.token)\./,
    'Only PLAINTEXT listeners are served: there is no TLS, SASL or token yet.',
  ),
  inert(
    /^(connections\.max\.reauth\.ms|connection\.failed\.authentication\.delay\.ms)$/,
    'Nobody authenticates on a PLAINTEXT listener.',
  ),
]

const CLUSTER_RULES: readonly Rule[] = [
  refusedUnless(
    /^controller\.quorum\.(voters|bootstrap\.servers)$/,
    'The metadata has one voter, which is this broker.',
    'at most one entry',
    (value) => items(value).length <= 1,
  ),
  refusedUnless(/^process\.roles$/, 'A Samsa process is always a broker.', 'with broker', (value) =>
    items(value).some((role) => role.trim() === 'broker'),
  ),
  inert(/^controller\.(quorum|socket|performance)\./, 'The metadata has one voter, which is the broker.'),
  inert(
    /^(metadata\.log\.(max|segment)\.?|metadata\.max\.|internal\.metadata\.)/,
    'The metadata is a file of its own, not a log.',
  ),
  inert(
    /^(early\.start\.listeners|initial\.broker\.registration|server\.max\.startup|log\.dir\.failure\.timeout\.ms)/,
    'There is no controller to wait for, or to tell.',
  ),
  inert(
    /^(leader|follower)\.replication\.throttled\.rate$/,
    'Replicas do not move between brokers; tools that move them set and clear it.',
  ),
  warned(/^replica\.selector\.class$/, 'Every partition has one replica to read from.'),
  inert(/^num\.replica\.alter\.log\.dirs\.threads$/, 'One replica moves at a time: there is one event loop.'),
  inert(
    /^alter\.log\.dirs\.replication\.quota\./,
    'The rate of moves is kept at any time, not on average over windows.',
  ),
  inert(
    /^replication\.quota\.|^(replica\.(fetch|lag|socket)|num\.replica\.fetchers)/,
    'Replicas have one broker, so none is fetched.',
  ),
  inert(
    /^(auto\.leader|leader\.imbalance)|^controlled\.shutdown|^unclean\.leader\.election\./,
    'Replicas have one broker, which leads.',
  ),
  inert(
    /^(request\.timeout\.ms|offsets\.commit\.timeout\.ms)$/,
    'No other broker is asked, and no replica waited for.',
  ),
  inert(/^socket\.connection\.setup\./, 'The broker connects to nobody.'),
  warned(/^zookeeper\./, 'There is no ZooKeeper.'),
]

const BROKER_RULES: readonly Rule[] = [
  ...SECURITY_RULES,
  ...CLUSTER_RULES,
  LZ4_LEVEL,
  refused(/^remote\.log\.storage\.system\.enable$/, 'There is no tiered storage.', 'false'),
  inert(
    /^remote\.|^log\.local\.retention\.|^follower\.fetch\.last\.tiered/,
    'Tiered storage is off and cannot be switched on.',
  ),
  refused(/^transaction\.two\.phase\.commit\.enable$/, 'Two-phase commit is not served.', 'false'),
  refused(
    /^config\.providers$/,
    'Java classes cannot be loaded, so what a value names would be taken as it stands.',
    '',
  ),
  refused(
    /^(offsets\.topic|share\.coordinator\.state\.topic)\.compression\.codec$/,
    'Coordinators write their records uncompressed.',
    '0',
  ),
  warned(/^(metric\.reporters|kafka\.metrics\.reporters)$/, 'Java classes cannot be loaded.'),
  inert(
    /^(kafka\.metrics\.polling|metrics\.)/,
    'Nobody reports metrics over time: they are counted, and read when they are asked for.',
  ),
  inert(
    /^(num\.(network|io)\.threads|num\.recovery\.threads|background\.threads|(group|share)\.coordinator\.(background\.)?threads|queued\.max\.requests$)/,
    'One thread does the work; what waits is bounded by bytes.',
  ),
  inert(/\.purgatory\.purge\.interval\.requests$/, 'What waits is woken, never searched.'),
  inert(
    /^(offsets|transaction\.state\.log|share\.coordinator)\.load\.buffer\.size$|^(group|share)\.coordinator\.(append\.linger\.ms|cached\.buffer\.max\.bytes)$/,
    'What comes in one turn of the event loop is written together; buffers have sizes of their own.',
  ),
  inert(/^socket\.listen\.backlog\.size$/, 'The system decides.'),
  inert(/^unstable\.(api|feature)\.versions\.enable$/, 'Every version that is served is a stable one.'),
  inert(/^add\.partitions\.to\.txn\.retry\.backoff\.ms$/, 'What waits is woken, never asked again.'),
  refused(/^group\.share\.assignors$/, 'There is one assignor for share groups.', 'simple'),
  warned(/^group\.share\.persister\.class\.name$/, 'Java classes cannot be loaded.'),
  inert(/^share\.coordinator\.write\.timeout\.ms$/, 'A write to a log of this broker ends, one way or the other.'),
  warned(/^log\.message\.format\.version$|^inter\.broker\.protocol\.version$/, 'There is one format.'),
]

const TOPIC_RULES: readonly Rule[] = [
  LZ4_LEVEL,
  inert(
    /^(leader|follower)\.replication\.throttled\.replicas$/,
    'Replicas do not move between brokers; tools that move them set and clear it.',
  ),
  inert(/^unclean\.leader\.election\.enable$/, 'Replicas have one broker, which leads.'),
  refused(/^remote\.storage\.enable$/, 'There is no tiered storage.', 'false'),
  inert(/^local\.retention\.|^remote\.log\./, 'Tiered storage is off and cannot be switched on.'),
]

const GROUP_RULES: readonly Rule[] = []

/** What a reader of the reference should know of properties that work. */
const CHECKPOINTS = 'The shortest of the three checkpoint intervals counts, five seconds at most.'
const SOCKET_BUFFER = 'Where it is set; otherwise the system sizes the buffer as it is needed.'
const NOTES: ReadonlyMap<string, string> = new Map([
  ['log.dirs', 'Partitions are spread over the folders, and can be moved between them.'],
  ['log.dir', 'Where `log.dirs` is not set.'],
  ['log.flush.offset.checkpoint.interval.ms', CHECKPOINTS],
  ['log.flush.start.offset.checkpoint.interval.ms', CHECKPOINTS],
  ['replica.high.watermark.checkpoint.interval.ms', CHECKPOINTS],
  [
    'log.preallocate',
    'The space of a whole segment is reserved with its first batch; the size of the file does not change.',
  ],
  ['metadata.log.dir', 'The folder of `samsa-metadata.db`, unless the file is in the first data folder already.'],
  ['queued.max.request.bytes', 'Bytes of requests that all connections hold together; -1 stands for 64 MiB.'],
  ['replica.alter.log.dirs.io.max.bytes.per.second', 'Of all moves together; one replica moves at a time.'],
  ['socket.receive.buffer.bytes', SOCKET_BUFFER],
  ['socket.send.buffer.bytes', SOCKET_BUFFER],
])

const RULES: Readonly<Record<EffectScope, readonly Rule[]>> = {
  broker: BROKER_RULES,
  topic: TOPIC_RULES,
  group: GROUP_RULES,
}

const WORKS: ConfigEffect = { kind: 'works' }

function ruleFor(scope: EffectScope, name: string): Rule | undefined {
  return RULES[scope].find(({ names }) => names.test(name))
}

export function effectOf(scope: EffectScope, name: string): ConfigEffect {
  const rule = ruleFor(scope, name)
  if (rule === undefined) return WORKS
  const { reason, effect, harmless } = rule
  return effect === 'refused' ? { kind: effect, reason, harmless: harmless?.text ?? '' } : { kind: effect, reason }
}

/** What is worth knowing of a broker's property that works; null: it does what its name says. */
export function noteOn(name: string): string | null {
  return NOTES.get(name) ?? null
}

/** Why a value of the property cannot be accepted, though it is one in Kafka; null: it can. */
export function refusedValue(scope: EffectScope, name: string, value: string): string | null {
  const rule = ruleFor(scope, name)
  if (rule?.effect !== 'refused' || rule.harmless?.accepts(value) === true) return null
  return `${name}=${value} cannot take effect in Samsa: ${rule.reason} (accepted: ${rule.harmless?.text})`
}

/** Why whoever sets it should hear that it does nothing; null: there is nothing to hear. */
export function warningFor(name: string): string | null {
  const effect = effectOf('broker', name)
  return effect.kind === 'warned' ? effect.reason : null
}

/** Why a topic's property does nothing whatever its value; null: it does something, or not every value is accepted. */
export function topicConfigWithoutEffect(name: string): string | null {
  const effect = effectOf('topic', name)
  return effect.kind === 'inert' || effect.kind === 'warned' ? effect.reason : null
}

export function groupConfigWithoutEffect(name: string): string | null {
  const effect = effectOf('group', name)
  return effect.kind === 'inert' || effect.kind === 'warned' ? effect.reason : null
}
