// SCRAM credentials, ACLs without an authorizer, and delegation tokens where there can be none.
import { SaslHandshakeRequest, SaslHandshakeResponse } from '../../src/protocol/messages/17-sasl-handshake.ts'
import { DescribeAclsRequest, DescribeAclsResponse } from '../../src/protocol/messages/29-describe-acls.ts'
import { CreateAclsRequest, CreateAclsResponse } from '../../src/protocol/messages/30-create-acls.ts'
import { DeleteAclsRequest, DeleteAclsResponse } from '../../src/protocol/messages/31-delete-acls.ts'
import { SaslAuthenticateRequest, SaslAuthenticateResponse } from '../../src/protocol/messages/36-sasl-authenticate.ts'
import {
  CreateDelegationTokenRequest,
  CreateDelegationTokenResponse,
} from '../../src/protocol/messages/38-create-delegation-token.ts'
import {
  RenewDelegationTokenRequest,
  RenewDelegationTokenResponse,
} from '../../src/protocol/messages/39-renew-delegation-token.ts'
import {
  ExpireDelegationTokenRequest,
  ExpireDelegationTokenResponse,
} from '../../src/protocol/messages/40-expire-delegation-token.ts'
import {
  DescribeDelegationTokenRequest,
  DescribeDelegationTokenResponse,
} from '../../src/protocol/messages/41-describe-delegation-token.ts'
import {
  DescribeUserScramCredentialsRequest,
  DescribeUserScramCredentialsResponse,
} from '../../src/protocol/messages/50-describe-user-scram-credentials.ts'
import {
  AlterUserScramCredentialsRequest,
  AlterUserScramCredentialsResponse,
} from '../../src/protocol/messages/51-alter-user-scram-credentials.ts'
import { asks, type CaseGroup, type DifferentialCase } from './case.ts'

const describeScram = asks(DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse)
const alterScram = asks(AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse)
const describeAcls = asks(DescribeAclsRequest, DescribeAclsResponse)
const createAcls = asks(CreateAclsRequest, CreateAclsResponse)
const deleteAcls = asks(DeleteAclsRequest, DeleteAclsResponse)
const createToken = asks(CreateDelegationTokenRequest, CreateDelegationTokenResponse)
const renewToken = asks(RenewDelegationTokenRequest, RenewDelegationTokenResponse)
const expireToken = asks(ExpireDelegationTokenRequest, ExpireDelegationTokenResponse)
const handshake = asks(SaslHandshakeRequest, SaslHandshakeResponse)
const authenticate = asks(SaslAuthenticateRequest, SaslAuthenticateResponse)
const describeTokens = asks(DescribeDelegationTokenRequest, DescribeDelegationTokenResponse)

const SHA_256 = 1
const SHA_512 = 2
const SALT = Buffer.from('c2FsdHNhbHQ', 'base64')
const SALTED_PASSWORD = Buffer.alloc(32, 7)

type Upsertion = [name: string, mechanism: number, iterations: number]
type Deletion = [name: string, mechanism: number]

interface UserRow {
  user: string
  credentialInfos?: readonly { mechanism: number }[]
}

/** Users and their mechanisms come in no particular order. */
const byUser = {
  only: <Row extends UserRow>(answer: { results: readonly Row[] }) => ({
    ...answer,
    results: [...answer.results]
      .sort((a, b) => (a.user < b.user ? -1 : 1))
      .map((row) => ({ ...row, credentialInfos: row.credentialInfos?.toSorted((a, b) => a.mechanism - b.mechanism) })),
  }),
}

function alters(name: string, upsertions: Upsertion[], deletions: Deletion[] = []): DifferentialCase {
  const value = {
    deletions: deletions.map(([user, mechanism]) => ({ name: user, mechanism })),
    upsertions: upsertions.map(([user, mechanism, iterations]) => ({
      name: user,
      mechanism,
      iterations,
      salt: SALT,
      saltedPassword: SALTED_PASSWORD,
    })),
  }
  return alterScram(name, 0, value, byUser)
}

function describes(name: string, users: string[] | null): DifferentialCase {
  return describeScram(name, 0, { users: users?.map((user) => ({ name: user })) ?? null }, byUser)
}

const SCRAM: CaseGroup = {
  api: 'SCRAM credentials',
  cases: [
    describes('none yet', null),
    alters('a new user', [['scram-a', SHA_256, 4096]]),
    alters('the other mechanism of the same user', [['scram-a', SHA_512, 8192]]),
    alters('more iterations', [['scram-a', SHA_256, 16384]]),
    alters('several users', [
      ['scram-b', SHA_256, 4096],
      ['scram-c', SHA_512, 4096],
    ]),
    alters('too few iterations', [['scram-d', SHA_256, 4095]]),
    alters('too many iterations', [['scram-d', SHA_256, 16385]]),
    alters('an unknown mechanism', [['scram-d', 0, 4096]]),
    alters('a mechanism of the future', [['scram-d', 3, 4096]]),
    alters('no user', [['', SHA_256, 4096]]),
    alters('the same user and mechanism twice', [
      ['scram-e', SHA_256, 4096],
      ['scram-e', SHA_256, 8192],
    ]),
    alters('both mechanisms of a user at once', [
      ['scram-f', SHA_256, 4096],
      ['scram-f', SHA_512, 4096],
    ]),
    alters('one good and one bad user', [
      ['scram-g', SHA_256, 4096],
      ['scram-h', SHA_256, 1],
    ]),
    alters('a bad one and another of the same user', [
      ['scram-i', SHA_256, 1],
      ['scram-i', SHA_512, 4096],
    ]),
    alters('deleting what is not there', [], [['scram-none', SHA_256]]),
    alters('deleting a mechanism that the user has not', [], [['scram-b', SHA_512]]),
    alters('deleting an unknown mechanism', [], [['scram-b', 9]]),
    alters('deleting no user', [], [['', SHA_256]]),
    alters('deleting and setting at once', [['scram-b', SHA_256, 4096]], [['scram-b', SHA_256]]),
    alters('deleting', [], [['scram-c', SHA_512]]),
    alters('nothing', []),
    describes('everybody', null),
    describes('everybody, by an empty list', []),
    describes('one user', ['scram-a']),
    describes('a user that was deleted', ['scram-c']),
    describes('an unknown user beside a known one', ['scram-b', 'scram-none']),
    describes('a user twice', ['scram-a', 'scram-a']),
    describes('an unknown user twice', ['scram-none', 'scram-none']),
    describes('a user without a name', ['']),
    alters(
      'what is left',
      [],
      [
        ['scram-a', SHA_256],
        ['scram-b', SHA_256],
        ['scram-g', SHA_256],
      ],
    ),
    alters('the second mechanism', [], [['scram-a', SHA_512]]),
  ],
}

const filter = (
  resourceTypeFilter: number,
  more: Partial<Record<'patternTypeFilter' | 'operation' | 'permissionType', number>> = {},
) => ({
  resourceTypeFilter,
  resourceNameFilter: null,
  patternTypeFilter: 1,
  principalFilter: null,
  hostFilter: null,
  operation: 1,
  permissionType: 1,
  ...more,
})
const acl = (
  more: Partial<Record<'resourceType' | 'resourcePatternType' | 'operation' | 'permissionType', number>> = {},
) => ({
  resourceType: 2,
  resourceName: 't',
  resourcePatternType: 3,
  principal: 'User:alice',
  host: '*',
  operation: 3,
  permissionType: 3,
  ...more,
})

const ACLS: CaseGroup = {
  api: 'ACLs without an authorizer',
  cases: [
    ...[1, 2, 3].map((version) => describeAcls('described', version, filter(1))),
    ...[1, 2, 3].map((version) => createAcls('an entry', version, { creations: [acl()] })),
    ...[1, 2, 3].map((version) => deleteAcls('deleted', version, { filters: [filter(1)] })),
    createAcls('two entries', 3, { creations: [acl(), acl({ resourceType: 3 })] }),
    createAcls('no entries', 3, { creations: [] }),
    deleteAcls('two filters', 3, { filters: [filter(2), filter(3)] }),
    deleteAcls('no filters', 3, { filters: [] }),
    createAcls('an entry that could not be', 3, {
      creations: [acl({ operation: 1, permissionType: 1, resourcePatternType: 1 })],
    }),
    ...[0, 8, -1].map((type) => describeAcls(`resource type ${type}`, 3, filter(type), { connection: `acl-t${type}` })),
    ...[0, 5].map((type) =>
      describeAcls(`pattern type ${type}`, 3, filter(2, { patternTypeFilter: type }), { connection: `acl-p${type}` }),
    ),
    ...[0, 15, 16].map((code) =>
      describeAcls(`operation ${code}`, 3, filter(2, { operation: code }), { connection: `acl-o${code}` }),
    ),
    ...[0, 4].map((code) =>
      describeAcls(`permission ${code}`, 3, filter(2, { permissionType: code }), { connection: `acl-m${code}` }),
    ),
    createAcls(
      'created with an unknown resource type',
      3,
      { creations: [acl({ resourceType: 0 })] },
      { connection: 'acl-c1' },
    ),
    createAcls(
      'created with an unknown operation',
      3,
      { creations: [acl({ operation: 99 })] },
      { connection: 'acl-c2' },
    ),
    createAcls(
      'an unknown pattern type',
      3,
      { creations: [acl({ resourcePatternType: 9 })] },
      { connection: 'acl-c3' },
    ),
    createAcls('an unknown permission', 3, { creations: [acl({ permissionType: 9 })] }, { connection: 'acl-c4' }),
    deleteAcls('an unknown resource type', 3, { filters: [filter(0)] }, { connection: 'acl-d1' }),
    deleteAcls('an unknown operation', 3, { filters: [filter(2, { operation: 0 })] }, { connection: 'acl-d2' }),
  ],
}

const HMAC = Buffer.from('abcdef', 'hex')

const TOKENS: CaseGroup = {
  api: 'delegation tokens on an open listener',
  cases: [
    ...[1, 2, 3].map((version) => createToken('a new one', version, { renewers: [], maxLifetimeMs: -1 })),
    createToken('with a renewer', 3, {
      renewers: [{ principalType: 'User', principalName: 'bob' }],
      maxLifetimeMs: 1000,
    }),
    createToken('with a renewer that is no user', 3, {
      renewers: [{ principalType: 'Group', principalName: 'bob' }],
      maxLifetimeMs: 1000,
    }),
    createToken('for another owner', 3, {
      ownerPrincipalType: 'User',
      ownerPrincipalName: 'carol',
      renewers: [],
      maxLifetimeMs: -1,
    }),
    ...[1, 2].map((version) => renewToken('renewed', version, { hmac: HMAC, renewPeriodMs: 1000 })),
    ...[1, 2].map((version) => expireToken('expired', version, { hmac: HMAC, expiryTimePeriodMs: -1 })),
    ...[1, 2, 3].map((version) => describeTokens('all of them', version, { owners: null })),
    describeTokens('those of nobody', 3, { owners: [] }),
    describeTokens('those of one', 3, { owners: [{ principalType: 'User', principalName: 'bob' }] }),
  ],
}

const SASL: CaseGroup = {
  api: 'SASL where nobody has to authenticate',
  cases: [
    ...[0, 1].map((version) => handshake('PLAIN', version, { mechanism: 'PLAIN' })),
    handshake('a mechanism that there is not', 1, { mechanism: 'NONE' }),
    ...[0, 1, 2].map((version) => authenticate('a token', version, { authBytes: Buffer.from('token') })),
  ],
}

export const SECURITY_CASES: readonly CaseGroup[] = [SCRAM, ACLS, TOKENS, SASL]
