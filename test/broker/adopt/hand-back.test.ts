// The way back: what was taken over and handed back is, read as Kafka reads it, what it was. That a real Kafka starts on it is shown in
// test/programs.

import { afterEach, expect, test } from 'bun:test'
import { cpSync, existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { handBack } from '../../../src/broker/hand-back.ts'
import { Broker } from '../../../src/broker/server.ts'
import { plain } from '../../../src/cli/dump/item.ts'
import { readMetadataFolder } from '../../../src/metadata/kafka-log/metadata-folder.ts'
import { realClock } from '../../../src/storage/clock-real.ts'
import { RealDisk } from '../../../src/storage/disk-real.ts'
import { SeededRandom } from '../../../src/storage/random-seeded.ts'
import { RealTimers } from '../../../src/storage/timers-real.ts'
import { writeGoldenFolder } from './golden-folder.ts'

const silent = { debug() {}, info() {}, warn() {}, error() {} }
const disk = new RealDisk()
const folders: string[] = []

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

function start(folder: string, further: readonly string[] = []): Promise<Broker> {
  return Broker.start({
    listen: { host: '127.0.0.1', port: 0 },
    dataDirectory: folder,
    furtherDataDirectories: further,
    storage: 'disk',
    durability: 'os',
    nodeId: 1,
    config: new Map(),
    logger: silent,
    adopt: true,
  })
}

/** Taken over from Kafka and stopped. */
async function adoptedFolder(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'samsa-hand-back-'))
  folders.push(folder)
  writeGoldenFolder(folder)
  await (await start(folder)).stop()
  return folder
}

function back(folder: string, further: readonly string[] = []) {
  const timers = new RealTimers(realClock)
  const random = new SeededRandom(1)
  return handBack({
    directories: [folder, ...further],
    metadataDirectory: folder,
    disk,
    clock: realClock,
    timers,
    random,
    logger: silent,
  })
}

/** All but epochs, leaders, and what only the controller needs. */
function stateOf(folder: string): unknown {
  const { metadata, kraftVersion } = readMetadataFolder(disk, folder)
  const { topics, configs, features, quotas, scram, acls, nextProducerId } = metadata
  const partitions = [...topics.values()].map(({ name, topicId, partitions: own }) => [
    name,
    topicId,
    [...own].map(([index, { replicas, directories }]) => [index, replicas, directories]).sort(),
  ])
  const sorted = (map: ReadonlyMap<unknown, unknown>): unknown =>
    [...map].map((pair) => JSON.stringify(plain(pair))).sort()
  const values = [configs.get(2)!, configs.get(4)!, configs.get(16)!, configs.get(32)!, scram, acls, features].map(
    sorted,
  )
  const limits = [...quotas.values()].map((quota) => JSON.stringify(plain(quota))).sort()
  return { partitions: partitions.sort(), values, limits, nextProducerId, kraftVersion }
}

test('what Kafka will read is what it had', async () => {
  const folder = await adoptedFolder()
  const before = stateOf(folder)
  const { topics, clusterId, nodeId } = await back(folder)
  expect({ topics, clusterId, nodeId }).toEqual({ topics: 15, clusterId: 'kafkaToCompareWithSams', nodeId: 1 })
  expect(stateOf(folder)).toEqual({ ...(before as object), nextProducerId: expect.any(Number) })
  // Only partitions' folders and plain files: Kafka does not start on anything else.
  const strange = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !/^[\w.-]+-\d+(\.[0-9a-f]{32}-(stray|delete))?$/.test(entry.name))
    .map(({ name }) => name)
  expect(strange).toEqual([])
})

test('epochs go on where they were', async () => {
  const folder = await adoptedFolder()
  await back(folder)
  const { metadata } = readMetadataFolder(disk, folder)
  for (const topic of metadata.topics.values()) {
    for (const partition of topic.partitions.values()) {
      expect(partition.leaderEpoch).toBe(2)
      // Whom Kafka can elect again.
      expect(partition.leader).toBe(1)
    }
  }
})

test("renamed back it is Samsa's again", async () => {
  const folder = await adoptedFolder()
  const { keptAs } = await back(folder)
  expect(existsSync(join(folder, 'samsa-metadata.db'))).toBe(false)
  await expect(back(folder)).rejects.toThrow('it has been handed back; rename samsa-metadata.db.handed-back')
  renameSync(keptAs, join(folder, 'samsa-metadata.db'))
  const broker = await start(folder)
  expect(broker.topicCount).toBe(15)
  await broker.stop()
})

test('a running broker keeps its folder', async () => {
  const folder = await adoptedFolder()
  const broker = await start(folder)
  await expect(back(folder)).rejects.toMatchObject({ code: 'DATA_LOCKED' })
  await broker.stop()
})

test("a folder that is not Samsa's is refused", async () => {
  const folder = mkdtempSync(join(tmpdir(), 'samsa-hand-back-'))
  folders.push(folder)
  writeGoldenFolder(folder)
  await expect(back(folder)).rejects.toMatchObject({ code: 'DATA_UNUSABLE' })
})

test('a log that was being moved when the broker was killed is in two folders: refused until a start has decided', async () => {
  const folder = await adoptedFolder()
  const other = mkdtempSync(join(tmpdir(), 'samsa-hand-back-'))
  folders.push(other)
  await (await start(folder, [other])).stop()
  const name = readdirSync(folder).find((each) => /^[a-z][\w.-]*-0$/.test(each))!
  // As between the rename of the copy and the end of the old one.
  cpSync(join(folder, name), join(other, name), { recursive: true })
  writeFileSync(join(other, name, 'samsa-moved'), `${folder}\n`)
  const before = [readdirSync(folder).sort(), readdirSync(other).sort()]
  await expect(back(folder, [other])).rejects.toMatchObject({
    code: 'DATA_UNUSABLE',
    message: expect.stringContaining(`${name} lies in ${folder} and in ${other}`),
  })
  expect([readdirSync(folder).sort(), readdirSync(other).sort()]).toEqual(before)
  await (await start(folder, [other])).stop()
  expect(await back(folder, [other])).toMatchObject({ topics: 15 })
  const places = [folder, other].filter((each) => existsSync(join(each, name)))
  expect(places).toEqual([other])
})
