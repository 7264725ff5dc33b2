/**
 * Where to read on: from what the group has committed, from where the reset policy says, or from where a new leader's log still agrees
 * with what was read (KIP-320).
 *
 * What must hold: a partition is fetched only once this is settled; while it is not, the partition is marked `resolving`. What cannot be
 * settled now is tried again until it can, or is an error for the application.
 */

import { ErrorCode, isRetriable } from '../../protocol/errors.ts'
import {
  OffsetForLeaderEpochRequest,
  OffsetForLeaderEpochResponse,
} from '../../protocol/messages/23-offset-for-leader-epoch.ts'
import { unlessAborted } from '../call.ts'
import type { Cluster } from '../cluster.ts'
import { asKafkaError, brokerError, isConnectionLoss, KafkaError } from '../errors.ts'
import { EARLIEST_TIMESTAMP, LATEST_TIMESTAMP, queryOffsets } from '../offsets.ts'
import { backoffMs, sleep } from '../retry.ts'
import type { GroupOffsets } from './group-offsets.ts'
import type { OffsetReset, ResolvedSettings } from './options.ts'
import { type PartitionState, UNKNOWN_OFFSET } from './partition-state.ts'
import type { PartitionTable } from './partition-table.ts'

/** Also the first record of a given time. */
export type ResetPoint = OffsetReset | { readonly timestamp: number }

/** What has to be found out about a partition. */
type Need =
  | { readonly kind: 'committed' }
  | { readonly kind: 'reset'; readonly to: ResetPoint; readonly because: string }
  | { readonly kind: 'validate' }

export interface PositionHooks<V, K> {
  fatal(error: KafkaError): void
  /** Positions are known: there is something to fetch. */
  settled(): void
  /** Records between the two offsets will not be read: they are gone. */
  skipped(state: PartitionState<V, K>, from: number, to: number): void
}

export class Positions<V, K> {
  private readonly cluster: Cluster
  private readonly settings: ResolvedSettings
  private readonly table: PartitionTable<V, K>
  private readonly offsets: GroupOffsets | null
  private readonly hooks: PositionHooks<V, K>
  private readonly needs = new Map<PartitionState<V, K>, Need>()
  private running: Promise<void> | null = null
  private readonly abort = new AbortController()
  /** What was read from, by name: to know a topic that was made anew. */
  private readonly topics = new Map<string, { readonly topicId: string; readonly isReplaced: boolean }>()

  constructor(
    cluster: Cluster,
    settings: ResolvedSettings,
    table: PartitionTable<V, K>,
    offsets: GroupOffsets | null,
    hooks: PositionHooks<V, K>,
  ) {
    this.cluster = cluster
    this.settings = settings
    this.table = table
    this.offsets = offsets
    this.hooks = hooks
  }

  /** The topic was deleted and made anew: all of it is new, whatever the policy says of what was there before. */
  replaced(state: PartitionState<V, K>): void {
    this.isReplaced(state.topic)
    this.table.moveTo(state, { offset: UNKNOWN_OFFSET, leaderEpoch: -1 })
    state.committed = UNKNOWN_OFFSET
    this.resetForNew(state)
  }

  /** A partition that has just been assigned. */
  begin(state: PartitionState<V, K>): void {
    if (this.offsets === null) this.resetByPolicy(state, 'there is no group to have committed one')
    else this.need(state, { kind: 'committed' })
  }

  reset(state: PartitionState<V, K>, to: ResetPoint, because: string): void {
    this.need(state, { kind: 'reset', to, because })
  }

  /** The position is not in the log. */
  lost(state: PartitionState<V, K>): void {
    this.resetByPolicy(state, `offset ${state.fetchOffset} is not in the log`)
  }

  validate(state: PartitionState<V, K>): void {
    this.need(state, { kind: 'validate' })
  }

  /** Whether an answer to where to read on is awaited. */
  isAsked(state: PartitionState<V, K>): boolean {
    return this.needs.has(state)
  }

  /** The application has said where to read on. */
  settle(state: PartitionState<V, K>): void {
    this.needs.delete(state)
    state.resolving = false
  }

  async close(): Promise<void> {
    this.abort.abort()
    await this.running
  }

  private resetByPolicy(state: PartitionState<V, K>, because: string): void {
    this.reset(state, this.settings.offsetReset(state.topic), because)
  }

  private need(state: PartitionState<V, K>, need: Need): void {
    const known = this.needs.get(state)
    if (need.kind === 'validate' && known !== undefined) return
    state.resolving = true
    this.needs.set(state, need)
    this.begun()
  }

  private begun(): void {
    this.running ??= this.run().finally(() => {
      this.running = null
      // Needed when the last round was just over.
      if (this.needs.size > 0 && !this.abort.signal.aborted) this.begun()
    })
  }

  private async run(): Promise<void> {
    // Together with what else is asked for in this turn.
    await Promise.resolve()
    for (let attempt = 0; this.needs.size > 0 && !this.abort.signal.aborted; ) {
      for (const state of this.needs.keys()) if (state.revoking) this.needs.delete(state)
      const before = this.needs.size
      try {
        await this.settleCommitted()
        await this.settleResets()
        await this.settleDoubts()
        if (this.needs.size < before) attempt = 0
      } catch (error) {
        if (this.abort.signal.aborted) return
        const failure = asKafkaError(error, 'ERR_BAD_RESPONSE', 'find out where to read on')
        if (!failure.retriable && !isConnectionLoss(failure)) {
          for (const state of this.needs.keys()) this.settle(state)
          this.hooks.fatal(failure)
          return
        }
      }
      this.hooks.settled()
      if (this.needs.size === 0) return
      await sleep(backoffMs(this.cluster.retry, attempt++), this.abort.signal).catch(() => undefined)
    }
  }

  private ofKind<Kind extends Need['kind']>(kind: Kind): [PartitionState<V, K>, Extract<Need, { kind: Kind }>][] {
    return [...this.needs].filter(
      (row): row is [PartitionState<V, K>, Extract<Need, { kind: Kind }>] => row[1].kind === kind,
    )
  }

  /** Whether the question is still the one that was asked. */
  private isOpen(state: PartitionState<V, K>, need: Need): boolean {
    return this.needs.get(state) === need && !state.revoking
  }

  private async settleCommitted(): Promise<void> {
    const asked = this.ofKind('committed')
    if (asked.length === 0 || this.offsets === null) return
    const found = await this.offsets.fetch(
      asked.map(([state]) => state),
      this.abort.signal,
    )
    const byKey = new Map(found.map((each) => [`${each.topic}:${each.partition}`, each]))
    for (const [state, need] of asked) {
      if (!this.isOpen(state, need)) continue
      const committed = byKey.get(state.key)
      if (committed === undefined) {
        this.needs.delete(state)
        if (this.isReplaced(state.topic)) this.resetForNew(state)
        else this.resetByPolicy(state, 'the group has committed none')
        continue
      }
      this.settle(state)
      this.table.moveTo(state, committed)
      state.committed = committed.offset
      if (state.mustValidate) this.validate(state)
    }
  }

  private resetForNew(state: PartitionState<V, K>): void {
    const to = this.settings.offsetReset(state.topic) === 'none' ? 'none' : 'earliest'
    this.reset(state, to, `the topic '${state.topic}' was deleted and made anew`)
  }

  /** True if partitions of a topic of this name were read from before, and it is another one now. */
  private isReplaced(topic: string): boolean {
    const topicId = this.cluster.knownTopic(topic)?.topicId
    const before = this.topics.get(topic)
    if (topicId === undefined || before?.topicId === topicId) return before?.isReplaced ?? false
    this.topics.set(topic, { topicId, isReplaced: before !== undefined })
    return before !== undefined
  }

  private async settleResets(): Promise<void> {
    const asked = this.ofKind('reset')
    const refused = asked.find(([, { to }]) => to === 'none')
    if (refused !== undefined) {
      const [{ topic, partition }, { because }] = refused
      const message = `${topic}-${partition}: no offset to read on from, and offsetReset is 'none': ${because}`
      throw new KafkaError('ERR_NO_OFFSET', message)
    }
    if (asked.length === 0) return
    const nowMs = Date.now()
    const queries = asked.map(([{ topic, partition }, { to }]) => ({
      topic,
      partition,
      timestamp: timestampOf(to, nowMs),
    }))
    const found = await this.query(queries)
    // Nothing is as young as that: from the end on.
    const young = found.filter(({ errorCode, offset }) => errorCode === 0 && offset < 0)
    const ends =
      young.length === 0 ? [] : await this.query(young.map((row) => ({ ...row, timestamp: LATEST_TIMESTAMP })))
    const final = new Map([...found, ...ends].map((row) => [`${row.topic}:${row.partition}`, row]))
    for (const [state, need] of asked) {
      const row = final.get(state.key)
      if (row === undefined || !this.isOpen(state, need)) continue
      if (row.errorCode !== 0) {
        if (isRetriable(row.errorCode)) continue
        throw brokerError(row.errorCode, `find where ${state.topic}-${state.partition} begins`)
      }
      const from = state.position
      this.settle(state)
      this.table.moveTo(state, { offset: row.offset, leaderEpoch: -1 })
      if (from !== UNKNOWN_OFFSET && from < row.offset) this.hooks.skipped(state, from, row.offset)
    }
  }

  private query(queries: Parameters<typeof queryOffsets>[1]): ReturnType<typeof queryOffsets> {
    const { readCommitted } = this.settings
    return queryOffsets(this.cluster, queries, { readCommitted, signal: this.abort.signal })
  }

  /** Asks leaders where their logs of the epochs end that was read from. */
  private async settleDoubts(): Promise<void> {
    const asked = this.ofKind('validate')
    if (asked.length === 0) return
    const { signal } = this.abort
    const byLeader = Map.groupBy(
      asked,
      ([{ topic, partition }]) => this.cluster.partition(topic, partition)?.leaderId ?? -1,
    )
    for (const [leaderId, rows] of byLeader) {
      if (leaderId < 0) {
        await this.cluster.update(new Set(rows.map(([{ topic }]) => topic)))
        continue
      }
      const leader = await unlessAborted(this.cluster.broker(leaderId), signal, 'check positions')
      if (!leader.versions.has(OffsetForLeaderEpochRequest.key)) {
        for (const [state] of rows) this.confirm(state)
        continue
      }
      const request = {
        replicaId: -1,
        topics: [...Map.groupBy(rows, ([{ topic }]) => topic)].map(([topic, partitions]) => ({
          topic,
          partitions: partitions.map(([state]) => ({
            partition: state.partition,
            currentLeaderEpoch: this.cluster.partition(topic, state.partition)?.leaderEpoch ?? -1,
            leaderEpoch: state.fetchEpoch,
          })),
        })),
      }
      const answer = await leader.send(OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, request, { signal })
      const stale = new Set<string>()
      for (const { topic, partitions } of answer.topics) {
        for (const row of partitions) {
          const found = rows.find(([state]) => state.topic === topic && state.partition === row.partition)
          if (found === undefined || !this.isOpen(...found)) continue
          if (row.errorCode === 0) this.compare(found[0], row)
          else if (isRetriable(row.errorCode)) stale.add(topic)
          else if (row.errorCode === ErrorCode.TOPIC_AUTHORIZATION_FAILED) {
            throw brokerError(row.errorCode, `check the position in ${topic}-${row.partition}`)
          } else this.confirm(found[0])
        }
      }
      if (stale.size > 0) await this.cluster.update(stale)
    }
  }

  private confirm(state: PartitionState<V, K>): void {
    state.mustValidate = false
    this.settle(state)
  }

  private compare(state: PartitionState<V, K>, log: { leaderEpoch: number; endOffset: number }): void {
    if (log.endOffset >= state.fetchOffset && log.leaderEpoch >= 0) {
      this.confirm(state)
      return
    }
    const what = `${state.topic}-${state.partition}: what was read before offset ${state.fetchOffset} is not in its new leader's log`
    if (log.endOffset < 0 || log.leaderEpoch < 0) {
      state.mustValidate = false
      this.resetByPolicy(state, what)
      return
    }
    if (this.settings.offsetReset(state.topic) === 'none') throw new KafkaError('ERR_LOG_TRUNCATED', what)
    this.settle(state)
    // What was only fetched is fetched again; what was handed out and is gone cannot be taken back.
    if (state.position <= log.endOffset) this.table.refetch(state)
    else this.table.moveTo(state, { offset: log.endOffset, leaderEpoch: -1 })
  }
}

function timestampOf(to: ResetPoint, nowMs: number): number {
  if (to === 'earliest') return EARLIEST_TIMESTAMP
  if (typeof to !== 'object') return LATEST_TIMESTAMP
  return 'agoMs' in to ? nowMs - to.agoMs : to.timestamp
}
