/** `samsa doctor`: looks at what usually goes wrong between a client and a broker, and at the machine. What it checks is in ../doctor/. */
import type { Command } from 'commander'
import { adminCommand, type CommonOptions } from '../admin-command.ts'
import { type Finding, inspectMachine } from '../doctor/machine.ts'
import { inspectCluster } from '../doctor/reachability.ts'
import { CliError } from '../errors.ts'
import { print, printJson } from '../output.ts'

const MARKS = { ok: 'ok  ', warning: 'warn', problem: 'FAIL' } as const

export function command(): Command {
  return adminCommand(
    'doctor',
    'check whether brokers can be reached as they say, and whether this machine suits one',
    '  samsa doctor\n  samsa doctor -b broker.example:9092\n  samsa doctor --data /var/lib/samsa --format json',
  )
    .option('--data <dir>', "folder of a broker's data on this machine", './samsa-data')
    .action(async (options: CommonOptions & { data: string }) => {
      const findings: Finding[] = [...(await inspectCluster(options)), ...(await inspectMachine(options.data))]
      if (options.format === 'json') await printJson(findings)
      else await print(findings.map(inWords).join('\n'))
      const problems = findings.filter(({ level }) => level === 'problem').length
      if (problems > 0) throw new CliError(`${problems} of ${findings.length} checks failed`)
    })
}

function inWords({ level, what, advice }: Finding): string {
  return `${MARKS[level]}  ${what}${advice === null ? '' : `\n      ${advice}`}`
}
