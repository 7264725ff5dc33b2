/**
 * What a share group was promised of each record, and whether it is kept: a record that was acknowledged never comes again, one that came too
 * often neither, nobody gets what somebody else has locked, and in the end everything that can be read was handed out. It hears of every answer
 * that the broker has given, also of those that nobody was there for any more.
 */

/** What a member said of records that it had, and what is known of that once the broker has answered. */
export type Verdict = 'accept' | 'release' | 'reject'

export interface Delivery {
  readonly firstOffset: number
  readonly lastOffset: number
  readonly deliveryCount: number
}

interface Claim {
  readonly member: object
  /** Monotonic. */
  untilMs: number
  /** Whether the connection is there on which it was acquired: with that the claim ends. */
  isAlive(): boolean
}

interface KnownRecord {
  /** How often it was delivered at least, as an acknowledged release says. */
  deliveries: number
  wasHandedOut: boolean
  /** Accepted or rejected, acknowledged; or released by the last delivery that is allowed. */
  isDone: boolean
  claim: Claim | null
}

export class ShareLedger {
  readonly group: string
  readonly deliveryLimit: number
  readonly #problems: string[]
  readonly #partitions = new Map<string, Map<number, KnownRecord>>()
  /** Whether locks hold; what a failed disk makes the broker forget is free again. */
  readonly #locksHold: () => boolean
  handedOut = 0
  acknowledged = 0
  /** Records that came more than once, as they may. */
  repeated = 0

  constructor(options: {
    readonly group: string
    readonly deliveryLimit: number
    readonly problems: string[]
    readonly locksHold: () => boolean
  }) {
    this.group = options.group
    this.deliveryLimit = options.deliveryLimit
    this.#problems = options.problems
    this.#locksHold = options.locksHold
  }

  #record(partition: string, offset: number): KnownRecord {
    const records = this.#partitions.get(partition) ?? new Map<number, KnownRecord>()
    this.#partitions.set(partition, records)
    const known = records.get(offset) ?? { deliveries: 0, wasHandedOut: false, isDone: false, claim: null }
    records.set(offset, known)
    return known
  }

  /** The broker has handed records out, to whoever listens. */
  delivered(
    partition: string,
    { firstOffset, lastOffset, deliveryCount }: Delivery,
    claim: Claim,
    nowMs: number,
  ): void {
    const at = (offset: number) => `${this.group}: ${partition}@${offset}`
    for (let offset = firstOffset; offset <= lastOffset; offset++) {
      const record = this.#record(partition, offset)
      if (record.isDone) this.#problems.push(`${at(offset)} was done with, and is delivered again`)
      if (deliveryCount > this.deliveryLimit) this.#problems.push(`${at(offset)} is delivered ${deliveryCount} times`)
      if (deliveryCount <= record.deliveries) {
        this.#problems.push(`${at(offset)}: delivery ${deliveryCount} after ${record.deliveries} were acknowledged`)
      }
      const { claim: other } = record
      const isTaken = other !== null && other.member !== claim.member && other.untilMs > nowMs && other.isAlive()
      if (isTaken && this.#locksHold()) this.#problems.push(`${at(offset)} is delivered to two members at a time`)
      if (record.wasHandedOut) this.repeated++
      record.wasHandedOut = true
      record.claim = claim
      this.handedOut++
    }
  }

  /** From now on, as far as anybody knows, others may get them. */
  giveUp(partition: string, offsets: readonly number[]): void {
    for (const offset of offsets) this.#record(partition, offset).claim = null
  }

  renewed(partition: string, offset: number, member: object, untilMs: number): void {
    const { claim } = this.#record(partition, offset)
    if (claim?.member === member) claim.untilMs = Math.max(claim.untilMs, untilMs)
  }

  /** The broker has said that it holds. */
  acknowledge(partition: string, offset: number, verdict: Verdict, deliveryCount: number): void {
    const record = this.#record(partition, offset)
    this.acknowledged++
    if (verdict !== 'release' || deliveryCount >= this.deliveryLimit) record.isDone = true
    else record.deliveries = Math.max(record.deliveries, deliveryCount)
  }

  /** At the end, when everything was fetched: of these records none may have been passed over. */
  checkAllSeen(partition: string, offsets: readonly number[]): void {
    const records = this.#partitions.get(partition)
    const missing = offsets.filter((offset) => records?.get(offset)?.wasHandedOut !== true)
    if (missing.length > 0) {
      this.#problems.push(`${this.group}: ${partition} has records that nobody ever got: ${missing.join(', ')}`)
    }
  }
}
