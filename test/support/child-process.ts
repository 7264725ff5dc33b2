// One child process of a test: line by line output, an end by its process id, never left behind.
// Every starter of servers and client programs goes through here.

export interface ChildOptions {
  command: string[]
  environment?: Record<string, string>
  stdin?: 'pipe' | 'ignore'
  onLine?: (line: string) => void
  onErrorLine?: (line: string) => void
}

const STDERR_KEPT = 20_000

export class Child {
  readonly exited: Promise<number>
  readonly #process: Bun.Subprocess<'pipe' | 'ignore', 'pipe', 'pipe'>
  #stderr = ''
  #waiting: { matches: (line: string) => boolean; resolve: (line: string) => void }[] = []
  readonly #lines: string[] = []

  constructor(options: ChildOptions) {
    this.#process = Bun.spawn(options.command, {
      stdin: options.stdin ?? 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
      env: { ...process.env, ...options.environment },
    })
    const output = this.#readLines(this.#process.stdout, (line) => {
      if (options.onLine) options.onLine(line)
      else this.#keep(line)
    })
    const errors = this.#readLines(this.#process.stderr, (line) => {
      this.#stderr = `${this.#stderr}${line}\n`.slice(-STDERR_KEPT)
      options.onErrorLine?.(line)
    })
    this.exited = Promise.all([this.#process.exited, output, errors]).then(([code]) => code)
    running.add(this)
    this.exited.then(() => running.delete(this))
  }

  get pid(): number {
    return this.#process.pid
  }

  /** The newest standard error output, for failure messages. */
  get stderr(): string {
    return this.#stderr
  }

  get lines(): readonly string[] {
    return this.#lines
  }

  write(text: string): void {
    const stdin = this.#process.stdin as Bun.FileSink
    stdin.write(text)
    stdin.flush()
  }

  closeStdin(): void {
    const stdin = this.#process.stdin as Bun.FileSink
    stdin.end()
  }

  kill(signal: NodeJS.Signals = 'SIGTERM'): void {
    this.#process.kill(signal)
  }

  /** The first line, past or to come, that matches; fails when the process ends or the time is up. */
  async line(matches: (line: string) => boolean, timeoutMs: number): Promise<string> {
    const past = this.#lines.find(matches)
    if (past !== undefined) return past
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    this.#waiting.push({ matches, resolve })
    const timer = setTimeout(() => reject(new Error(`no such line in ${timeoutMs} ms\n${this.#tail()}`)), timeoutMs)
    this.exited.then((code) => reject(new Error(`ended with ${code}\n${this.#tail()}`)))
    try {
      return await promise
    } finally {
      clearTimeout(timer)
    }
  }

  /** Ends the process: asks first, insists after the time given. */
  async stop(graceMs = 10_000): Promise<number> {
    this.kill('SIGTERM')
    const timer = setTimeout(() => this.kill('SIGKILL'), graceMs)
    const code = await this.exited
    clearTimeout(timer)
    return code
  }

  #tail(): string {
    return `stdout:\n${this.#lines.slice(-20).join('\n')}\nstderr:\n${this.#stderr}`
  }

  #keep(line: string): void {
    this.#lines.push(line)
    this.#waiting = this.#waiting.filter((waiter) => {
      if (!waiter.matches(line)) return true
      waiter.resolve(line)
      return false
    })
  }

  async #readLines(stream: ReadableStream<Uint8Array>, onLine: (line: string) => void): Promise<void> {
    const decoder = new TextDecoder()
    let rest = ''
    for await (const chunk of stream) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
      rest = lines.pop() as string
      for (const line of lines) onLine(line)
    }
    if (rest !== '') onLine(rest)
  }
}

const running = new Set<Child>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

export interface CommandResult {
  exitCode: number
  stdout: string
  stderr: string
}

/** Runs a command to its end with the given standard input. Output is latin1, so that bytes survive. */
export async function runCommand(command: string[], stdin: Uint8Array = Buffer.alloc(0)): Promise<CommandResult> {
  const child = Bun.spawn(command, { stdin, stdout: 'pipe', stderr: 'pipe' })
  const [stdout, stderr, exitCode] = await Promise.all([
    new Response(child.stdout).bytes(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  return { exitCode, stdout: Buffer.from(stdout).toString('latin1'), stderr }
}
