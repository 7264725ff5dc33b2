#!/usr/bin/env node
// The installed command `samsa`: runs the program under Bun, from wherever it is: the process itself, the package `bun`, or the PATH. Plain
// JavaScript, because Node runs it, and Node takes no types inside installed packages.
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('./main.ts', import.meta.url))

function packagedBun() {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('bun/package.json')), 'bin', 'bun.exe')
  } catch {
    return 'bun' // not installed as a package: the one on the PATH
  }
}

if (process.versions.bun !== undefined) {
  await import(program)
} else {
  const child = spawn(packagedBun(), [program, ...process.argv.slice(2)], { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    const isMissing = 'code' in error && error.code === 'ENOENT'
    console.error(isMissing ? 'samsa: it runs on Bun, which is not here: npm install bun' : `samsa: ${error.message}`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + constants.signals[signal]
  })
}
