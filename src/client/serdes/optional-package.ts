/** Packages that only some programs need are loaded when they are, so that nobody else has to install them. */
import { KafkaError } from '../errors.ts'

/** What `load` imports. `name` is what has to be installed, `needs` what needs it. */
export async function optionalPackage<M>(name: string, needs: string, load: () => Promise<M>): Promise<M> {
  try {
    return await load()
  } catch (cause) {
    const message = `${needs} needs the package '${name}': npm install ${name}`
    throw new KafkaError('ERR_PACKAGE_MISSING', message, { cause })
  }
}
