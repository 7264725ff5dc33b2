/** `samsa hand-back`: makes the data folder of a stopped broker one that Kafka starts on. */
import { resolve } from 'node:path'
import { Command, Option } from 'commander'
import { handBack } from '../../broker/hand-back.ts'
import { BrokerStartError } from '../../broker/start-error.ts'
import { realClock } from '../../storage/clock-real.ts'
import { RealDisk } from '../../storage/disk-real.ts'
import { realRandom } from '../../storage/random-real.ts'
import { RealTimers } from '../../storage/timers-real.ts'
import { CliError } from '../errors.ts'
import { createLogger } from '../logger.ts'
import { collect, type FormatOptions, formatOption } from '../options.ts'
import { print, printJson } from '../output.ts'

interface HandBackCliOptions extends FormatOptions {
  readonly data: readonly string[]
  readonly metadataDir?: string
}

const HELP = `
Topics with their ids, configs, quotas, SCRAM credentials, ACLs, feature levels and the next producer id are written as
bootstrap.checkpoint, from which a Kafka (4.x, broker and controller in one process, the same node.id) begins its metadata log. Records,
groups and transactions lie in the folder as Kafka's already. Nothing is deleted: samsa-metadata.db is renamed, and renaming it back
before Kafka has started makes the folder Samsa's again.

Stop the broker first, and copy the folder if it matters.

Examples:
  samsa hand-back --data /var/lib/samsa
  samsa hand-back --data /disk1/samsa --data /disk2/samsa --metadata-dir /disk1/samsa

Exit codes: 0 Kafka can have it, 1 failed, 2 bad usage.`

export function command(): Command {
  return new Command('hand-back')
    .description('Make the data folder of a stopped broker one that Kafka starts on.')
    .addOption(
      new Option('--data <dir>', 'data folder; several may be given, or named with commas')
        .argParser(collect(String))
        .makeOptionMandatory(),
    )
    .option('--metadata-dir <dir>', 'where samsa-metadata.db is, if metadata.log.dir was set')
    .addOption(formatOption())
    .addHelpText('after', HELP)
    .action(run)
}

async function run({ data, metadataDir, format }: HandBackCliOptions): Promise<void> {
  const directories = [
    ...new Set(
      data
        .join(',')
        .split(',')
        .map((each) => resolve(each.trim())),
    ),
  ]
  const timers = new RealTimers(realClock)
  try {
    const done = await handBack({
      directories,
      metadataDirectory: metadataDir === undefined ? directories[0]! : resolve(metadataDir),
      disk: new RealDisk(),
      clock: realClock,
      timers,
      random: realRandom,
      logger: createLogger({ format: 'text', level: 'warn', colour: false }),
    })
    if (format === 'json') return await printJson(done)
    const { topics, nodeId, keptAs } = done
    await print(
      `${topics} topics written for Kafka; start it with node.id=${nodeId}. Samsa's metadata is kept as ${keptAs}`,
    )
  } catch (error) {
    if (error instanceof BrokerStartError) throw new CliError(error.message)
    throw error
  } finally {
    timers.cancelAll()
  }
}
