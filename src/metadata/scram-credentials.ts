/**
 * SCRAM credentials of users (RFC 5802), as they are stored: never a password, only what proves one. Changed and described by admin
 * requests; who logs in with them reads `get`.
 *
 * What must hold: a user's credentials change as one request asks, or the request's row for that user says why not.
 */
import { createHash, createHmac } from 'node:crypto'
import { ErrorCode } from '../protocol/errors.ts'
import { type MetadataStore, MetadataStoreError } from './store.ts'
import { StoreView } from './store-view.ts'
import { encodeValue } from './values.ts'

export const SCRAM_PREFIX = 'scram/'

export function scramKey(user: string): string {
  return SCRAM_PREFIX + user
}

/** The protocol's numbers of the mechanisms. */
export const ScramMechanism = { SHA_256: 1, SHA_512: 2 } as const

const HASHES: ReadonlyMap<number, string> = new Map([
  [ScramMechanism.SHA_256, 'sha256'],
  [ScramMechanism.SHA_512, 'sha512'],
])
const MIN_ITERATIONS = 4096
const MAX_ITERATIONS = 16_384
const MAX_ATTEMPTS = 20

export interface ScramCredential {
  readonly mechanism: number
  readonly iterations: number
  readonly salt: Uint8Array
  readonly storedKey: Uint8Array
  readonly serverKey: Uint8Array
}

export interface ScramValue {
  /** At most one for each mechanism. */
  readonly credentials: readonly ScramCredential[]
}

export interface ScramUpsertion {
  readonly name: string
  readonly mechanism: number
  readonly iterations: number
  readonly salt: Uint8Array
  /** What `Hi(password, salt, iterations)` makes of the password. */
  readonly saltedPassword: Uint8Array
}

export interface ScramDeletion {
  readonly name: string
  readonly mechanism: number
}

export interface ScramResult {
  readonly user: string
  readonly errorCode: ErrorCode
  readonly errorMessage: string | null
}

export interface ScramDescription extends ScramResult {
  readonly credentialInfos: readonly { readonly mechanism: number; readonly iterations: number }[]
}

type Outcome = readonly [errorCode: ErrorCode, errorMessage: string | null]

const DONE: Outcome = [ErrorCode.NONE, null]
const UNKNOWN_MECHANISM: Outcome = [ErrorCode.UNSUPPORTED_SASL_MECHANISM, 'Unknown SCRAM mechanism']
const NO_USER: Outcome = [ErrorCode.UNACCEPTABLE_CREDENTIAL, 'Username must not be empty']
const TWICE: Outcome = [ErrorCode.DUPLICATE_RESOURCE, 'A user credential cannot be altered twice in the same request']
const NOT_THERE: Outcome = [ErrorCode.RESOURCE_NOT_FOUND, 'Attempt to delete a user credential that does not exist']

export class ScramCredentials {
  readonly #store: MetadataStore
  readonly #view: StoreView<ScramValue>

  private constructor(store: MetadataStore, view: StoreView<ScramValue>) {
    this.#store = store
    this.#view = view
  }

  static async load(store: MetadataStore): Promise<ScramCredentials> {
    return new ScramCredentials(store, await StoreView.load<ScramValue>(store, SCRAM_PREFIX))
  }

  close(): void {
    this.#view.close()
  }

  get(user: string, mechanism: number): ScramCredential | undefined {
    return this.#view.get(user)?.value.credentials.find((each) => each.mechanism === mechanism)
  }

  /** Null or empty: everybody who has one. */
  describe(users: readonly string[] | null): ScramDescription[] {
    const isForAll = users === null || users.length === 0
    const asked = isForAll ? [...this.#view.entries.keys()].sort() : users
    return [...new Set(asked)].map((user) => {
      const failed = (errorCode: ErrorCode, reason: string): ScramDescription => ({
        user,
        errorCode,
        errorMessage: `${reason}: ${user}`,
        credentialInfos: [],
      })
      if (asked.indexOf(user) !== asked.lastIndexOf(user)) {
        const reason = 'Cannot describe SCRAM credentials for the same user twice in a single request'
        return failed(ErrorCode.DUPLICATE_RESOURCE, reason)
      }
      const found = this.#view.get(user)
      if (found === undefined) {
        return failed(ErrorCode.RESOURCE_NOT_FOUND, 'Attempt to describe a user credential that does not exist')
      }
      const infos = found.value.credentials.map(({ mechanism, iterations }) => ({ mechanism, iterations }))
      return { user, errorCode: ErrorCode.NONE, errorMessage: '', credentialInfos: infos }
    })
  }

  /** One row for each user; one change for each user is all that a request may ask for. */
  async alter(deletions: readonly ScramDeletion[], upsertions: readonly ScramUpsertion[]): Promise<ScramResult[]> {
    const outcomes = new Map<string, Outcome | null>()
    for (const { name, mechanism } of deletions) note(outcomes, name, refuseName(name, mechanism))
    for (const upsertion of upsertions) note(outcomes, upsertion.name, refuseUpsertion(upsertion))
    for (const { name, mechanism } of deletions) {
      if (outcomes.get(name) === null) outcomes.set(name, await this.#change(name, mechanism, null))
    }
    for (const upsertion of upsertions) {
      const { name, mechanism } = upsertion
      if (outcomes.get(name) === null) outcomes.set(name, await this.#change(name, mechanism, credentialOf(upsertion)))
    }
    return [...outcomes].map(([user, outcome]) => {
      const [errorCode, errorMessage] = outcome ?? DONE
      return { user, errorCode, errorMessage }
    })
  }

  async #change(name: string, mechanism: number, credential: ScramCredential | null): Promise<Outcome> {
    const key = scramKey(name)
    try {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        const current = this.#view.get(name)
        const others = (current?.value.credentials ?? []).filter((each) => each.mechanism !== mechanism)
        if (credential === null && this.get(name, mechanism) === undefined) return NOT_THERE
        const credentials = credential === null ? others : [...others, credential]
        credentials.sort((a, b) => a.mechanism - b.mechanism)
        const checks = [{ key, revision: current?.revision ?? null }]
        const write =
          credentials.length === 0 ? { deletes: [key] } : { puts: [{ key, value: encodeValue({ credentials }) }] }
        if ((await this.#store.transact({ checks, ...write })).ok) return DONE
      }
    } catch (error) {
      if (!(error instanceof MetadataStoreError)) throw error
      return [ErrorCode.KAFKA_STORAGE_ERROR, error.message]
    }
    return [ErrorCode.REQUEST_TIMED_OUT, 'The credentials are being changed by others']
  }
}

/** The first reason against a user stays; a second change of the same user is one, too. null: nothing against it yet. */
function note(outcomes: Map<string, Outcome | null>, user: string, refusal: Outcome | null): void {
  const known = outcomes.get(user)
  if (known === undefined) outcomes.set(user, refusal)
  else if (known === null) outcomes.set(user, TWICE)
}

function refuseName(name: string, mechanism: number): Outcome | null {
  if (name === '') return NO_USER
  return HASHES.has(mechanism) ? null : UNKNOWN_MECHANISM
}

function refuseUpsertion({ name, mechanism, iterations }: ScramUpsertion): Outcome | null {
  const refusal = refuseName(name, mechanism)
  if (refusal !== null) return refusal
  if (iterations < MIN_ITERATIONS) return [ErrorCode.UNACCEPTABLE_CREDENTIAL, 'Too few iterations']
  return iterations > MAX_ITERATIONS ? [ErrorCode.UNACCEPTABLE_CREDENTIAL, 'Too many iterations'] : null
}

/** RFC 5802, section 3: StoredKey and ServerKey from the salted password. */
function credentialOf({ mechanism, iterations, salt, saltedPassword }: ScramUpsertion): ScramCredential {
  const hash = HASHES.get(mechanism) ?? ''
  const hmac = (text: string): Buffer => createHmac(hash, saltedPassword).update(text).digest()
  const storedKey = createHash(hash).update(hmac('Client Key')).digest()
  return { mechanism, iterations, salt: Uint8Array.from(salt), storedKey, serverKey: hmac('Server Key') }
}
