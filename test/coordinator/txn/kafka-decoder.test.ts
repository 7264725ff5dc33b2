/** What the coordinator writes, read by Kafka's own dump tool (`kafka-dump-log --transaction-log-decoder`). */
import { expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeTransaction } from '../../../src/coordinator/txn/records.ts'
import { buildBatch } from '../../../src/records/batch.ts'
import { javaTemporaryOption, kafkaJarsOrSkip } from '../../support/kafka-jars.ts'
import { entry, NOW, STATUSES } from './support.ts'

const NAME = "Kafka's dump tool reads entries of every state, and a forgotten id"
const jars = kafkaJarsOrSkip(NAME)
const run = jars === null ? test.skip : test

run(
  NAME,
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'samsa-decoder-'))
    try {
      const entries = STATUSES.map((status) => encodeTransaction('id', entry(status, { nextProducerId: 12 })))
      const records = [...entries, encodeTransaction('id', null)].map((written) => ({ timestamp: NOW, ...written }))
      const partition = join(folder, '__transaction_state-0')
      mkdirSync(partition)
      const path = join(partition, '00000000000000000000.log')
      writeFileSync(path, buildBatch({ leaderEpoch: 0, records }))
      const command = ['java', '-Xmx256m', '-XX:TieredStopAtLevel=1', javaTemporaryOption(), '-cp', `${jars}/*`]
      const tool = ['org.apache.kafka.tools.DumpLogSegments', '--transaction-log-decoder', '--files', path]
      const { exitCode, stdout, stderr } = Bun.spawnSync([...command, ...tool])
      expect([exitCode, stderr.toString().includes('Exception')]).toEqual([0, false])
      const text = stdout.toString()
      const found = [...text.matchAll(/ key: (\{.*?\}) payload: (.*)$/gm)].map(([, key = '', payload = '']) => [
        JSON.parse(key),
        payload === '<DELETE>' ? null : JSON.parse(payload),
      ])
      const key = { type: '0', data: { transactionalId: 'id' } }
      const common = { producerId: 7, producerEpoch: 5, transactionTimeoutMs: 60_000, previousProducerId: 7 }
      const expected = STATUSES.map((status, transactionStatus) => {
        const data = { ...common, nextProducerId: 12, clientTransactionVersion: 2, transactionStatus }
        const isOpen = status === 'Ongoing' || status.startsWith('Prepare')
        const transactionPartitions = isOpen
          ? [{ topic: 'topic', partitionIds: [0, 1] }]
          : status === 'Empty'
            ? null
            : []
        return [key, { version: '1', data: { ...data, transactionPartitions } }]
      })
      expect(found).toMatchObject([...expected, [key, null]])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
  60_000,
)
