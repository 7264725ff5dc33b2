// Reading Kafka's metadata folder: snapshots, segments, torn ends, the log's own transactions, and what must be refused.

import { describe, expect, test } from 'bun:test'
import { readMetadataFolder } from '../../../src/metadata/kafka-log/metadata-folder.ts'
import { batch, controlBatch, DATA, diskWith, FOOTER, frame, leaderChange, logName, snapshotName } from './support.ts'

const ID_A = 'AAAAAAAAAAAAAAAAAAAAZA'
const ID_B = 'AAAAAAAAAAAAAAAAAAAAZg'

const topic = (name: string, topicId: string): Buffer => frame('Topic', 0, { name, topicId })
const partition = (topicId: string, partitionId: number): Buffer =>
  frame('Partition', 2, {
    partitionId,
    topicId,
    replicas: [1],
    isr: [1],
    removingReplicas: [],
    addingReplicas: [],
    leader: 1,
    leaderEpoch: 0,
    partitionEpoch: 0,
    directories: [ID_B],
  })
const begin = frame('BeginTransaction', 0, { name: 'a change' })
const end = frame('EndTransaction', 0, {})
const abort = frame('AbortTransaction', 0, { reason: 'no' })
const topicConfig = (name: string, value: string | null): Buffer =>
  frame('Config', 0, { resourceType: 2, resourceName: name, name: 'retention.ms', value })

function read(files: Readonly<Record<string, Buffer>>) {
  return readMetadataFolder(diskWith(files), DATA)
}

function topicNames(files: Readonly<Record<string, Buffer>>): string[] {
  return [...read(files).metadata.topics.values()].map(({ name }) => name)
}

const log = (...batches: Buffer[]): Record<string, Buffer> => ({ [logName(0)]: Buffer.concat(batches) })

describe('replay', () => {
  test('a change keeps what it does not name; a leader, even nobody, begins an epoch', () => {
    const none = { partitionId: 0, topicId: ID_A }
    const { metadata } = read(
      log(
        batch(0, [topic('a', ID_A), partition(ID_A, 0)]),
        batch(2, [frame('PartitionChange', 2, { ...none, isr: [], leader: -1 })]),
        batch(3, [frame('PartitionChange', 2, { ...none, isr: [1], leader: 1 })]),
        batch(4, [frame('PartitionChange', 2, { ...none, isr: [1] })]),
      ),
    )
    expect(metadata.topics.get(ID_A)?.partitions.get(0)).toEqual({
      replicas: [1],
      removingReplicas: [],
      addingReplicas: [],
      leader: 1,
      leaderEpoch: 2,
      partitionEpoch: 3,
      directories: [ID_B],
    })
  })

  test("a topic's configs go with it, and do not come back with its name", () => {
    const { metadata } = read(
      log(
        batch(0, [topic('a', ID_A), topicConfig('a', '1'), frame('RemoveTopic', 0, { topicId: ID_A })]),
        batch(3, [topic('a', ID_B)]),
      ),
    )
    expect([...metadata.topics.keys()]).toEqual([ID_B])
    expect(metadata.configsOf(2, 'a').size).toBe(0)
  })

  test('a null value takes a config away', () => {
    const { metadata } = read(log(batch(0, [topic('a', ID_A), topicConfig('a', '1'), topicConfig('a', null)])))
    expect(metadata.configs.get(2)?.has('a')).toBe(false)
  })

  test.each([
    ['that ended', [begin, topic('a', ID_A), end], ['a']],
    ['that was aborted', [begin, topic('a', ID_A), abort], []],
    ['that was aborted, and what comes after it', [begin, topic('a', ID_A), abort, topic('b', ID_B)], ['b']],
    ['that never ended', [topic('b', ID_B), begin, topic('a', ID_A)], ['b']],
  ])('a transaction %s', (_name, values, expected) => {
    expect(topicNames(log(batch(0, values)))).toEqual(expected)
  })

  test('a transaction that never ended is told', () => {
    expect(read(log(batch(0, [topic('b', ID_B), begin, topic('a', ID_A)]))).passedOver).toEqual([
      '1 records of a metadata transaction that was never completed',
    ])
  })

  test('the voters are those of the last election', () => {
    const election = controlBatch(0, 'LeaderChange', leaderChange(1, [1, 2, 3]))
    expect(read(log(election, batch(1, [topic('a', ID_A)]))).voters).toEqual([1, 2, 3])
  })
})

describe('files', () => {
  const snapshot = Buffer.concat([batch(0, [topic('a', ID_A)]), controlBatch(1, 'SnapshotFooter', FOOTER)])
  const later = batch(5, [topic('b', ID_B)])

  test('a snapshot holds all offsets below its own; the log goes on from there', () => {
    // The log begins with what the snapshot has already; the batch at 4 has one record on each side of its offset.
    const whole = Buffer.concat([
      batch(0, [topic('a', ID_A)]),
      batch(
        1,
        [end, end, end].map(() => frame('NoOp', 0, {})),
      ),
    ])
    const files = {
      [snapshotName(4)]: snapshot,
      [logName(0)]: Buffer.concat([whole, batch(4, [frame('NoOp', 0, {})]), later]),
    }
    expect(topicNames(files)).toEqual(['a', 'b'])
  })

  test('the newest snapshot counts', () => {
    const older = Buffer.concat([batch(0, [topic('old', ID_B)]), controlBatch(1, 'SnapshotFooter', FOOTER)])
    const files = { [snapshotName(3)]: older, [snapshotName(5)]: snapshot, [logName(5)]: later }
    expect(read(files).snapshot).toBe(snapshotName(5).split('/')[1]!)
    expect(topicNames(files)).toEqual(['a', 'b'])
  })

  test('segments follow each other', () => {
    expect(
      topicNames({ [logName(0)]: batch(0, [topic('a', ID_A)]), [logName(1)]: batch(1, [topic('b', ID_B)]) }),
    ).toEqual(['a', 'b'])
  })

  test('a torn end is passed over, and told', () => {
    const torn = batch(1, [topic('b', ID_B)])
    for (const length of [1, 20, 60, torn.length - 1]) {
      const { metadata, passedOver } = read(log(batch(0, [topic('a', ID_A)]), torn.subarray(0, length)))
      expect([...metadata.topics.keys()]).toEqual([ID_A])
      expect(passedOver[0]).toContain('torn end')
    }
  })

  test('formatted and never started: the records of bootstrap.checkpoint', () => {
    const bootstrap = Buffer.concat([
      batch(0, [frame('FeatureLevel', 0, { name: 'metadata.version', featureLevel: 30 })]),
      controlBatch(1, 'SnapshotFooter', FOOTER),
    ])
    expect(read({ 'bootstrap.checkpoint': bootstrap }).metadata.features.get('metadata.version')).toBe(30)
    expect(read({ 'bootstrap.checkpoint': bootstrap, ...log() }).metadata.features.size).toBe(1)
  })

  const flipped = Buffer.from(batch(0, [topic('a', ID_A)]))
  flipped[flipped.length - 1]! ^= 1
  test.each([
    ['nothing at all', {}, 'neither a metadata log nor bootstrap.checkpoint'],
    ['a snapshot without its end', { [snapshotName(3)]: batch(0, [topic('a', ID_A)]) }, 'no footer'],
    ['a damaged snapshot', { [snapshotName(3)]: flipped }, 'wrong checksum'],
    ['a log whose beginning is gone', { [logName(5)]: later }, 'begins at offset 5'],
    ['a gap between snapshot and log', { [snapshotName(4)]: snapshot, [logName(5)]: later }, 'begins at offset 5'],
    ['damage before the last segment', { [logName(0)]: flipped, [logName(1)]: batch(1, [end]) }, 'is damaged'],
    ['a gap between segments', { [logName(0)]: batch(0, [begin]), [logName(3)]: batch(3, [end]) }, 'but 1 is next'],
    ['a gap within a segment', log(batch(0, [begin]), batch(7, [end])), 'offset 7 instead of 1'],
    [
      'a record of a later Kafka',
      log(batch(0, [Buffer.from([1, 42, 0])])),
      'record 0 cannot be read: unknown record type 42',
    ],
    ['a version of a later Kafka', log(batch(0, [Buffer.from([1, 4, 9])])), 'Config record of version 9'],
    ['a change of a topic that is not there', log(batch(0, [partition(ID_A, 0)])), 'no such topic'],
    ['a transaction within another', log(batch(0, [begin, begin])), 'within another'],
    ['an end without a begin', log(batch(0, [end])), 'did not begin'],
  ])('%s is refused', (_name, files, reason) => {
    expect(() => read(files as Record<string, Buffer>)).toThrow(reason)
  })
})
