// Kafka's own programs as judges of a partition's files. Needs a JDK and Kafka's jars.

import { expect } from 'bun:test'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { javaTemporaryOption, kafkaJars } from '../support/kafka-jars.ts'

const SUFFIXES = /\.(log|index|timeindex|txnindex|snapshot)$/
/** What the dump tool says when it dislikes a file; its exit status is always 0. */
const FINDINGS =
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
