/** `samsa profile`: names for clusters, as rpk has them. What a profile holds is in ../profile/properties.ts. */
import { Command } from 'commander'
import { CliError, usageError } from '../errors.ts'
import { collect, connectionOptions, type FormatOptions, formatOption, type KeyValue, keyValue } from '../options.ts'
import { print, printJson, table } from '../output.ts'
import {
  checkProfileName,
  type ProfileProperties,
  type Profiles,
  profileNamed,
  profilesPath,
  readProfiles,
  writeProfiles,
} from '../profile/profiles-file.ts'
import { checkedProperty, environmentName, PROPERTIES, propertyNamed } from '../profile/properties.ts'
import { newSecret, withoutUrlPasswords } from '../profile/secrets.ts'
import { type ConnectionOptions, settingsFor } from '../profile/settings.ts'

interface FileOptions extends FormatOptions {
  readonly profilesFile?: string
}

const HIDDEN = '(hidden)'

const HELP = `
A profile is a list of properties. What holds, from strongest to weakest:
  1. an option of the command: -b, --timeout, -z, --acks, ...
  2. -X property=value
  3. the environment: SAMSA_BOOTSTRAP, SAMSA_CLIENT_SASL_USERNAME for sasl.username, ...
  4. the profile: --profile NAME, else SAMSA_PROFILE, else the one of 'samsa profile use'
  5. the default
'samsa profile show' tells what holds and why; 'samsa profile properties' lists what can be set.

The file is samsa/profiles.yaml in XDG_CONFIG_HOME (~/.config), or what --profiles-file or SAMSA_PROFILES_FILE name; only
its owner can read it. A password is in it only if you put it there: better is sasl.password.file, the
environment, or being asked at the terminal. Secrets are never printed.

Examples:
  samsa profile create local bootstrap.servers=127.0.0.1:9092
  samsa profile create prod bootstrap.servers=broker.example:9093 sasl.mechanism=SCRAM-SHA-512 sasl.username=alice
  samsa profile set prod sasl.password.file=/run/secrets/kafka
  samsa profile use prod
  samsa topics list --profile local
  samsa profile show`

export function command(): Command {
  return new Command('profile')
    .description('Name clusters, with how to reach them, and choose which one is meant.')
    .addHelpText('after', HELP)
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(useCommand())
    .addCommand(setCommand())
    .addCommand(unsetCommand())
    .addCommand(renameCommand())
    .addCommand(deleteCommand())
    .addCommand(propertiesCommand())
}

function profileCommand(name: string, summary: string, examples: string): Command {
  const made = new Command(name).summary(summary).description(`${summary[0]?.toUpperCase()}${summary.slice(1)}.`)
  made.option('--profiles-file <path>', 'file of the profiles')
  return made.addOption(formatOption()).addHelpText('after', `\nExamples:\n${examples}`)
}

async function changed(options: FormatOptions, names: readonly string[], sentence: string): Promise<void> {
  if (options.format === 'json') await printJson(names.map((profile) => ({ profile, done: true })))
  else await print(sentence)
}

function withProfile({ path, current, profiles }: Profiles, name: string, properties: ProfileProperties): Profiles {
  return { path, current, profiles: new Map([...profiles, [name, properties]]) }
}

function checkedAll(pairs: readonly KeyValue[]): ProfileProperties {
  return Object.fromEntries(
    pairs.map(({ key, value }) => {
      const checked = checkedProperty(key, value)
      if (typeof checked === 'string') throw usageError(checked)
      return [checked.property.name, checked.value]
    }),
  )
}

interface CreateOptions extends FileOptions {
  readonly from?: string
  readonly set?: readonly KeyValue[]
  readonly askPassword?: boolean
  readonly use?: boolean
}

function createCommand(): Command {
  return profileCommand(
    'create',
    'make a profile',
    `  samsa profile create local bootstrap.servers=127.0.0.1:9092
  samsa profile create prod bootstrap.servers=b1:9093,b2:9093 security.protocol=SSL ssl.ca.location=ca.pem --use
  samsa profile create prod-bob --from prod sasl.username=bob --ask-password`,
  )
    .argument('<name>', 'name of the profile')
    .argument('[property=value...]', 'what it holds')
    .option('--from <profile>', 'begin with what this one holds')
    .option('-s, --set <property=value>', 'the same as an argument; may be repeated', collect(keyValue))
    .option('--ask-password', 'store a password: asked for, or read from standard input')
    .option('--use', 'make it the current one; the first profile always is')
    .action(async (name: string, pairs: string[], options: CreateOptions) => {
      const file = readProfiles(profilesPath(options.profilesFile))
      if (file.profiles.has(checkProfileName(name))) {
        throw new CliError(`profile '${name}' exists already; change it with 'samsa profile set', or delete it`)
      }
      const properties = {
        ...(options.from === undefined ? {} : profileNamed(file, options.from)),
        ...checkedAll([...pairs.map(keyValue), ...(options.set ?? [])]),
        ...(options.askPassword === true ? { 'sasl.password': await newSecret('password') } : {}),
      }
      const current = options.use === true || file.profiles.size === 0 ? name : file.current
      writeProfiles({ ...withProfile(file, name, properties), current })
      await changed(options, [name], `Created profile ${name}${current === name ? ', the current one' : ''}.`)
    })
}

function listCommand(): Command {
  return profileCommand('list', 'list profiles; * marks the current one', '  samsa profile list').action(
    async (options: FileOptions) => {
      const { current, profiles } = readProfiles(profilesPath(options.profilesFile))
      const rows = [...profiles].map(([name, properties]) => {
        const standard = propertyNamed('bootstrap.servers')?.standard ?? ''
        return { name, current: name === current, bootstrap: properties['bootstrap.servers'] ?? standard }
      })
      if (options.format === 'json') return printJson(rows)
      if (rows.length === 0) return
      const cells = rows.map((row) => [`${row.name}${row.current ? '*' : ''}`, row.bootstrap])
      await print(table(['NAME', 'BOOTSTRAP'], cells))
    },
  )
}

function showCommand(): Command {
  const made = profileCommand(
    'show',
    'show what holds, and where it comes from; secrets are hidden',
    '  samsa profile show\n  samsa profile show prod\n  samsa profile show -X timeout.ms=1000 --format json',
  )
  // The file is an option of the connection, too.
  for (const option of connectionOptions()) if (option.long !== '--profiles-file') made.addOption(option)
  return made
    .argument('[name]', 'name of the profile; the current one without')
    .action(async (name: string | undefined, options: ConnectionOptions & FileOptions) => {
      const settings = await settingsFor(name === undefined ? options : { ...options, profile: name })
      const rows = settings.all().map(({ name: property, value, origin }) => {
        const isSecret = propertyNamed(property)?.isSecret === true
        const shown = isSecret ? HIDDEN : withoutUrlPasswords(value)
        return { property, value: shown, origin }
      })
      if (options.format === 'json') {
        return printJson({ profile: settings.profile, file: profilesPath(options.profilesFile), settings: rows })
      }
      const head = `Profile: ${settings.profile ?? '-'}   File: ${profilesPath(options.profilesFile)}`
      const cells = rows.map(({ property, value, origin }) => [property, value, origin])
      await print(`${head}\n${table(['PROPERTY', 'VALUE', 'FROM'], cells)}`)
    })
}

function useCommand(): Command {
  return profileCommand('use', 'make a profile the current one', '  samsa profile use prod\n  samsa profile use none')
    .argument('<name>', "name of the profile; 'none' for none of them")
    .action(async (name: string, options: FileOptions) => {
      const file = readProfiles(profilesPath(options.profilesFile))
      if (name !== 'none') profileNamed(file, name)
      writeProfiles({ ...file, current: name === 'none' ? null : name })
      await changed(
        options,
        [name],
        name === 'none' ? 'No profile is the current one now.' : `Now using profile ${name}.`,
      )
    })
}

function setCommand(): Command {
  return profileCommand(
    'set',
    'change properties of a profile',
    `  samsa profile set prod timeout.ms=60000 compression.type=zstd
  samsa profile set prod sasl.username=alice --ask-password
  samsa profile set prod --ask-password < password.txt`,
  )
    .argument('<name>', 'name of the profile')
    .argument('[property=value...]', 'what changes')
    .option('--ask-password', 'store a password: asked for, or read from standard input')
    .action(async (name: string, pairs: string[], options: FileOptions & { askPassword?: boolean }) => {
      if (pairs.length === 0 && options.askPassword !== true) throw usageError('nothing to set: give PROPERTY=VALUE')
      const file = readProfiles(profilesPath(options.profilesFile))
      const properties = {
        ...profileNamed(file, name),
        ...checkedAll(pairs.map(keyValue)),
        ...(options.askPassword === true ? { 'sasl.password': await newSecret('password') } : {}),
      }
      writeProfiles(withProfile(file, name, properties))
      await changed(options, [name], `Changed profile ${name}.`)
    })
}

function unsetCommand(): Command {
  return profileCommand('unset', 'remove properties from a profile', '  samsa profile unset prod sasl.password')
    .argument('<name>', 'name of the profile')
    .argument('<property...>', 'what goes')
    .action(async (name: string, names: string[], options: FileOptions) => {
      const file = readProfiles(profilesPath(options.profilesFile))
      const properties = { ...profileNamed(file, name) }
      for (const each of names) delete properties[propertyNamed(each)?.name ?? each]
      writeProfiles(withProfile(file, name, properties))
      await changed(options, [name], `Changed profile ${name}.`)
    })
}

function renameCommand(): Command {
  return profileCommand('rename', 'give a profile another name', '  samsa profile rename prod production')
    .argument('<name>', 'name of the profile')
    .argument('<new-name>', 'its new name')
    .action(async (name: string, newName: string, options: FileOptions) => {
      const file = readProfiles(profilesPath(options.profilesFile))
      profileNamed(file, name)
      if (file.profiles.has(checkProfileName(newName))) throw new CliError(`profile '${newName}' exists already`)
      const profiles = new Map([...file.profiles].map(([each, held]) => [each === name ? newName : each, held]))
      writeProfiles({ ...file, profiles, current: file.current === name ? newName : file.current })
      await changed(options, [newName], `Renamed profile ${name} to ${newName}.`)
    })
}

function deleteCommand(): Command {
  return profileCommand('delete', 'delete profiles', '  samsa profile delete local')
    .argument('<name...>', 'names of the profiles')
    .action(async (names: string[], options: FileOptions) => {
      const file = readProfiles(profilesPath(options.profilesFile))
      for (const name of names) profileNamed(file, name)
      const profiles = new Map([...file.profiles].filter(([name]) => !names.includes(name)))
      const current = names.includes(file.current ?? '') ? null : file.current
      writeProfiles({ ...file, profiles, current })
      await changed(options, names, names.map((name) => `Deleted profile ${name}.`).join('\n'))
    })
}

function propertiesCommand(): Command {
  return profileCommand(
    'properties',
    'list what a profile, -X and the environment can set',
    '  samsa profile properties\n  samsa profile properties --format json',
  ).action(async (options: FileOptions) => {
    const rows = PROPERTIES.map((property) => ({
      name: property.name,
      default: property.standard ?? null,
      secret: property.isSecret === true,
      environment: environmentName(property),
      otherNames: property.otherNames ?? [],
      summary: property.summary,
    }))
    if (options.format === 'json') return printJson(rows)
    const cells = rows.map((row) => [row.name, row.default ?? '-', row.environment, row.summary])
    await print(table(['NAME', 'DEFAULT', 'ENVIRONMENT', 'MEANING'], cells))
  })
}
