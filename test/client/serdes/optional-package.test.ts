import { expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const ROOT = join(import.meta.dir, '../../..')

test('a package that is not there is named, with what needs it and how to get it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'samsa-peers-'))
  try {
    // Nothing is installed where this bundle lies; what is not bundled is looked for there.
    const peers = ['avsc', 'ajv', 'ajv-formats', 'protobufjs']
    const external = [...peers, 'ajv/*']
    const built = await Bun.build({
      entrypoints: [join(ROOT, 'src/client/index.ts')],
      target: 'bun',
      outdir: folder,
      external: [...external, 'bun:*', '@node-rs/*', 'snappy', 'lz4-napi', 'msgpackr'],
    })
    expect(built.success).toBe(true)
    const program = `
      const { avroSerde, jsonSchemaSerde, protobufSerde, SchemaRegistry } = await import('./index.js')
      const registry = new SchemaRegistry({ url: 'http://127.0.0.1:1', retries: 0 })
      const serdes = [avroSerde({ registry }), jsonSchemaSerde({ registry }), protobufSerde({ registry })]
      for (const serde of serdes) {
        try {
          await serde.serialize(1, { topic: 't', field: 'value' })
        } catch ({ name, code, message }) {
          console.log(name, code, message)
        }
      }`
    writeFileSync(join(folder, 'program.js'), program)
    const child = Bun.spawn([process.execPath, '--no-install', 'program.js'], {
      cwd: folder,
      stdout: 'pipe',
      stderr: 'inherit',
    })
    expect(await new Response(child.stdout).text()).toBe(
      [
        "KafkaError ERR_PACKAGE_MISSING avroSerde needs the package 'avsc': npm install avsc",
        "KafkaError ERR_PACKAGE_MISSING jsonSchemaSerde needs the package 'ajv': npm install ajv",
        "KafkaError ERR_PACKAGE_MISSING protobufSerde needs the package 'protobufjs': npm install protobufjs",
        '',
      ].join('\n'),
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}, 60_000)

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
