/** `samsa configs`: what kafka-configs does for topics, brokers, groups, client metrics and loggers. */
import { Argument, Command } from 'commander'
import {
  alterConfigs,
  type ConfigChange,
  type ConfigResourceType,
  describeConfigs,
  listConfigResources,
} from '../../client/admin/configs.ts'
import { adminCommand, type CommonOptions, tellOutcomes } from '../admin-command.ts'
import { usageError } from '../errors.ts'
import { collect, type KeyValue, keyValue } from '../options.ts'
import { print, printJson, table } from '../output.ts'
import { withCluster } from '../with-cluster.ts'

const TYPES: readonly ConfigResourceType[] = ['topic', 'broker', 'broker-logger', 'group', 'client-metrics']
/** Stands for the default of all brokers. */
const ALL_BROKERS = 'default'

export function command(): Command {
  return new Command('configs')
    .description('Show and change settings of topics, brokers, groups, client metrics and loggers.')
    .addHelpText(
      'after',
      `
Examples:
  samsa configs describe topic orders
  samsa configs describe broker 1 --all
  samsa configs set topic orders retention.ms=3600000
  samsa configs set broker default log.cleaner.threads=2
  samsa configs delete group billing consumer.session.timeout.ms
  samsa configs list group`,
    )
    .addCommand(describeCommand())
    .addCommand(setCommand())
    .addCommand(deleteCommand())
    .addCommand(listCommand())
}

function typeArgument(): Argument {
  return new Argument('<type>', 'what has the settings').choices(TYPES)
}

const NAME = `name of the topic, group or subscription, node id of the broker; '${ALL_BROKERS}' for all brokers`

function resource(type: ConfigResourceType, name: string) {
  if (type === 'broker' && name === ALL_BROKERS) return { type, name: '' }
  if ((type === 'broker' || type === 'broker-logger') && !/^\d{1,10}$/.test(name)) {
    throw usageError(`'${name}' is no node id of a broker; samsa cluster info shows them`)
  }
  return { type, name }
}

interface DescribeOptions extends CommonOptions {
  readonly all?: boolean
  readonly key?: readonly string[]
}

function describeCommand(): Command {
  return adminCommand(
    'describe',
    'show settings and where they come from',
    `  samsa configs describe topic orders
  samsa configs describe topic orders --key retention.ms --key segment.bytes
  samsa configs describe broker 1 --all --format json`,
  )
    .addArgument(typeArgument())
    .argument('<name>', NAME)
    .option('-a, --all', 'also those that nobody has set')
    .option(
      '-k, --key <name>',
      'only this setting, set or not; may be repeated',
      collect((text: string) => text),
    )
    .action(async (type: ConfigResourceType, name: string, options: DescribeOptions) => {
      const wanted = options.key === undefined ? {} : { keys: options.key }
      const asked = resource(type, name)
      const [described] = await withCluster(options, (cluster) =>
        describeConfigs(cluster, [asked], { ...wanted, synonyms: true, documentation: options.all === true }),
      )
      const showsAll = options.all === true || options.key !== undefined
      const shown = described!.configs.filter(
        ({ isDefault, source }) => showsAll || !(isDefault || source === 'static'),
      )
      if (options.format === 'json') return printJson(shown)
      const rows = shown.map(({ name: key, value, source, isSensitive }) => [
        key,
        isSensitive ? '(hidden)' : (value ?? '(none)'),
        source,
      ])
      if (rows.length > 0) await print(table(['NAME', 'VALUE', 'SOURCE'], rows))
    })
}

async function change(
  options: CommonOptions & { readonly validateOnly?: boolean },
  type: ConfigResourceType,
  name: string,
  changes: readonly ConfigChange[],
): Promise<void> {
  const { validateOnly = false } = options
  const changed = { ...resource(type, name), changes }
  const outcomes = await withCluster(options, (cluster) => alterConfigs(cluster, [changed], { validateOnly }))
  const verb = `${validateOnly ? 'Could alter' : 'Altered'} ${type}`
  await tellOutcomes(
    options,
    outcomes.map(({ error }) => ({ name, error })),
    { kind: type, verb },
  )
}

interface SetOptions extends CommonOptions {
  readonly append?: readonly KeyValue[]
  readonly subtract?: readonly KeyValue[]
  readonly validateOnly?: boolean
}

function setCommand(): Command {
  return adminCommand(
    'set',
    'change settings',
    `  samsa configs set topic orders retention.ms=3600000 segment.bytes=104857600
  samsa configs set topic orders --append cleanup.policy=compact
  samsa configs set client-metrics cpu interval.ms=5000 metrics=org.apache.kafka.producer --validate-only`,
  )
    .addArgument(typeArgument())
    .argument('<name>', NAME)
    .argument('[key=value...]', 'settings and their values')
    .option('--append <key=value>', 'add a member to a list; may be repeated', collect(keyValue))
    .option('--subtract <key=value>', 'take a member from a list; may be repeated', collect(keyValue))
    .option('--validate-only', 'check whether it would work; change nothing')
    .action(async (type: ConfigResourceType, name: string, pairs: string[], options: SetOptions) => {
      const changes: ConfigChange[] = [
        ...pairs.map(keyValue).map(({ key, value }) => ({ name: key, operation: 'set' as const, value })),
        ...(options.append ?? []).map(({ key, value }) => ({ name: key, operation: 'append' as const, value })),
        ...(options.subtract ?? []).map(({ key, value }) => ({ name: key, operation: 'subtract' as const, value })),
      ]
      if (changes.length === 0) throw usageError('nothing to change: give KEY=VALUE, --append or --subtract')
      await change(options, type, name, changes)
    })
}

function deleteCommand(): Command {
  return adminCommand(
    'delete',
    'set settings back to their defaults',
    '  samsa configs delete topic orders retention.ms segment.bytes',
  )
    .addArgument(typeArgument())
    .argument('<name>', NAME)
    .argument('<key...>', 'settings')
    .action(async (type: ConfigResourceType, name: string, keys: string[], options: CommonOptions) => {
      await change(
        options,
        type,
        name,
        keys.map((key) => ({ name: key, operation: 'delete' })),
      )
    })
}

function listCommand(): Command {
  return adminCommand(
    'list',
    'list what can have, or has, settings of its own',
    '  samsa configs list\n  samsa configs list group',
  )
    .addArgument(new Argument('[type]', 'only of this type').choices(TYPES))
    .action(async (type: ConfigResourceType | undefined, options: CommonOptions) => {
      const found = await withCluster(options, (cluster) =>
        listConfigResources(cluster, type === undefined ? [] : [type]),
      )
      if (options.format === 'json') return printJson(found)
      const rows = found.map(({ type: of, name }) => [of, name || ALL_BROKERS])
      if (rows.length > 0) await print(table(['TYPE', 'NAME'], rows))
    })
}
