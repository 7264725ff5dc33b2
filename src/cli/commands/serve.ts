/** `samsa serve`: its options. What it does is in ../serve/run.ts, loaded once the options are known to be right. */
import { Command, Option } from 'commander'
import { formatHostPort } from '../../client/address.ts'
import { LOG_FORMATS, LOG_LEVELS } from '../logger.ts'
import { address, collect, keyValue, nonNegativeInteger } from '../options.ts'
import type { ServeOptions } from '../serve/run.ts'
import {
  DEFAULT_DATA_DIRECTORY,
  DEFAULT_HTTP,
  DEFAULT_LISTEN,
  DEFAULT_NODE_ID,
  DURABILITIES,
  STORAGES,
} from '../serve/settings.ts'

const HELP = `
Durability: what an acknowledged record survives
  memory  nothing: no files are written (the same as --storage memory)
  os      a crash of the broker; written to the page cache, as Kafka does (default)
  fsync   a power failure; synced before it is acknowledged

Configuration has Kafka's names. Precedence: --set, environment (SAMSA_LOG_RETENTION_MS for log.retention.ms),
--config file, default.

HTTP: health (/healthz) and the logs as files (/v1/topics/TOPIC/partitions ..., see docs/operations.md), for this machine unless
--http names another address. It knows no passwords. Where the default port is taken the broker goes on without.

A folder of Kafka: on the data folder of a stopped Kafka of one node (KRaft, 3.3 to 4.3) serve prints what it has found and ends with
exit code 2; nothing is written. With --adopt it takes over topics, ids, configs, records, groups, transactions, quotas, SCRAM
credentials and ACLs, and serves them.

Examples:
  samsa serve
  samsa serve --listen 0.0.0.0:9092 --advertise broker.example:9092 --data /var/lib/samsa --durability fsync
  samsa serve --storage memory --listen 127.0.0.1:0
  samsa serve --config server.properties --set log.retention.ms=3600000
  samsa serve --data /var/lib/kafka --config server.properties --adopt

SIGTERM or SIGINT stops cleanly; a second one at once. Exit codes: 0 stopped, 1 failed, 2 bad usage or configuration.`

export function command(): Command {
  return new Command('serve')
    .description('Run a broker in the foreground.')
    .addOption(
      new Option(
        '--listen <host:port>',
        `address to listen on; port 0 takes a free one (default: ${formatHostPort(DEFAULT_LISTEN)})`,
      ).argParser(address),
    )
    .addOption(
      new Option('--advertise <host:port>', 'address that clients are told (default: the one they dialled)').argParser(
        address,
      ),
    )
    .addOption(
      new Option(
        '--http <host:port|off>',
        `address of the HTTP port, for health and log files (default: ${formatHostPort(DEFAULT_HTTP)})`,
      ).argParser((text) => (text === 'off' ? 'off' : address(text))),
    )
    .addOption(
      new Option(
        '--data <dir>',
        `data folder; several may be given, or named with commas (default: ${DEFAULT_DATA_DIRECTORY})`,
      ).argParser(collect(String)),
    )
    .addOption(new Option('--storage <kind>', 'where data lives; disk unless given').choices(STORAGES))
    .addOption(
      new Option('--durability <level>', 'what an acknowledgement promises; os unless given').choices(DURABILITIES),
    )
    .addOption(
      new Option(
        '--node-id <n>',
        `id of this broker (default: that of the data folder, else ${DEFAULT_NODE_ID})`,
      ).argParser(nonNegativeInteger),
    )
    .option('--adopt', "take over the data folder of a stopped single-node Kafka; see 'A folder of Kafka' below")
    .addOption(new Option('--config <file>', 'a server.properties file'))
    .addOption(
      new Option('--set <key=value>', 'one configuration property; may be repeated').argParser(collect(keyValue)),
    )
    .addOption(
      new Option('--log-format <format>', 'log lines on stderr')
        .choices(LOG_FORMATS)
        .default('text')
        .env('SAMSA_LOG_FORMAT'),
    )
    .addOption(
      new Option('--log-level <level>', 'least level that is logged')
        .choices(LOG_LEVELS)
        .default('info')
        .env('SAMSA_LOG_LEVEL'),
    )
    .addHelpText('after', HELP)
    .action(async (options: ServeOptions) => (await import('../serve/run.ts')).serve(options))
}
