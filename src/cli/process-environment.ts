/**
 * What the runtime reads from the environment before any code of ours runs. A broker that was started without it replaces itself, once
 * and at once, by the same command with it: same process id, same files, a few milliseconds. Where that cannot be done (no C
 * library to call, not Linux) the broker runs without, a little slower.
 */

/** Only what the user has not set is added. */
export const BROKER_ENVIRONMENT: Readonly<Record<string, string>> = {
  // Threads for slow disk work: with the default of four, a few slow syncs keep cold reads waiting.
  UV_THREADPOOL_SIZE: '16',
  // Milliseconds for which freed memory stays ours. Every chunk from a socket is fresh memory; given back at once (the default), each
  // costs its page faults again. Much longer, and what one burst freed stays resident for nothing.
  MIMALLOC_PURGE_DELAY: '200',
}

/** Returns when the process has what it needs, or cannot get it. */
export async function enterBrokerEnvironment(): Promise<void> {
  const missing = Object.entries(BROKER_ENVIRONMENT).filter(([name]) => process.env[name] === undefined)
  if (missing.length === 0) return
  const { replaceProcess } = await import('../storage/libc.ts')
  replaceProcess({ ...process.env, ...Object.fromEntries(missing) })
}
