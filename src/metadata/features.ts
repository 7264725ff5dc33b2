/**
 * Feature levels: which of the protocols that clients switch on by a feature are on (KIP-584). The one registry of them; ApiVersions
 * shows it, UpdateFeatures changes it, and whoever implements a feature asks `level`.
 *
 * What must hold: a level that is shown is served. A feature whose `max` is 0 is not shown at all, and its level is 0.
 */
import { ErrorCode } from '../protocol/errors.ts'
import { type MetadataStore, MetadataStoreError } from './store.ts'
import { StoreView } from './store-view.ts'
import { encodeValue } from './values.ts'

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
  { name: 'share.version', min: 0, max: 1, initial: 1 },
  { name: 'streams.version', min: 0, max: 1, initial: 1 },
  { name: 'transaction.version', min: 0, max: 2, initial: 2 },
]

export const FEATURES_PREFIX = 'features/'

export interface FeatureValue {
  readonly level: number
}

/** Levels say how Kafka writes its metadata, of which there is none to write anew: metadata.version stays as it is. */
const NO_DOWNGRADE = {
  safe: 'Refusing to perform the requested downgrade because it might delete metadata information.',
  unsafe: 'Unsafe metadata downgrade is not supported in this version.',
}

const FEATURES_BY_NAME: ReadonlyMap<string, Feature> = new Map(FEATURES.map((feature) => [feature.name, feature]))

/** What clients may be told of: features with a level above 0 that is served. */
export function servedFeatures(): Feature[] {
  return FEATURES.filter(({ max }) => max > 0)
}

/** The protocol's numbers for what kind of change is meant. */
export const UpgradeType = { UPGRADE: 1, SAFE_DOWNGRADE: 2, UNSAFE_DOWNGRADE: 3 } as const

export interface FeatureUpdate {
  readonly name: string
  readonly level: number
  readonly upgradeType: number
}

export interface FeatureUpdateResult {
  readonly errorCode: ErrorCode
  readonly errorMessage: string | null
}

const UPDATED: FeatureUpdateResult = { errorCode: ErrorCode.NONE, errorMessage: null }
const MAX_ATTEMPTS = 20

export class Features {
  readonly #store: MetadataStore
  readonly #view: StoreView<FeatureValue>
  /** Refusals name it as Kafka's name the controller. */
  readonly #nodeId: number

  private constructor(store: MetadataStore, view: StoreView<FeatureValue>, nodeId: number) {
    this.#store = store
    this.#view = view
    this.#nodeId = nodeId
  }

  static async load(store: MetadataStore, nodeId: number): Promise<Features> {
    return new Features(store, await StoreView.load<FeatureValue>(store, FEATURES_PREFIX), nodeId)
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

  /** UpdateFeatures: all of it or, with the first reason, nothing. A feature that is named twice gets its last level. */
  async update(updates: readonly FeatureUpdate[], validateOnly: boolean): Promise<FeatureUpdateResult> {
    const wanted = new Map(updates.map((update) => [update.name, update]))
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      for (const update of wanted.values()) {
        const reason = this.#refuse(update)
        if (reason !== null) return { errorCode: ErrorCode.INVALID_UPDATE_VERSION, errorMessage: reason }
      }
      const changed = [...wanted.values()].filter(({ name, level }) => level !== this.level(name as FeatureName))
      if (validateOnly || changed.length === 0) return UPDATED
      try {
        if (await this.#save(changed)) return UPDATED
      } catch (error) {
        if (!(error instanceof MetadataStoreError)) throw error
        return { errorCode: ErrorCode.KAFKA_STORAGE_ERROR, errorMessage: error.message }
      }
    }
    return { errorCode: ErrorCode.REQUEST_TIMED_OUT, errorMessage: 'The features are being changed by others' }
  }

  async #save(updates: readonly FeatureUpdate[]): Promise<boolean> {
    const keyed = updates.map(({ name, level }) => ({
      name,
      key: FEATURES_PREFIX + name,
      value: encodeValue({ level }),
    }))
    const { ok } = await this.#store.transact({
      checks: keyed.map(({ name, key }) => ({ key, revision: this.#view.get(name)?.revision ?? null })),
      puts: keyed.map(({ key, value }) => ({ key, value })),
    })
    return ok
  }

  /** Why this level cannot be; null: it can. */
  #refuse({ name, level, upgradeType }: FeatureUpdate): string | null {
    const invalid = (reason: string): string => `Invalid update version ${level} for feature ${name}. ${reason}`
    const feature = FEATURES_BY_NAME.get(name)
    const controller = `Local controller ${this.#nodeId}`
    if (feature === undefined || feature.max === 0) return invalid(`${controller} does not support this feature.`)
    if (!Object.values<number>(UpgradeType).includes(upgradeType)) {
      return invalid('The given upgrade type is not supported.')
    }
    if (level < 0) return invalid('A feature version cannot be less than 0.')
    if (level < feature.min || level > feature.max) {
      return invalid(`${controller} only supports versions ${feature.min}-${feature.max}`)
    }
    const current = this.level(feature.name)
    if (level < current && upgradeType === UpgradeType.UPGRADE) {
      return invalid(
        "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade.",
      )
    }
    if (level === current) return null
    if (name === 'kraft.version') return invalid('The metadata has one voter, which is this broker.')
    if (name !== 'metadata.version') return null
    const why = upgradeType === UpgradeType.UNSAFE_DOWNGRADE ? NO_DOWNGRADE.unsafe : NO_DOWNGRADE.safe
    return `Unsupported metadata.version downgrade from ${current} to ${level}. ${why}`
  }

  onChange(listener: () => void): () => void {
    return this.#view.onChange(listener)
  }

  close(): void {
    this.#view.close()
  }
}
