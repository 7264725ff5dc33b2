/**
 * Feature levels: which of the protocols that clients switch on by a feature are on (KIP-584). The one registry of them; ApiVersions
 * shows it, UpdateFeatures changes it, and whoever implements a feature asks `level`.
 *
 * What must hold: a level that is shown is served. A feature whose `max` is 0 is not shown at all, and its level is 0.
 */
import type { MetadataStore } from './store.ts'
import { StoreView } from './store-view.ts'

export interface Feature {
  readonly name: FeatureName
  readonly min: number
  /** The highest level this broker serves. */
  readonly max: number
  /** The level of a cluster in which nobody has changed it: what `kafka-storage format` of Kafka 4.3 chooses. */
  readonly initial: number
}

export type FeatureName =
  | 'eligible.leader.replicas.version'
  | 'group.version'
  | 'kraft.version'
  | 'metadata.version'
  | 'share.version'
  | 'streams.version'
  | 'transaction.version'

/** Levels as in Kafka 4.3.1 once they are served: group 1, share 1, streams 1, transaction 2. */
export const FEATURES: readonly Feature[] = [
  { name: 'eligible.leader.replicas.version', min: 0, max: 1, initial: 1 },
  { name: 'group.version', min: 0, max: 1, initial: 1 },
  // The quorum's own protocol; there is one voter and it stays so.
  { name: 'kraft.version', min: 0, max: 1, initial: 0 },
  // The level of Kafka 4.3 (4.3-IV0), whose formats and answers these are.
  { name: 'metadata.version', min: 7, max: 30, initial: 30 },
  { name: 'share.version', min: 0, max: 0, initial: 1 },
  { name: 'streams.version', min: 0, max: 0, initial: 1 },
  { name: 'transaction.version', min: 0, max: 2, initial: 2 },
]

export const FEATURES_PREFIX = 'features/'

export interface FeatureValue {
  readonly level: number
}

const FEATURES_BY_NAME: ReadonlyMap<string, Feature> = new Map(FEATURES.map((feature) => [feature.name, feature]))

/** What clients may be told of: features with a level above 0 that is served. */
export function servedFeatures(): Feature[] {
  return FEATURES.filter(({ max }) => max > 0)
}

export class Features {
  readonly #view: StoreView<FeatureValue>

  private constructor(view: StoreView<FeatureValue>) {
    this.#view = view
  }

  static async load(store: MetadataStore): Promise<Features> {
    return new Features(await StoreView.load<FeatureValue>(store, FEATURES_PREFIX))
  }

  /** The finalized level; 0 is off. */
  level(name: FeatureName): number {
    const { max, initial } = FEATURES_BY_NAME.get(name)!
    // A level of a later release that this one does not know is not served either.
    return Math.min(this.#view.get(name)?.value.level ?? initial, max)
  }

  /** Served features that are on, with their level. */
  finalized(): { name: FeatureName; level: number }[] {
    return servedFeatures()
      .map(({ name }) => ({ name, level: this.level(name) }))
      .filter(({ level }) => level > 0)
  }

  onChange(listener: () => void): () => void {
    return this.#view.onChange(listener)
  }

  close(): void {
    this.#view.close()
  }
}
