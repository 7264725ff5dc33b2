// Kafka's own programs as judges of a partition's files. Needs a JDK and Kafka's jars.

import { expect } from 'bun:test'
import { cpSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { javaTemporaryOption, kafkaJars } from '../support/kafka-jars.ts'

const SUFFIXES = /\.(log|index|timeindex|txnindex|snapshot)$/
/** What the dump tool says when it dislikes a file; its exit status is always 0. */
export const FINDINGS =
  /Mismatches in|timestamp mismatch|out of order timestamp|indexed offsets are not found|invalid bytes|isvalid: false|Exception|CORRUPT/

export function java(...args: string[]): string {
  const tool = Bun.spawnSync(['java', '-Xshare:auto', javaTemporaryOption(), '-cp', join(kafkaJars()!, '*'), ...args], {
    stdout: 'pipe',
    stderr: 'pipe',
  })
  return tool.stdout.toString() + tool.stderr.toString().replace(/^SLF4J.*\n/gm, '')
}

export function filesOf(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => SUFFIXES.test(name))
    .sort()
}

/** There is a file of every kind, so that what is said of all says something of each. */
export function expectEveryKind(folder: string): void {
  const names = filesOf(folder)
  for (const suffix of ['.log', '.index', '.timeindex', '.txnindex', '.snapshot']) {
    expect(names.some((name) => name.endsWith(suffix))).toBe(true)
  }
}

/** Kafka's own recovery of a copy of the segments alone: it cuts nothing. Its files are then in `copy`. */
export function recoverWithKafka(folder: string, copy: string, indexIntervalBytes: number): void {
  const logs = filesOf(folder).filter((name) => name.endsWith('.log'))
  mkdirSync(copy, { recursive: true })
  for (const name of logs) cpSync(join(folder, name), join(copy, name))
  const text = java(join(import.meta.dir, 'RecoverSegments.java'), copy, String(indexIntervalBytes))
  expect(text.trim().split('\n')).toEqual(logs.map((name) => `${Number(name.slice(0, 20))} 0`))
}

export function expectSameFiles(names: readonly string[], found: string, expected: string): void {
  const content = (folder: string, name: string): string =>
    `${name} ${readFileSync(join(folder, name)).toString('hex')}`
  for (const name of names) expect(content(found, name)).toBe(content(expected, name))
}

export function expectNoFindings(folder: string): void {
  const files = filesOf(folder).map((name) => join(folder, name))
  const text = java(
    'org.apache.kafka.tools.DumpLogSegments',
    '--deep-iteration',
    '--print-data-log',
    '--files',
    files.join(','),
  )
  const found = text.split('\n').filter((line) => FINDINGS.test(line))
  expect(found).toEqual([])
  for (const file of files) expect(text).toContain(file)
  const sanity = java(
    'org.apache.kafka.tools.DumpLogSegments',
    '--index-sanity-check',
    '--files',
    files.filter((name) => /\.(index|timeindex)$/.test(name)).join(','),
  )
  expect(sanity.split('\n').filter((line) => FINDINGS.test(line))).toEqual([])
  expect(sanity.match(/passed sanity check|\.index is empty/g)?.length).toBe(
    files.filter((name) => /\.(index|timeindex)$/.test(name)).length,
  )
}
