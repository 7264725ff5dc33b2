import { Command } from 'commander'
import { type FormatOptions, formatOption } from '../options.ts'
import { print, printJson } from '../output.ts'
import { VERSION } from '../version.ts'

export function command(): Command {
  return new Command('version')
    .description('Print the version of Samsa and of the runtime it runs on.')
    .addOption(formatOption())
    .addHelpText('after', '\nExamples:\n  samsa version\n  samsa version --format json')
    .action(async (options: FormatOptions) => {
      if (options.format === 'json') await printJson({ samsa: VERSION, bun: Bun.version, platform: platform() })
      else await print(`samsa ${VERSION} (bun ${Bun.version}, ${platform()})`)
    })
}

function platform(): string {
  return `${process.platform} ${process.arch}`
}
