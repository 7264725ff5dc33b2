import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { optionalPackage } from '../../../src/client/serdes/optional-package.ts'
import { failure } from './support.ts'

const ROOT = join(import.meta.dir, '../../..')

test('a package that is not there is named, with what needs it and how to get it', async () => {
  const name = 'samsa-no-such-package'
  const error = await failure(() => optionalPackage(name, 'avroSerde', () => import(name)))
  expect(error).toMatchObject({ code: 'ERR_PACKAGE_MISSING', retriable: false })
  expect(error.message).toBe("avroSerde needs the package 'samsa-no-such-package': npm install samsa-no-such-package")
  expect(error.cause).toBeDefined()
})

test('importing the client loads none of them', async () => {
  const program = `
    const before = new Set(Object.keys(require.cache))
    await import(${JSON.stringify(join(ROOT, 'src/client/index.ts'))})
    console.log(JSON.stringify(Object.keys(require.cache).filter((path) => !before.has(path))))`
  const child = Bun.spawn([process.execPath, '-e', program], { cwd: ROOT, stdout: 'pipe', stderr: 'inherit' })
  const loaded = JSON.parse(await new Response(child.stdout).text()) as string[]
  expect(loaded.some((path) => path.endsWith('src/client/index.ts'))).toBe(true)
  expect(loaded.filter((path) => /node_modules\/(avsc|ajv|ajv-formats|protobufjs|msgpackr)\//.test(path))).toEqual([])
}, 60_000)

test('they are optional peers, so that nobody has to install them', () => {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    readonly peerDependencies: Readonly<Record<string, string>>
    readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional: boolean }>>
    readonly dependencies: Readonly<Record<string, string>>
  }
  for (const name of ['avsc', 'ajv', 'ajv-formats', 'protobufjs']) {
    expect(manifest.peerDependencies[name]).toBeDefined()
    expect(manifest.peerDependenciesMeta[name]).toEqual({ optional: true })
    expect(manifest.dependencies[name]).toBeUndefined()
  }
})
