/**
 * What a member says of records that it has acquired, held against who has them. One record that it does not have spoils all it says
 * about the partition; records before the start offset are done with and count as said.
 */
import { ErrorCode } from '../../protocol/errors.ts'
import type { InFlightBatch } from './in-flight-batch.ts'
import { type AcknowledgeType, changing, clipped, type Run, stateAfter } from './record-states.ts'

export interface AcknowledgedBatch {
  readonly firstOffset: number
  readonly lastOffset: number
  /** One for all, or one for each. */
  readonly types: readonly AcknowledgeType[]
}

export interface RecordRefusal {
  readonly errorCode: ErrorCode
  readonly message: string
}

export interface AcknowledgementRules {
  readonly memberId: string
  /** Under which the changes are noted. */
  readonly change: number
  readonly deliveryLimit: number
  /** What a renewed lock lasts until. */
  readonly lockedUntilMs: number
  readonly mayRenew: boolean
}

function invalidState(message: string): RecordRefusal {
  return { errorCode: ErrorCode.INVALID_RECORD_STATE, message }
}

function invalidRequest(message: string): RecordRefusal {
  return { errorCode: ErrorCode.INVALID_REQUEST, message }
}

const BATCH_NOT_ACQUIRED = 'The batch cannot be acknowledged. The batch is not in the acquired state.'
const BEING_WRITTEN = 'The record state is invalid. The acknowledgement of delivery could not be completed.'

export class Acknowledgement {
  readonly #batches: readonly InFlightBatch[]
  readonly #rules: AcknowledgementRules

  constructor(batches: readonly InFlightBatch[], rules: AcknowledgementRules) {
    this.#batches = batches
    this.#rules = rules
  }

  /** null: it is noted. */
  apply(
    batch: AcknowledgedBatch,
    { startOffset, endOffset }: { readonly startOffset: number; readonly endOffset: number },
  ): RecordRefusal | null {
    if (batch.lastOffset < startOffset) return null
    const firstOffset = Math.max(batch.firstOffset, startOffset)
    const first = this.#batches[0]
    if (first === undefined || first.firstOffset > firstOffset) {
      return invalidState('Batch record not found. The request batch offsets are not found in the cache.')
    }
    if (firstOffset >= endOffset) {
      return invalidRequest('Batch record not found. The first offset in request is past acquired records.')
    }
    if (batch.lastOffset >= endOffset) {
      return invalidRequest('Batch record not found. The last offset in request is past acquired records.')
    }
    for (const inFlight of this.#batches) {
      if (inFlight.lastOffset < firstOffset) continue
      if (inFlight.firstOffset > batch.lastOffset) break
      const refusal = this.#applyTo(inFlight, batch, firstOffset)
      if (refusal !== null) return refusal
    }
    return null
  }

  #applyTo(inFlight: InFlightBatch, batch: AcknowledgedBatch, firstOffset: number): RecordRefusal | null {
    const isWhole = inFlight.firstOffset >= batch.firstOffset && inFlight.lastOffset <= batch.lastOffset
    if (!inFlight.isSplit) {
      const refusal = this.#checkWhole(inFlight.runs[0]!)
      if (refusal !== null) return refusal
      if (!isWhole || batch.types.length > 1) inFlight.isSplit = true
    }
    for (const run of [...inFlight.runs]) {
      const meant = clipped(run, firstOffset, batch.lastOffset)
      if (meant === null) continue
      const refusal = inFlight.isSplit ? this.#checkRecord(meant) : null
      if (refusal !== null) return refusal
      const noted = this.#note(inFlight, batch, meant)
      if (noted !== null) return noted
    }
    return null
  }

  #checkWhole({ memberId, change }: Run): RecordRefusal | null {
    if (memberId === null) return invalidState(BATCH_NOT_ACQUIRED)
    if (memberId !== this.#rules.memberId) return invalidState('Member is not the owner of batch record')
    return change === 0 ? null : invalidState(BEING_WRITTEN)
  }

  #checkRecord({ state, memberId, change }: Run): RecordRefusal | null {
    if (state !== 'acquired') {
      return invalidState('The offset cannot be acknowledged. The offset is not acquired.')
    }
    if (change !== 0) return invalidState(BEING_WRITTEN)
    return memberId === this.#rules.memberId ? null : invalidState('Member is not the owner of offset')
  }

  /** Notes what is said of the part of a run; where each record has its own type, those that agree go together. */
  #note(inFlight: InFlightBatch, batch: AcknowledgedBatch, meant: Run): RecordRefusal | null {
    const { types, firstOffset } = batch
    const typeOf = (offset: number): AcknowledgeType => (types.length === 1 ? types[0]! : types[offset - firstOffset]!)
    for (let first = meant.firstOffset; first <= meant.lastOffset; ) {
      const type = typeOf(first)
      let last = types.length === 1 ? meant.lastOffset : first
      while (last < meant.lastOffset && typeOf(last + 1) === type) last++
      const refusal = this.#change(inFlight, { firstOffset: first, lastOffset: last }, type)
      if (refusal !== null) return refusal
      first = last + 1
    }
    return null
  }

  #change(
    inFlight: InFlightBatch,
    { firstOffset, lastOffset }: { readonly firstOffset: number; readonly lastOffset: number },
    type: AcknowledgeType,
  ): RecordRefusal | null {
    const { change, deliveryLimit, lockedUntilMs, mayRenew } = this.#rules
    if (type === 'renew') {
      if (!mayRenew) return invalidState('Renewing acquisition locks is not enabled for the group.')
      inFlight.replace(firstOffset, lastOffset, (run) => ({ ...run, lockedUntilMs }))
      return null
    }
    inFlight.replace(firstOffset, lastOffset, (run) => {
      return changing(run, stateAfter(type, run.deliveryCount, deliveryLimit), change)
    })
    return null
  }
}
