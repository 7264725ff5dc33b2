/** Options that several commands share, and the parsers that turn their text into values or a usage error. */
import { InvalidArgumentError, Option } from 'commander'
import { type HostPort, parseBootstrap, parseHostPort } from '../client/address.ts'
import type { OutputFormat } from './output.ts'

export interface FormatOptions {
  readonly format: OutputFormat
}

export function formatOption(): Option {
  return new Option('--format <format>', 'how to print the result').choices(['text', 'json']).default('text')
}

/** How to reach the cluster. What is not given here comes from elsewhere: profile/settings.ts. */
export function connectionOptions(): Option[] {
  return [
    new Option('-b, --bootstrap <host:port,...>', 'brokers to begin with (default: 127.0.0.1:9092)').argParser(
      parseBootstrapOption,
    ),
    ...profileOptions(),
    new Option('--timeout <ms>', 'how long to wait for the broker (default: 30000)').argParser(positiveInteger),
  ]
}

/** For commands that reach a cluster in another way, too. */
export function profileOptions(): Option[] {
  return [
    new Option('--profile <name>', "a cluster of the profiles file; 'none' for none of them"),
    new Option('-X, --property <key=value>', 'any setting of a profile; may be repeated').argParser(collect(keyValue)),
    new Option('--profiles-file <path>', 'file of the profiles').hideHelp(),
  ]
}

function parseBootstrapOption(text: string): readonly HostPort[] {
  const addresses = parseBootstrap(text)
  if (typeof addresses === 'string') throw new InvalidArgumentError(addresses)
  return addresses
}

export function address(text: string): HostPort {
  const parsed = parseHostPort(text)
  if (typeof parsed === 'string') throw new InvalidArgumentError(parsed)
  return parsed
}

export function positiveInteger(text: string): number {
  const value = integer(text)
  if (value < 1) throw new InvalidArgumentError('It must be a whole number above 0.')
  return value
}

export function nonNegativeInteger(text: string): number {
  const value = integer(text)
  if (value < 0) throw new InvalidArgumentError('It must be a whole number, 0 or above.')
  return value
}

function integer(text: string): number {
  if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(Number(text))) {
    throw new InvalidArgumentError('It must be a whole number.')
  }
  return Number(text)
}

/** For options that may be repeated: `--config a=b --config c=d`. */
export function collect<T>(parse: (text: string) => T): (text: string, previous: readonly T[] | undefined) => T[] {
  return (text, previous) => [...(previous ?? []), parse(text)]
}

export interface KeyValue {
  readonly key: string
  readonly value: string
}

export function keyValue(text: string): KeyValue {
  const at = text.indexOf('=')
  if (at <= 0) throw new InvalidArgumentError(`'${text}' is not KEY=VALUE.`)
  return { key: text.slice(0, at).trim(), value: text.slice(at + 1).trim() }
}
