import { describe, expect, test } from 'bun:test'
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import { ScramCredentials, ScramMechanism } from '../../src/metadata/scram-credentials.ts'
import { MemoryMetadataStore } from '../../src/metadata/store-memory.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { ManualClock } from '../../src/storage/clock-manual.ts'

const store = (): MemoryMetadataStore => new MemoryMetadataStore({ clock: new ManualClock() })

/** The conversation of RFC 7677, section 3: user `user`, password `pencil`. */
const SALT = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')
const NONCE = 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'
const MESSAGE = `n=user,r=rOprNGfwEbeRWgbNEkqO,r=${NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=${NONCE}`
const CLIENT_PROOF = Buffer.from('dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=', 'base64')
const SERVER_SIGNATURE = '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='

const upsertion = (name: string) => ({
  name,
  mechanism: ScramMechanism.SHA_256,
  iterations: 4096,
  salt: SALT,
  saltedPassword: pbkdf2Sync('pencil', SALT, 4096, 32, 'sha256'),
})

describe('SCRAM credentials', () => {
  test('prove the password of the conversation in RFC 7677', async () => {
    const scram = await ScramCredentials.load(store())
    await scram.alter([], [upsertion('user')])
    const { storedKey, serverKey } = scram.get('user', ScramMechanism.SHA_256)!
    const signature = createHmac('sha256', storedKey).update(MESSAGE).digest()
    const clientKey = CLIENT_PROOF.map((byte, index) => byte ^ signature[index]!)
    expect(createHash('sha256').update(clientKey).digest()).toEqual(Buffer.from(storedKey))
    expect(createHmac('sha256', serverKey).update(MESSAGE).digest('base64')).toBe(SERVER_SIGNATURE)
  })

  test('are there after a restart, without the salted password', async () => {
    const backing = store()
    await (await ScramCredentials.load(backing)).alter([], [upsertion('user')])
    const again = await ScramCredentials.load(backing)
    expect(again.describe(null)).toEqual([
      {
        user: 'user',
        errorCode: ErrorCode.NONE,
        errorMessage: '',
        credentialInfos: [{ mechanism: 1, iterations: 4096 }],
      },
    ])
    const stored = (await backing.get('scram/user'))!.value
    expect(Buffer.from(stored).includes(upsertion('user').saltedPassword)).toBe(false)
  })

  test('a user who is named twice is not changed at all', async () => {
    const scram = await ScramCredentials.load(store())
    const [result] = await scram.alter([], [upsertion('user'), { ...upsertion('user'), mechanism: 2 }])
    expect(result?.errorCode).toBe(ErrorCode.DUPLICATE_RESOURCE)
    expect(scram.describe(null)).toEqual([])
  })

  test('with the last credential the user is gone', async () => {
    const scram = await ScramCredentials.load(store())
    await scram.alter([], [upsertion('user')])
    await scram.alter([{ name: 'user', mechanism: 1 }], [])
    expect(scram.describe(['user'])[0]?.errorCode).toBe(ErrorCode.RESOURCE_NOT_FOUND)
  })
})
