/**
 * The machine's own limit, as a process: a C server that moves bytes from loopback into the page cache and back and does
 * nothing else. `serveMachineLimit` is that process; whoever measures starts it with `samsa bench machine-limit`.
 */
import { cc } from 'bun:ffi'
import { rmSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import source from './machine-limit.c' with { type: 'text' }

const STDOUT = 1

/** Prints the port, then serves until the process is ended by a signal. */
export function serveMachineLimit(directory: string): void {
  const { machine_limit_listen: listen, machine_limit_serve: serve } = compile(directory)
  const port = listen(Buffer.from(`${directory}\0`))
  if (port < 0) throw new Error(`the C server cannot listen, or write to ${directory}`)
  // Written at once: from here on the thread belongs to the C function, and no stream would be flushed.
  writeSync(STDOUT, `listening on 127.0.0.1:${port}\n`)
  serve()
  throw new Error('the C server has ended')
}

/** The compiler reads files only, so the source, which may be inside a compiled program, becomes one. */
function compile(directory: string) {
  const path = join(directory, 'machine-limit.c')
  writeFileSync(path, source)
  try {
    return cc({
      source: path,
      symbols: {
        machine_limit_listen: { args: ['ptr'], returns: 'int' },
        machine_limit_serve: { args: [], returns: 'int' },
      },
    }).symbols
  } finally {
    rmSync(path, { force: true })
  }
}
