/**
 * Which properties do nothing here, and why. Everything else works. The reference (docs/configuration.md) shows it, and who sets one that
 * somebody could rely on is warned: at the start, and when it is set while the broker runs.
 *
 * What must hold: a property that no rule names is read somewhere (test/metadata/configuration-reference.test.ts).
 */

interface Rule {
  readonly names: RegExp
  readonly reason: string
  /** Somebody could believe in it: above all that a broker is protected because its file says so. */
  readonly warns: boolean
}

const warned = (names: RegExp, reason: string): Rule => ({ names, reason, warns: true })
const silent = (names: RegExp, reason: string): Rule => ({ names, reason, warns: false })

const BROKER_RULES: readonly Rule[] = [
  warned(/^(sasl|ssl|security|delegation\.token)\./, 'Listeners are open: there is no TLS, SASL or token yet.'),
  warned(
    /^(authorizer\.class\.name|principal\.builder\.class|connections\.max\.reauth\.ms|connection\.failed\.authentication\.delay\.ms)$/,
    'Nobody is authenticated or authorized yet.',
  ),
  warned(/\.policy\.class\.name$|^client\.quota\.callback\.class$/, 'Java classes cannot be loaded.'),
  warned(/^(metric\.reporters|kafka\.metrics\.|config\.providers$)/, 'Java classes cannot be loaded.'),
  warned(/^remote\.|^log\.local\.retention\.|^follower\.fetch\.last\.tiered/, 'There is no tiered storage.'),
  warned(/^(replication\.quota\.|alter\.log\.dirs\.)/, 'Replicas do not move, so nothing of it is limited.'),
  silent(
    /^((leader|follower)\.replication\.throttled\.rate|replica\.alter\.log\.dirs\.io\.max\.bytes\.per\.second)$/,
    'Replicas do not move; tools that move them set and clear it.',
  ),
  warned(
    /^replica\.|^num\.replica\.|^(auto\.leader|leader\.imbalance)|^controlled\.shutdown/,
    'Replicas have one broker.',
  ),
  warned(/^unclean\.leader\.election\./, 'Replicas have one broker.'),
  warned(/^transaction\.two\.phase\.commit\.enable$/, 'Two-phase commit is not served.'),
  warned(/^zookeeper\./, 'There is no ZooKeeper.'),
  warned(/^controller\.(quorum|socket|listener|performance)\./, 'The metadata has one voter, which is the broker.'),
  warned(
    /^(metadata\.(log|max)\.|internal\.metadata\.|process\.roles$)/,
    'The metadata is a file of its own, not a log.',
  ),
  warned(
    /^(early\.start\.listeners|initial\.broker\.registration|server\.max\.startup)/,
    'There is no controller to wait for.',
  ),
  warned(
    /^(cordoned\.log\.dirs|log\.dir\.failure\.timeout\.ms)$/,
    'There is one data folder; several in log.dirs are refused.',
  ),
  warned(/^(listener\.security\.protocol\.map|inter\.broker\.listener\.name)$/, 'There is one listener.'),
  silent(
    /^(num\.(network|io)\.threads|num\.recovery\.threads|background\.threads|group\.coordinator\.(background\.)?threads|queued\.max\.requests?)/,
    'One thread does the work; what waits is bounded by bytes.',
  ),
  silent(/^queued\.max\.request\.bytes$/, 'What waits is bounded by limits of our own.'),
  silent(/\.purgatory\.purge\.interval\.requests$/, 'What waits is woken, never searched.'),
  silent(
    /^(offsets|transaction\.state\.log)\.load\.buffer\.size$|^group\.coordinator\.(append\.linger\.ms|cached\.buffer\.max\.bytes)$/,
    'Buffers have sizes of their own.',
  ),
  silent(/^socket\.(listen\.backlog|receive\.buffer|send\.buffer|connection\.setup)/, 'The system decides.'),
  silent(/^offsets\.topic\.compression\.codec$/, 'Offsets are stored as they are.'),
  silent(/^log\.preallocate$/, 'Space is set aside as a segment grows, without changing its size.'),
  silent(/^metrics\./, 'Metrics are counted in another way.'),
  silent(
    /^(unstable\.(api|feature)\.versions\.enable|request\.timeout\.ms|offsets\.commit\.timeout\.ms)$/,
    'Nothing depends on it.',
  ),
  silent(/^add\.partitions\.to\.txn\.retry\.backoff\.ms$/, 'What waits is woken, never asked again.'),
  silent(
    /^(log\.flush\.(offset\.checkpoint|start\.offset\.checkpoint)\.interval\.ms|log\.initial\.task\.delay\.ms|replica\.high\.watermark\.checkpoint\.interval\.ms|producer\.id\.expiration\.check\.interval\.ms)$/,
    'Checkpoints and clean-ups have intervals of their own.',
  ),
  silent(/^(group\.share|share\.coordinator)\./, 'There are no share groups yet.'),
  warned(/^log\.message\.format\.version$|^inter\.broker\.protocol\.version$/, 'There is one format.'),
]

const TOPIC_RULES: readonly Rule[] = [
  silent(/^preallocate$/, 'Space is set aside as a segment grows, without changing its size.'),
  silent(
    /^(leader|follower)\.replication\.throttled\.replicas$/,
    'Replicas do not move; tools that move them set and clear it.',
  ),
  silent(/^unclean\.leader\.election\.enable$/, 'Replicas have one broker.'),
  silent(/^local\.retention\.|^remote\./, 'There is no tiered storage; switching it on is refused.'),
]

const GROUP_RULES: readonly Rule[] = [silent(/^share\./, 'There are no share groups yet.')]

function ruleFor(rules: readonly Rule[], name: string): Rule | undefined {
  return rules.find(({ names }) => names.test(name))
}

/** Why a broker property does nothing; null: it works. */
export function brokerConfigWithoutEffect(name: string): string | null {
  return ruleFor(BROKER_RULES, name)?.reason ?? null
}

/** Whether whoever sets it should hear that it does nothing. */
export function deservesWarning(name: string): boolean {
  return ruleFor(BROKER_RULES, name)?.warns ?? false
}

export function topicConfigWithoutEffect(name: string): string | null {
  return ruleFor(TOPIC_RULES, name)?.reason ?? null
}

export function groupConfigWithoutEffect(name: string): string | null {
  return ruleFor(GROUP_RULES, name)?.reason ?? null
}
