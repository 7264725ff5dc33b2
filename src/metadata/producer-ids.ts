/**
 * Hands out producer ids. Every process takes blocks of them from the store by compare-and-set, so that no id is ever given twice;
 * what is left of a block when the process ends is lost, as in Kafka.
 */
import type { MetadataStore } from './store.ts'
import { decodeValue, encodeValue, PRODUCER_IDS_KEY, type ProducerIdsValue } from './values.ts'

export const PRODUCER_ID_BLOCK = 1000

export class ProducerIds {
  readonly #store: MetadataStore
  #next = 0
  #end = 0
  /** The block being fetched; everybody who needs one waits for the same. */
  #refill: Promise<void> | null = null

  constructor(store: MetadataStore) {
    this.#store = store
  }

  /** Without waiting, as long as the block lasts. */
  next(): number | Promise<number> {
    return this.#next < this.#end ? this.#next++ : this.#nextOfNewBlock()
  }

  async #nextOfNewBlock(): Promise<number> {
    while (this.#next >= this.#end) {
      this.#refill ??= this.#takeBlock().finally(() => {
        this.#refill = null
      })
      await this.#refill
    }
    return this.#next++
  }

  async #takeBlock(): Promise<void> {
    for (;;) {
      const entry = await this.#store.get(PRODUCER_IDS_KEY)
      const first = entry === null ? 0 : decodeValue<ProducerIdsValue>(entry.key, entry.value).next
      const value: ProducerIdsValue = { next: first + PRODUCER_ID_BLOCK }
      const result = await this.#store.transact({
        checks: [{ key: PRODUCER_IDS_KEY, revision: entry?.revision ?? null }],
        puts: [{ key: PRODUCER_IDS_KEY, value: encodeValue(value) }],
      })
      if (!result.ok) continue
      this.#next = first
      this.#end = first + PRODUCER_ID_BLOCK
      return
    }
  }
}
