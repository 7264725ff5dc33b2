/**
 * The one place that decides what holds: an option of the command (-b, --timeout, ...), then -X, then the environment, then the profile, then
 * the default. Each value knows where it comes from.
 */
import { dirname, resolve } from 'node:path'
import { formatHostPort, type HostPort } from '../../client/address.ts'
import { usageError } from '../errors.ts'
import type { KeyValue } from '../options.ts'
import { note } from '../output.ts'
import { exposedSecrets, NO_PROFILE, type Profiles, profileNamed, profilesPath, readProfiles } from './profiles-file.ts'
import { checkedProperty, environmentName, PROPERTIES, propertyNamed } from './properties.ts'

/** What commander makes of the options in options.ts. */
export interface ConnectionOptions {
  readonly bootstrap?: readonly HostPort[]
  readonly timeout?: number
  readonly profile?: string
  readonly property?: readonly KeyValue[]
  readonly profilesFile?: string
}

export type Origin = 'option' | '-X' | 'environment' | 'profile' | 'default'

export interface Setting {
  readonly value: string
  readonly origin: Origin
}

export class Settings {
  /** Null: none is in use. */
  readonly profile: string | null
  private readonly values: ReadonlyMap<string, Setting>

  constructor(profile: string | null, values: ReadonlyMap<string, Setting>) {
    this.profile = profile
    this.values = values
  }

  /** Undefined: nobody has set it, and it has no default. */
  get(name: string): string | undefined {
    return this.values.get(name)?.value
  }

  number(name: string): number {
    return Number(this.get(name))
  }

  all(): readonly (Setting & { readonly name: string })[] {
    return PROPERTIES.flatMap(({ name }) => {
      const setting = this.values.get(name)
      return setting === undefined ? [] : [{ name, ...setting }]
    })
  }
}

/** `options`: what the command's own options say, by property. */
export async function settingsFor(
  given: ConnectionOptions,
  own: Readonly<Record<string, string | number | undefined>> = {},
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Settings> {
  const file = readProfiles(profilesPath(given.profilesFile, environment))
  const exposed = exposedSecrets(file)
  if (exposed !== null) await note(`samsa: ${exposed}`)
  const profile = chosenProfile(file, given.profile ?? (environment.SAMSA_PROFILE || undefined))
  const values = new Map<string, Setting>()
  for (const { name, standard } of PROPERTIES) {
    if (standard !== undefined) values.set(name, { value: standard, origin: 'default' })
  }
  if (profile !== null) {
    for (const [name, value] of Object.entries(profileNamed(file, profile))) {
      const isPath = propertyNamed(name)?.isPath === true
      values.set(name, { value: isPath ? resolve(dirname(file.path), value) : value, origin: 'profile' })
    }
  }
  for (const property of PROPERTIES) {
    const variable = environmentName(property)
    const value = environment[variable]
    if (value === undefined || value === '') continue
    const checked = checkedProperty(property.name, value)
    if (typeof checked === 'string') throw usageError(`${variable}: ${checked}`)
    values.set(property.name, { value: checked.value, origin: 'environment' })
  }
  for (const { key, value } of given.property ?? []) {
    const checked = checkedProperty(key, value)
    if (typeof checked === 'string') throw usageError(`-X ${checked}`)
    values.set(checked.property.name, { value: checked.value, origin: '-X' })
  }
  const fromOptions = {
    'bootstrap.servers': given.bootstrap?.map(formatHostPort).join(','),
    'timeout.ms': given.timeout,
    ...own,
  }
  for (const [name, value] of Object.entries(fromOptions)) {
    if (value !== undefined) values.set(name, { value: String(value), origin: 'option' })
  }
  return new Settings(profile, values)
}

function chosenProfile({ current, profiles }: Profiles, named: string | undefined): string | null {
  const name = named ?? current
  if (name === null || name === NO_PROFILE) return null
  // Whoever deleted it by hand has left `current` behind.
  if (named === undefined && !profiles.has(name)) return null
  return name
}
