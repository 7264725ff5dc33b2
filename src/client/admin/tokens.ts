/** Delegation tokens (KIP-48): short-lived credentials that a user makes for his programs. */
import {
  CreateDelegationTokenRequest,
  CreateDelegationTokenResponse,
} from '../../protocol/messages/38-create-delegation-token.ts'
import {
  RenewDelegationTokenRequest,
  RenewDelegationTokenResponse,
} from '../../protocol/messages/39-renew-delegation-token.ts'
import {
  ExpireDelegationTokenRequest,
  ExpireDelegationTokenResponse,
} from '../../protocol/messages/40-expire-delegation-token.ts'
import {
  DescribeDelegationTokenRequest,
  DescribeDelegationTokenResponse,
} from '../../protocol/messages/41-describe-delegation-token.ts'
import type { Cluster } from '../cluster.ts'
import { throwIfFailed } from './outcome.ts'

/** `User:alice`. */
export type Principal = `${string}:${string}`

/** A token and its secret. */
export interface DelegationToken {
  /** Who acts with it. */
  readonly owner: Principal
  /** What SCRAM takes as the user name. */
  readonly tokenId: string
  /** The secret: what SCRAM takes as the password, in base64. */
  readonly hmac: Buffer
  /** Milliseconds since 1970. */
  readonly issuedMs: number
  /** When it ends unless it is renewed, milliseconds since 1970. */
  readonly expiresMs: number
  /** Renewing ends here. */
  readonly endsMs: number
  /** Who may renew it besides its owner. Not told when it is made. */
  readonly renewers: readonly Principal[]
}

/** What a new token shall be. */
export interface NewToken {
  /** The caller unless given. */
  readonly owner?: Principal
  /** Who may renew it besides its owner; nobody unless given. */
  readonly renewers?: readonly Principal[]
  /** The broker's limit unless given. */
  readonly lifetimeMs?: number
}

export async function createDelegationToken(cluster: Cluster, wanted: NewToken = {}): Promise<DelegationToken> {
  const controller = await cluster.controller()
  const owner = wanted.owner === undefined ? null : split(wanted.owner)
  const answer = await controller.send(CreateDelegationTokenRequest, CreateDelegationTokenResponse, {
    ...(owner === null ? {} : { ownerPrincipalType: owner.principalType, ownerPrincipalName: owner.principalName }),
    renewers: (wanted.renewers ?? []).map(split),
    maxLifetimeMs: wanted.lifetimeMs ?? -1,
  })
  throwIfFailed(answer, 'create a delegation token')
  return {
    owner: `${answer.principalType}:${answer.principalName}`,
    tokenId: answer.tokenId,
    hmac: answer.hmac,
    issuedMs: answer.issueTimestampMs,
    expiresMs: answer.expiryTimestampMs,
    endsMs: answer.maxTimestampMs,
    renewers: wanted.renewers ?? [],
  }
}

/** Returns when it now expires, milliseconds since 1970. */
export async function renewDelegationToken(cluster: Cluster, hmac: Uint8Array, periodMs = -1): Promise<number> {
  const controller = await cluster.controller()
  const answer = await controller.send(RenewDelegationTokenRequest, RenewDelegationTokenResponse, {
    hmac,
    renewPeriodMs: periodMs,
  })
  throwIfFailed(answer, 'renew a delegation token')
  return answer.expiryTimestampMs
}

/** At once unless `afterMs` is given. Returns when it expires, milliseconds since 1970. */
export async function expireDelegationToken(cluster: Cluster, hmac: Uint8Array, afterMs = -1): Promise<number> {
  const controller = await cluster.controller()
  const answer = await controller.send(ExpireDelegationTokenRequest, ExpireDelegationTokenResponse, {
    hmac,
    expiryTimePeriodMs: afterMs,
  })
  throwIfFailed(answer, 'expire a delegation token')
  return answer.expiryTimestampMs
}

/** All that the caller may see, or those of these owners. */
export async function describeDelegationTokens(
  cluster: Cluster,
  owners?: readonly Principal[],
): Promise<DelegationToken[]> {
  const connection = await cluster.any()
  const answer = await connection.send(DescribeDelegationTokenRequest, DescribeDelegationTokenResponse, {
    owners: owners?.map(split) ?? null,
  })
  throwIfFailed(answer, 'describe delegation tokens')
  return answer.tokens.map((token) => ({
    owner: `${token.principalType}:${token.principalName}`,
    tokenId: token.tokenId,
    hmac: token.hmac,
    issuedMs: token.issueTimestamp,
    expiresMs: token.expiryTimestamp,
    endsMs: token.maxTimestamp,
    renewers: token.renewers.map(({ principalType, principalName }): Principal => `${principalType}:${principalName}`),
  }))
}

function split(principal: Principal): { principalType: string; principalName: string } {
  const colon = principal.indexOf(':')
  return { principalType: principal.slice(0, colon), principalName: principal.slice(colon + 1) }
}
