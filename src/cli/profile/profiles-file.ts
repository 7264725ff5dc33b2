/**
 * The file of named clusters: `samsa/profiles.yaml` where configuration files live (XDG), or where --profiles-file or SAMSA_PROFILES_FILE say.
 *
 *     current: prod
 *     profiles:
 *       prod:
 *         bootstrap.servers: broker.example:9093
 *         sasl.username: alice
 *
 * What must hold: it may contain secrets, so it is written for its owner alone (0600), and in one step, so that a crash leaves the old one.
 */
import { chmodSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { CliError, usageError } from '../errors.ts'
import { checkedProperty, propertyNamed } from './properties.ts'
import { withoutUrlPasswords } from './secrets.ts'

export type ProfileProperties = Readonly<Record<string, string>>

export interface Profiles {
  readonly path: string
  /** Null: no profile is used unless one is named. */
  readonly current: string | null
  readonly profiles: ReadonlyMap<string, ProfileProperties>
}

const OWNER_ONLY = 0o600
const OTHERS = 0o077
const NAME = /^[\w.-]{1,100}$/
/** As a name it means: without any profile. */
export const NO_PROFILE = 'none'

export function profilesPath(given: string | undefined, environment: NodeJS.ProcessEnv = process.env): string {
  const named = given ?? environment.SAMSA_PROFILES_FILE
  if (named !== undefined && named !== '') return resolve(named)
  const { XDG_CONFIG_HOME } = environment
  // XDG Base Directory Specification: a relative path counts as not set.
  const base =
    XDG_CONFIG_HOME !== undefined && isAbsolute(XDG_CONFIG_HOME) ? XDG_CONFIG_HOME : join(homedir(), '.config')
  return join(base, 'samsa', 'profiles.yaml')
}

/** A file that is not there is one without profiles. */
export function readProfiles(path: string): Profiles {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return { path, current: null, profiles: new Map() }
    throw new CliError(`profiles cannot be read: ${message}`)
  }
  const trouble = (what: string): CliError => usageError(`${path}: ${what}`)
  let parsed: unknown
  try {
    parsed = Bun.YAML.parse(text)
  } catch (error) {
    throw trouble(`it is not YAML: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (parsed === null || parsed === undefined) return { path, current: null, profiles: new Map() }
  if (!isRecord(parsed)) throw trouble("it must have the keys 'current' and 'profiles'")
  const { current = null, profiles = {} } = parsed
  if (current !== null && typeof current !== 'string') throw trouble("'current' is no name of a profile")
  if (!isRecord(profiles)) throw trouble("'profiles' must have one entry per profile")
  const found = new Map<string, ProfileProperties>()
  for (const [name, properties] of Object.entries(profiles)) {
    const checked = checkProperties(properties)
    if (typeof checked === 'string') throw trouble(`profile '${name}': ${checked}`)
    found.set(name, checked)
  }
  return { path, current, profiles: found }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function checkProperties(given: unknown): ProfileProperties | string {
  if (given === null) return {}
  if (!isRecord(given)) return 'it must be a list of NAME: VALUE'
  const properties: Record<string, string> = {}
  for (const [name, value] of Object.entries(given)) {
    if (typeof value === 'object' && value !== null) return `${name}: it must be one value`
    const checked = checkedProperty(name, String(value))
    if (typeof checked === 'string') return checked
    properties[checked.property.name] = checked.value
  }
  return properties
}

/** Why such a file should not stay as it is; null if it may. */
export function exposedSecrets({ path, profiles }: Profiles): string | null {
  const hasSecret = [...profiles.values()].some((each) =>
    Object.entries(each).some(
      ([name, value]) => propertyNamed(name)?.isSecret === true || withoutUrlPasswords(value) !== value,
    ),
  )
  if (!hasSecret) return null
  const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0
  return (mode & OTHERS) === 0 ? null : `${path} holds secrets and can be read by others: chmod 600 ${path}`
}

export function writeProfiles({ path, current, profiles }: Profiles): void {
  const text = Bun.YAML.stringify({ current, profiles: Object.fromEntries(profiles) }, null, 2)
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const temporary = `${path}.${process.pid}.tmp`
  writeFileSync(temporary, `${text}\n`, { mode: OWNER_ONLY })
  chmodSync(temporary, OWNER_ONLY)
  renameSync(temporary, path)
}

export function checkProfileName(name: string): string {
  if (!NAME.test(name))
    throw usageError(`'${name}': a profile's name has letters, digits, '.', '_' and '-', at most 100`)
  if (name === NO_PROFILE) throw usageError(`'${NO_PROFILE}' means no profile: take another name`)
  return name
}

export function profileNamed({ path, profiles }: Profiles, name: string): ProfileProperties {
  const found = profiles.get(name)
  if (found !== undefined) return found
  const known = profiles.size === 0 ? `${path} has none` : `there are ${[...profiles.keys()].join(', ')}`
  throw usageError(`there is no profile '${name}'; ${known}`)
}
