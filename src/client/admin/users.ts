/** SCRAM credentials of users (KIP-554). A password is salted and hashed here; the cluster never sees it. */
import { pbkdf2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import {
  DescribeUserScramCredentialsRequest,
  DescribeUserScramCredentialsResponse,
} from '../../protocol/messages/50-describe-user-scram-credentials.ts'
import {
  AlterUserScramCredentialsRequest,
  AlterUserScramCredentialsResponse,
} from '../../protocol/messages/51-alter-user-scram-credentials.ts'
import type { Cluster } from '../cluster.ts'
import { errorOf, type Outcome, throwIfFailed } from './outcome.ts'

const MECHANISMS = { 'SCRAM-SHA-256': 1, 'SCRAM-SHA-512': 2 } as const
const HASHES = {
  'SCRAM-SHA-256': { digest: 'sha256', bytes: 32 },
  'SCRAM-SHA-512': { digest: 'sha512', bytes: 64 },
} as const
const SALT_BYTES = 32
/** As Kafka's own tool does. */
const DEFAULT_ITERATIONS = 4096

/** A mechanism of RFC 5802 that Kafka knows. */
export type ScramMechanism = keyof typeof MECHANISMS

/** The SCRAM credentials of a user, without the secrets. */
export interface UserCredentials {
  /** The user's name. */
  readonly user: string
  /** One per mechanism. `iterations` is what its password was hashed with. */
  readonly credentials: readonly { readonly mechanism: ScramMechanism; readonly iterations: number }[]
}

/** Gives a user a password for a mechanism, or takes it away. */
export type CredentialChange =
  | {
      /** The user's name. */
      readonly user: string
      /** The mechanism that it is for. */
      readonly mechanism: ScramMechanism
      /** Salted and hashed here; the cluster does not see it. */
      readonly password: string
      /** 4,096 to 16,384; 4,096 unless given. */
      readonly iterations?: number
    }
  | {
      /** The user's name. */
      readonly user: string
      /** The credentials that go. */
      readonly mechanism: ScramMechanism
      readonly remove: true
    }

/** All users that have any unless named. Throws for a named user without credentials. */
export async function describeUsers(cluster: Cluster, users?: readonly string[]): Promise<UserCredentials[]> {
  const connection = await cluster.any()
  const answer = await connection.send(DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse, {
    users: users === undefined ? null : users.map((name) => ({ name })),
  })
  throwIfFailed(answer, 'describe users')
  const names = new Map<number, ScramMechanism>(
    Object.entries(MECHANISMS).map(([name, number]) => [number, name as ScramMechanism]),
  )
  return answer.results.map((row) => {
    throwIfFailed(row, `describe user '${row.user}'`)
    const credentials = row.credentialInfos.flatMap(({ mechanism, iterations }) => {
      const name = names.get(mechanism)
      return name === undefined ? [] : [{ mechanism: name, iterations }]
    })
    return { user: row.user, credentials }
  })
}

/** One outcome per user. Kafka takes one change of a user at a time; of several none is made. */
export async function alterUsers(
  cluster: Cluster,
  changes: readonly CredentialChange[],
): Promise<(Outcome & { readonly user: string })[]> {
  const controller = await cluster.controller()
  const removals = changes.flatMap((change) => ('remove' in change ? [change] : []))
  const upsertions = changes.flatMap((change) => ('remove' in change ? [] : [change]))
  const answer = await controller.send(AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse, {
    deletions: removals.map(({ user: name, mechanism }) => ({ name, mechanism: MECHANISMS[mechanism] })),
    upsertions: await Promise.all(
      upsertions.map(async ({ user: name, mechanism, password, iterations = DEFAULT_ITERATIONS }) => {
        const salt = randomBytes(SALT_BYTES)
        const { digest, bytes } = HASHES[mechanism]
        const saltedPassword = await promisify(pbkdf2)(password.normalize('NFKC'), salt, iterations, bytes, digest)
        return { name, mechanism: MECHANISMS[mechanism], iterations, salt, saltedPassword }
      }),
    ),
  })
  return [...new Set(changes.map(({ user }) => user))].map((user) => {
    const row = answer.results.find((each) => each.user === user)
    return { user, error: errorOf(row, `alter user '${user}'`) }
  })
}
