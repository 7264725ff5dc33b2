/**
 * C libraries that the system may have, called through FFI: they are what Kafka's C and Java clients use, so their
 * figures stand for those clients, and they know levels and trainers that the packages leave out. All are optional.
 *
 * What must hold: a library that is missing, or lacks a symbol, is a sentence and not a failure.
 */
import { dlopen, type FFIFunction, type Library, type Pointer } from 'bun:ffi'

const SUFFIX: Partial<Record<NodeJS.Platform, (name: string, major: number) => string>> = {
  linux: (name, major) => `lib${name}.so.${major}`,
  darwin: (name, major) => `lib${name}.${major}.dylib`,
}

export type Loaded<Symbols extends Record<string, FFIFunction>> = Library<Symbols>['symbols']

/** The symbols, or why they are not to be had. */
export function loadLibrary<Symbols extends Record<string, FFIFunction>>(
  name: string,
  major: number,
  symbols: Symbols,
): Loaded<Symbols> | string {
  if (process.env.SAMSA_NO_FFI === '1') return 'FFI is switched off (SAMSA_NO_FFI=1)'
  const file = SUFFIX[process.platform]?.(name, major)
  if (file === undefined) return `no lib${name} is looked for on ${process.platform}`
  try {
    return dlopen(file, symbols).symbols
  } catch {
    return `${file} is not installed on this system`
  }
}

/** Memory that native calls write into. It grows and is reused: what it holds is valid until the next call. */
export class Scratch {
  #bytes: Buffer = Buffer.alloc(0)

  atLeast(bytes: number): Buffer {
    if (this.#bytes.length < bytes) this.#bytes = Buffer.alloc(bytes)
    return this.#bytes
  }
}

/** A size_t in and out of a call. */
export class SizeCell {
  readonly words = new Uint32Array(2)

  set value(size: number) {
    this.words[0] = size
    this.words[1] = Math.floor(size / 2 ** 32)
  }

  get value(): number {
    return this.words[0]! + this.words[1]! * 2 ** 32
  }
}

/** An address that a native call gave us, on its way into another one. */
export function pointerOf(address: number): Pointer {
  return address as Pointer
}

/** Both libraries number themselves major * 10000 + minor * 100 + patch. */
export function dotted(version: number): string {
  return [Math.floor(version / 10_000), Math.floor(version / 100) % 100, version % 100].join('.')
}
