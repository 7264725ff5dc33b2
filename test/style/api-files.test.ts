/** File names that people find things by: `ls` must answer what API key N is. */

import { expect, test } from 'bun:test'
import { basename } from 'node:path'
import { ApiKey, apiName } from '../../src/protocol/api-keys.ts'
import { MESSAGES } from '../../src/protocol/messages/index.ts'
import { sourceFiles } from './source-files.ts'

const KNOWN_KEYS = new Set<number>(Object.values(ApiKey))

/** DescribeTopicPartitions -> describe-topic-partitions */
function kebab(name: string): string {
  return name.replace(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase()
}

function misnamed(folder: string): string[] {
  return sourceFiles(folder).flatMap(({ path }) => {
    const match = /^(\d+)-([a-z-]+)\.ts$/.exec(basename(path))
    if (match === null) return []
    const [, digits = '', name = ''] = match
    const key = Number(digits)
    const expected = `${String(key).padStart(2, '0')}-${kebab(apiName(key))}.ts`
    return KNOWN_KEYS.has(key) && `${digits}-${name}.ts` === expected ? [] : [`${path}: should be ${expected}`]
  })
}

test('the number and the name of a message file are those of its API', () => {
  expect(misnamed('src/protocol/messages')).toEqual([])
})

test('a message file declares the key in its name', async () => {
  const wrong: string[] = []
  for (const { path, text } of sourceFiles('src/protocol/messages')) {
    const number = /^(\d+)-/.exec(basename(path))?.[1]
    if (number === undefined) continue
    for (const [, key] of text.matchAll(/\bkey: (\d+)/g)) {
      if (Number(key) !== Number(number)) wrong.push(`${path} declares key ${key}`)
    }
    if (!MESSAGES.has(Number(number))) wrong.push(`${path} is not in messages/index.ts`)
  }
  expect(wrong).toEqual([])
})

test('the number and the name of a handler file are those of its API', () => {
  expect(misnamed('src/broker/api')).toEqual([])
})

test('a handler file declares the key in its name', () => {
  const wrong = sourceFiles('src/broker/api').flatMap(({ path, text }) => {
    const number = /^(\d+)-/.exec(basename(path))?.[1]
    if (number === undefined) return []
    const declared = /\bkey: (?:ApiKey\.(\w+)|(\d+)|[\w.]+)/.exec(text)
    if (declared === null) return [`${path} declares no key`]
    const [, name, literal] = declared
    const key = name === undefined ? literal : ApiKey[name as keyof typeof ApiKey]
    return key === undefined || Number(key) === Number(number) ? [] : [`${path} declares key ${key}`]
  })
  expect(wrong).toEqual([])
})
