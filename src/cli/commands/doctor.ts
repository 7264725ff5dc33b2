/** `samsa doctor`: looks at what usually goes wrong between a client and a broker, and at the machine. What it checks is in ../doctor/. */
import type { Command } from 'commander'
import { adminCommand, type CommonOptions } from '../admin-command.ts'
import type { Finding } from '../doctor/finding.ts'
import { CliError } from '../errors.ts'
import { print, printJson, wantsColour } from '../output.ts'
import { clusterOptions } from '../profile/connection.ts'
import { settingsFor } from '../profile/settings.ts'

const MARKS = { ok: 'ok  ', warning: 'warn', problem: 'FAIL' } as const
const COLOURS = { ok: '\x1b[32m', warning: '\x1b[33m', problem: '\x1b[31m' } as const

interface DoctorOptions extends CommonOptions {
  readonly data: string
  readonly strict?: boolean
  readonly cluster: boolean
}

export function command(): Command {
  return adminCommand(
    'doctor',
    'check whether brokers can be reached as they say, and whether this machine suits one',
    `  samsa doctor
  samsa doctor -b broker.example:9092
  samsa doctor --profile prod --strict
  samsa doctor --no-cluster --data /var/lib/samsa --format json

Looked at: addresses and names, TLS, users, advertised addresses, controller, leaders and replicas, clocks; of this
machine open files, room, file system, syncs and speed of the disk.

Exit codes: 0 no problem (with --strict: no warning either), 1 something is wrong, 2 bad usage.`,
  )
    .option('--data <dir>', "folder of a broker's data on this machine", './samsa-data')
    .option('--no-cluster', 'look at this machine only')
    .option('--strict', 'warnings make the exit code 1, too')
    .action(async (options: DoctorOptions) => {
      const findings = await inspect(options)
      if (options.format === 'json') await printJson(findings)
      else await print(findings.map(inWords).join('\n'))
      const bad = findings.filter(
        ({ level }) => level === 'problem' || (options.strict === true && level === 'warning'),
      )
      if (bad.length > 0) throw new CliError(`${bad.length} of ${findings.length} checks failed`)
    })
}

async function inspect(options: DoctorOptions): Promise<Finding[]> {
  const [{ inspectCluster }, { inspectMachine }] = await Promise.all([
    import('../doctor/cluster-state.ts'),
    import('../doctor/machine.ts'),
  ])
  const ofCluster = options.cluster ? await inspectCluster(clusterOptions(await settingsFor(options))) : []
  return [...ofCluster, ...(await inspectMachine(options.data))]
}

function inWords({ level, what, advice }: Finding): string {
  const mark = wantsColour(process.stdout) ? `${COLOURS[level]}${MARKS[level]}\x1b[0m` : MARKS[level]
  return `${mark}  ${what}${advice === null ? '' : `\n      ${advice}`}`
}
