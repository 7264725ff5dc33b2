/** `samsa lab`: measuring instruments. Each has its own file in ../lab/, which loads what it measures with only once it runs. */
import { Command } from 'commander'
import { codecsCommand } from '../lab/codecs.ts'
import { ioCommand, ioSinkCommand } from '../lab/io.ts'

export function command(): Command {
  return new Command('lab')
    .description('Measure this machine and this data, and what follows for a broker on them.')
    .addHelpText(
      'after',
      `
Examples:
  samsa lab io --path /var/lib/samsa --quick      what the disk can take
  samsa lab codecs --file events.json --quick     which codec suits the data`,
    )
    .addCommand(ioCommand())
    .addCommand(ioSinkCommand(), { hidden: true })
    .addCommand(codecsCommand())
}
