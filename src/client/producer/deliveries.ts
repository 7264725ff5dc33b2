/** Who waits for a record, and how they are told. One object per record that somebody waits for, none for the others. */
import type { KafkaError } from '../errors.ts'
import { fromCallSite } from '../errors.ts'
import { type RecordSettled, tell } from '../observe/hooks.ts'
import type { RecordMetadata } from './record.ts'

export interface Delivery {
  /** Whether the program hears of a failure. */
  readonly isHeard: boolean
  /** The record's own timestamp, for the answer. */
  timestamp: number
  delivered(metadata: RecordMetadata): void
  /** `origin` was made where the first record of the batch was sent. */
  failed(error: KafkaError, origin: Error | null): void
}

export class SingleDelivery implements Delivery {
  readonly isHeard = true
  timestamp = 0
  readonly promise: Promise<RecordMetadata>
  delivered!: (metadata: RecordMetadata) => void
  private reject!: (error: KafkaError) => void

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.delivered = resolve
      this.reject = reject
    })
  }

  failed(error: KafkaError, origin: Error | null): void {
    this.reject(fromCallSite(error, origin))
  }
}

/** Tells a hook, and whoever waits. */
export class ObservedDelivery implements Delivery {
  timestamp = 0
  private readonly inner: Delivery | null
  private readonly settled: RecordSettled

  constructor(inner: Delivery | null, settled: RecordSettled) {
    this.inner = inner
    this.settled = settled
  }

  get isHeard(): boolean {
    return this.inner !== null
  }

  delivered(metadata: RecordMetadata): void {
    tell(this.settled, null, metadata)
    this.inner?.delivered(metadata)
  }

  failed(error: KafkaError, origin: Error | null): void {
    tell(this.settled, error, null)
    this.inner?.failed(error, origin)
  }
}

/** Several records sent in one call: resolves when all are delivered, rejects with the first that is not. */
export class ManyDeliveries {
  readonly promise: Promise<RecordMetadata[]>
  private readonly results: RecordMetadata[]
  private missing: number
  private resolve!: (results: RecordMetadata[]) => void
  private reject!: (error: KafkaError) => void

  constructor(count: number) {
    this.missing = count
    this.results = new Array<RecordMetadata>(count)
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    if (count === 0) this.resolve([])
  }

  at(index: number): Delivery {
    return new DeliveryOfMany(this, index)
  }

  delivered(index: number, metadata: RecordMetadata): void {
    this.results[index] = metadata
    this.missing -= 1
    if (this.missing === 0) this.resolve(this.results)
  }

  failed(error: KafkaError, origin: Error | null): void {
    this.reject(fromCallSite(error, origin))
  }
}

/** There are many of them: small, and without functions of their own. */
class DeliveryOfMany implements Delivery {
  timestamp = 0
  private readonly many: ManyDeliveries
  private readonly index: number

  constructor(many: ManyDeliveries, index: number) {
    this.many = many
    this.index = index
  }

  get isHeard(): boolean {
    return true
  }

  delivered(metadata: RecordMetadata): void {
    this.many.delivered(this.index, metadata)
  }

  failed(error: KafkaError, origin: Error | null): void {
    this.many.failed(error, origin)
  }
}
