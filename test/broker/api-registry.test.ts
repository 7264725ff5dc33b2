/** The registry of APIs: what is listed is what the folder holds, and what is documented. */

import { describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { APIS } from '../../src/broker/api/index.ts'
import { renderCompatibility } from '../../src/broker/compatibility.ts'
import { apiName } from '../../src/protocol/api-keys.ts'
import { MESSAGES } from '../../src/protocol/messages/index.ts'

const ROOT = join(import.meta.dir, '../..')

describe('API registry', () => {
  test('lists every handler file, once, in the order of keys', () => {
    const files = readdirSync(join(ROOT, 'src/broker/api')).filter((name) => /^\d/.test(name))
    const keys = files.map((name) => Number.parseInt(name, 10)).sort((a, b) => a - b)
    expect(APIS.map((api) => api.key)).toEqual(keys)
  })

  for (const api of APIS) {
    test(`${api.name} (${api.key}) has the name, schemas and versions of its key`, () => {
      const message = MESSAGES.get(api.key)!
      expect(api.name).toBe(apiName(api.key))
      expect(api.request).toBe(message.request)
      expect(api.response).toBe(message.response)
      expect(api.servedFrom).toBeGreaterThanOrEqual(message.request.versions.min)
      expect(api.servedFrom).toBeGreaterThanOrEqual(api.minVersion)
      expect(api.maxVersion).toBeLessThanOrEqual(message.request.versions.max)
      expect(api.servedFrom).toBeLessThanOrEqual(api.maxVersion)
    })
  }

  test('only Produce advertises versions that it does not serve', () => {
    expect(APIS.filter((api) => api.servedFrom !== api.minVersion).map((api) => api.key)).toEqual([0])
  })

  test('docs/compatibility.md is what the handlers say: `bun src/broker/compatibility.ts` writes it', () => {
    expect(readFileSync(join(ROOT, 'docs/compatibility.md'), 'utf8')).toBe(renderCompatibility(APIS))
  })
})
