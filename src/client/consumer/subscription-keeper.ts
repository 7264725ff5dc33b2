/**
 * What a consumer subscribes to, kept true over time: which topics match an expression, and whether a topic has grown. In the new
 * protocol (KIP-848) the broker does both; here is what a member of the classic one does itself.
 */
import type { Cluster } from '../cluster.ts'
import { asKafkaError, isConnectionLoss, type KafkaError } from '../errors.ts'
import { retrying } from '../retry.ts'
import type { Membership } from './membership.ts'
import type { ResolvedSettings } from './options.ts'

/** How soon a topic is looked for again that does not exist yet. */
const MISSING_REFRESH_MS = 1_000

export class SubscriptionKeeper {
  private readonly cluster: Cluster
  private readonly settings: ResolvedSettings
  private readonly membership: Membership
  private readonly fatal: (error: KafkaError) => void
  private wanted: readonly string[] | RegExp = []
  private protocol: 'classic' | 'consumer' | null = null
  private topics: readonly string[] = []
  /** Partitions of each topic when the group was last told of them. */
  private counts = new Map<string, number>()
  private timer: ReturnType<typeof setTimeout> | null = null
  private closed = false
  private paused = false

  constructor(
    cluster: Cluster,
    settings: ResolvedSettings,
    membership: Membership,
    fatal: (error: KafkaError) => void,
  ) {
    this.cluster = cluster
    this.settings = settings
    this.membership = membership
    this.fatal = fatal
  }

  /** With a signal that fires nothing is subscribed to. */
  async subscribe(wanted: readonly string[] | RegExp, signal?: AbortSignal): Promise<void> {
    this.wanted = wanted
    // Brokers that are away, or go away now, are waited for as in any other call.
    await retrying(this.cluster.timeoutMs, () => this.learn(wanted), {
      policy: this.cluster.retry,
      signal,
      mayRetry: (error) => !this.closed && error.retriable,
    })
    if (signal?.aborted === true) return
    this.paused = false
    this.tell()
    this.schedule()
  }

  /** Nothing is subscribed to any more, until the next `subscribe`. */
  pause(): void {
    this.paused = true
    this.wanted = []
    this.topics = []
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
  }

  /** The member turned out to be one of a classic group: an expression is matched here from now on. */
  async fellBack(): Promise<void> {
    this.protocol = 'classic'
    const { wanted } = this
    if (!(wanted instanceof RegExp)) return
    try {
      await this.learn(wanted)
      if (this.wanted === wanted) this.tell()
      this.schedule()
    } catch {
      // Looked at again soon, and told then.
      this.schedule()
    }
  }

  private async learn(wanted: readonly string[] | RegExp): Promise<void> {
    this.protocol ??= await this.chooseProtocol()
    if (!(wanted instanceof RegExp)) {
      this.topics = [...new Set(wanted)]
      if (this.topics.length > 0) {
        await this.cluster.metadata(this.topics, { create: this.settings.allowAutoTopicCreation })
      }
    } else if (this.protocol === 'classic') this.topics = await this.matching(wanted)
  }

  close(): void {
    this.closed = true
    if (this.timer !== null) clearTimeout(this.timer)
  }

  private async chooseProtocol(): Promise<'classic' | 'consumer'> {
    const { groupProtocol } = this.settings
    if (groupProtocol !== 'auto') return groupProtocol
    return (await this.membership.speaksConsumerProtocol(this.wanted instanceof RegExp)) ? 'consumer' : 'classic'
  }

  private tell(): void {
    const { wanted, topics, protocol } = this
    if (protocol === null || this.closed || this.paused) return
    this.counts = this.countPartitions()
    const atBroker = wanted instanceof RegExp && protocol === 'consumer'
    const subscription = atBroker ? { topics: [], pattern: asRe2(wanted) } : { topics, pattern: null }
    void this.membership.subscribe(subscription, protocol)
  }

  private countPartitions(): Map<string, number> {
    return new Map(this.topics.map((topic) => [topic, this.cluster.knownTopic(topic)?.partitions.length ?? 0]))
  }

  private async matching(expression: RegExp): Promise<string[]> {
    const { topics } = await this.cluster.metadata(null)
    const names = topics.filter(({ isInternal }) => !isInternal).map(({ name }) => name ?? '')
    // A global or sticky expression remembers where it was.
    const test = new RegExp(expression.source, expression.flags.replace(/[gy]/g, ''))
    return names.filter((name) => test.test(name)).sort()
  }

  private schedule(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    if (this.closed || this.paused) return
    const missing = [...this.counts.values()].includes(0)
    const { topicsRefreshMs } = this.settings
    const waitMs = missing ? Math.min(MISSING_REFRESH_MS, topicsRefreshMs) : topicsRefreshMs
    this.timer = setTimeout(() => void this.refresh(), waitMs)
  }

  private async refresh(): Promise<void> {
    try {
      await this.look()
    } catch (error) {
      if (this.closed) return
      const failure = asKafkaError(error, 'ERR_BAD_RESPONSE', 'look for topics')
      if (!isConnectionLoss(failure) && !failure.retriable) {
        this.fatal(failure)
        return
      }
    }
    this.schedule()
  }

  private async look(): Promise<void> {
    // With `auto` the group may have turned out to be a classic one.
    this.protocol = this.membership.protocol ?? this.protocol
    if (this.protocol !== 'classic') {
      if (this.topics.length > 0) await this.cluster.update(this.topics)
      this.counts = this.countPartitions()
      return
    }
    const { wanted } = this
    if (wanted instanceof RegExp) {
      const topics = await this.matching(wanted)
      // Something else was subscribed to meanwhile.
      if (this.wanted !== wanted) return
      if (topics.join(',') !== this.topics.join(',')) {
        this.topics = topics
        this.tell()
        return
      }
    } else if (this.topics.length > 0) await this.cluster.update(this.topics)
    const counts = this.countPartitions()
    const changed = [...counts].some(([topic, count]) => this.counts.get(topic) !== count)
    this.counts = counts
    // One member is enough to begin a rebalance; the leader is the one that dealt the partitions out.
    if (changed && this.membership.isLeader) this.membership.dispatch({ type: 'rejoin' })
  }
}

/** The broker matches whole names, in RE2; an expression here may match a part of one, as `test` does. */
function asRe2({ source, ignoreCase }: RegExp): string {
  return `${ignoreCase ? '(?i)' : ''}.*(?:${source}).*`
}
