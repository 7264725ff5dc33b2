// A broker replaces itself by one with the environment that its runtime needs. Seen from outside: same process, other environment.
import { afterAll, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BROKER_ENVIRONMENT } from '../../src/cli/process-environment.ts'
import { Child } from '../support/child-process.ts'
import { REPOSITORY } from '../support/kafka-jars.ts'

const folder = mkdtempSync(join(tmpdir(), 'samsa-environment-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const canLook = existsSync('/proc/self/environ')
const reason = canLook ? '' : ' [skipped: there is no /proc to look into]'

/** The environment of a running broker, and how it ended. */
async function brokerStartedWith(
  name: string,
  environment: Record<string, string>,
): Promise<{ environ: string[]; exitCode: number }> {
  const { UV_THREADPOOL_SIZE: _threads, MIMALLOC_PURGE_DELAY: _delay, ...inherited } = process.env
  const child = new Child({
    command: [
      'env',
      '-i',
      ...Object.entries({ PATH: inherited.PATH ?? '', HOME: inherited.HOME ?? '', ...environment }).map(
        ([key, value]) => `${key}=${value}`,
      ),
      join(REPOSITORY, 'node_modules/.bin/bun'),
      join(REPOSITORY, 'src/cli/main.ts'),
      ...['serve', '--listen', '127.0.0.1:0', '--http', 'off', '--data', join(folder, name)],
    ],
  })
  await child.line((line) => line.includes(' ready on '), 60_000)
  const environ = readFileSync(`/proc/${child.pid}/environ`, 'utf8').split('\0')
  return { environ, exitCode: await child.stop() }
}

test.skipIf(!canLook)(`a broker started without its environment gets it, and keeps its process${reason}`, async () => {
  const { environ, exitCode } = await brokerStartedWith('without', { SAMSA_LOG_RETENTION_HOURS: '5' })
  for (const [name, value] of Object.entries(BROKER_ENVIRONMENT)) expect(environ).toContain(`${name}=${value}`)
  expect(environ).toContain('SAMSA_LOG_RETENTION_HOURS=5')
  expect(exitCode).toBe(0)
})

test.skipIf(!canLook)(`what the user has set stays${reason}`, async () => {
  const { environ } = await brokerStartedWith('set', { UV_THREADPOOL_SIZE: '7' })
  expect(environ).toContain('UV_THREADPOOL_SIZE=7')
  expect(environ).toContain(`MIMALLOC_PURGE_DELAY=${BROKER_ENVIRONMENT.MIMALLOC_PURGE_DELAY}`)
})
