/** `samsa transactions`: what kafka-transactions does. */
import { Command } from 'commander'
import {
  abortTransaction,
  describeProducers,
  describeTransaction,
  fenceProducers,
  listTransactions,
} from '../../client/admin/transactions.ts'
import { adminCommand, type CommonOptions, tellOutcomes } from '../admin-command.ts'
import { CliError } from '../errors.ts'
import { collect, nonNegativeInteger, positiveInteger } from '../options.ts'
import { print, printJson, table } from '../output.ts'
import { withCluster } from '../with-cluster.ts'

export function command(): Command {
  return new Command('transactions')
    .description('List and describe transactions, and end those whose producers are gone.')
    .addHelpText(
      'after',
      `
Examples:
  samsa transactions list --state Ongoing --longer-than 60000
  samsa transactions describe payments-1
  samsa transactions producers orders 0
  samsa transactions abort orders 0 --producer-id 4000
  samsa transactions fence payments-1`,
    )
    .addCommand(listCommand())
    .addCommand(describeCommand())
    .addCommand(producersCommand())
    .addCommand(abortCommand())
    .addCommand(fenceCommand())
}

interface ListOptions extends CommonOptions {
  readonly state?: readonly string[]
  readonly longerThan?: number
  readonly pattern?: string
}

function listCommand(): Command {
  return adminCommand(
    'list',
    'list transactional ids and their states',
    '  samsa transactions list\n  samsa transactions list --state Ongoing --longer-than 60000',
  )
    .option(
      '--state <state>',
      'only those in this state; may be repeated',
      collect((text: string) => text),
    )
    .option('--longer-than <ms>', 'only those that run for longer', positiveInteger)
    .option('--pattern <regex>', 'only ids that match as a whole')
    .action(async (options: ListOptions) => {
      const { state: states, longerThan, pattern } = options
      const found = await withCluster(options, (cluster) =>
        listTransactions(cluster, {
          ...(states === undefined ? {} : { states }),
          ...(longerThan === undefined ? {} : { runningLongerThanMs: longerThan }),
          ...(pattern === undefined ? {} : { idPattern: pattern }),
        }),
      )
      if (options.format === 'json') return printJson(found)
      const rows = found.map((row) => [row.transactionalId, String(row.coordinator), String(row.producerId), row.state])
      await print(table(['TRANSACTIONAL-ID', 'COORDINATOR', 'PRODUCER-ID', 'STATE'], rows))
    })
}

function describeCommand(): Command {
  return adminCommand(
    'describe',
    'show the transaction of an id and the partitions in it',
    '  samsa transactions describe payments-1',
  )
    .argument('<transactional-id>')
    .action(async (transactionalId: string, options: CommonOptions) => {
      const found = await withCluster(options, (cluster) => describeTransaction(cluster, transactionalId))
      if (options.format === 'json') return printJson(found)
      const { producerId, producerEpoch, state, timeoutMs, startedMs, partitions } = found
      const inIt = partitions.flatMap(({ topic, partitions: indexes }) => indexes.map((index) => `${topic}-${index}`))
      const cells = [
        ...[transactionalId, String(producerId), String(producerEpoch), state, String(timeoutMs)],
        startedMs < 0 ? '-' : new Date(startedMs).toISOString(),
        inIt.join(',') || '-',
      ]
      const header = ['TRANSACTIONAL-ID', 'PRODUCER-ID', 'EPOCH', 'STATE', 'TIMEOUT-MS', 'STARTED', 'PARTITIONS']
      await print(table(header, [cells]))
    })
}

function producersCommand(): Command {
  return adminCommand(
    'producers',
    'show who has written to a partition lately',
    '  samsa transactions producers orders 0',
  )
    .argument('<topic>')
    .argument('<partition>', 'its number', nonNegativeInteger)
    .action(async (topic: string, partition: number, options: CommonOptions) => {
      const found = await withCluster(options, (cluster) => describeProducers(cluster, topic, partition))
      if (options.format === 'json') return printJson(found)
      const rows = found.map((row) => [
        ...[row.producerId, row.producerEpoch, row.coordinatorEpoch, row.lastSequence].map(String),
        row.lastTimestamp < 0 ? '-' : new Date(row.lastTimestamp).toISOString(),
        row.transactionStartOffset < 0 ? '-' : String(row.transactionStartOffset),
      ])
      const header = ['PRODUCER-ID', 'EPOCH', 'COORDINATOR-EPOCH', 'LAST-SEQUENCE', 'LAST-WRITTEN', 'TRANSACTION-START']
      await print(table(header, rows))
    })
}

function abortCommand(): Command {
  return adminCommand(
    'abort',
    'end a hanging transaction in a partition: one that no coordinator knows any more',
    '  samsa transactions abort orders 0 --producer-id 4000',
  )
    .argument('<topic>')
    .argument('<partition>', 'its number', nonNegativeInteger)
    .requiredOption('--producer-id <n>', "as 'producers' shows it", nonNegativeInteger)
    .action(async (topic: string, partition: number, options: CommonOptions & { producerId: number }) => {
      const { producerId } = options
      await withCluster(options, async (cluster) => {
        const producers = await describeProducers(cluster, topic, partition)
        const found = producers.find((producer) => producer.producerId === producerId)
        if (found === undefined || found.transactionStartOffset < 0) {
          throw new CliError(`producer ${producerId} has no open transaction in ${topic}-${partition}`)
        }
        await abortTransaction(cluster, { topic, partition, ...found })
      })
      if (options.format === 'json') return printJson([{ producerId, done: true }])
      await print(`Aborted the transaction of producer ${producerId} in ${topic}-${partition}.`)
    })
}

function fenceCommand(): Command {
  return adminCommand(
    'fence',
    'shut producers of transactional ids out, and abort what they have open',
    '  samsa transactions fence payments-1 payments-2',
  )
    .argument('<transactional-id...>')
    .action(async (ids: string[], options: CommonOptions) => {
      const outcomes = await withCluster(options, (cluster) => fenceProducers(cluster, ids))
      const named = outcomes.map(({ transactionalId: name, error }) => ({ name, error }))
      await tellOutcomes(options, named, { kind: 'transactionalId', verb: 'Fenced' })
    })
}
