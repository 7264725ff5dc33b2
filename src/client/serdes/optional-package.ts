/**
 * Packages that only some programs need are imported when they are, so that nobody else has to install them. The imports stand in try
 * blocks of their own, where bundlers let them be if the package is not there.
 */
import { KafkaError } from '../errors.ts'

/** `name` is what has to be installed, `needs` what needs it. */
export function missingPackage(name: string, needs: string, cause: unknown): KafkaError {
  const message = `${needs} needs the package '${name}': npm install ${name}`
  return new KafkaError('ERR_PACKAGE_MISSING', message, { cause })
}
