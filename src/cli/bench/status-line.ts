/** What the run is at, on stderr, with the time since; nothing where nobody watches. */
const REFRESH_MS = 250

export class StatusLine {
  private readonly enabled: boolean
  private timer: ReturnType<typeof setInterval> | null = null
  private text = ''
  private sinceMs = 0

  constructor(enabled: boolean = process.stderr.isTTY === true) {
    this.enabled = enabled
  }

  show(text: string): void {
    if (!this.enabled) return
    this.text = text
    this.sinceMs = performance.now()
    this.draw()
    this.timer ??= setInterval(() => this.draw(), REFRESH_MS)
    this.timer.unref()
  }

  /** Takes the line away; the next `show` brings it back. */
  clear(): void {
    if (this.timer === null) return
    clearInterval(this.timer)
    this.timer = null
    process.stderr.write('\r\x1b[K')
  }

  note(text: string): void {
    this.clear()
    process.stderr.write(`${text}\n`)
  }

  private draw(): void {
    const seconds = Math.floor((performance.now() - this.sinceMs) / 1000)
    process.stderr.write(`\r\x1b[K${this.text}${seconds > 0 ? `, ${seconds} s` : ''}`)
  }
}
