/**
 * Codecs are loaded at first use. Those that the runtime lacks come from packages with native parts: a program that meets no such
 * batch needs none of them, and one that does learns which package is missing.
 */
import { createRequire } from 'node:module'

/** A codec that cannot be used here; the message says what would help. */
export class CodecUnavailableError extends Error {
  override readonly name = 'CodecUnavailableError'
}

/** Outside of Bun, modules have no `require` of their own. */
export const requireHere: NodeJS.Require = createRequire(import.meta.url)

type Zlib = typeof import('node:zlib')
let loadedZlib: Zlib | null = null

/** The runtime's own; several megabytes that a program without compression does not need. */
export function zlib(): Zlib {
  loadedZlib ??= process.getBuiltinModule('node:zlib')
  return loadedZlib
}

export function loadCodec<Module>(codec: string, packageName: string, load: () => Module): Module {
  try {
    return load()
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause)
    const message = `${codec} needs the package '${packageName}', which cannot be loaded here: ${reason}`
    throw new CodecUnavailableError(message, { cause })
  }
}
