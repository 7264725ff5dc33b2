/** What `samsa doctor` has to say about one thing that it looked at. */
export interface Finding {
  readonly check: string
  readonly level: 'ok' | 'warning' | 'problem'
  /** One sentence: what was found. */
  readonly what: string
  /** What can be done; null where nothing has to. */
  readonly advice: string | null
}

export function fine(check: string, what: string): Finding {
  return { check, level: 'ok', what, advice: null }
}

export function warning(check: string, what: string, advice: string | null = null): Finding {
  return { check, level: 'warning', what, advice }
}

export function trouble(check: string, what: string, advice: string | null = null): Finding {
  return { check, level: 'problem', what, advice }
}
