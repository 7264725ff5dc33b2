/** Rewrites of the command line that commander has no words for. */

/** Options that may also stand before the command: `samsa --profile prod topics list`. */
const LEADING_WITH_VALUE = new Set([
  '-b',
  '--bootstrap',
  '-X',
  '--property',
  '--profile',
  '--profiles-file',
  '--timeout',
  '--format',
])

export function normalized(argv: readonly string[]): string[] {
  return withLeadingOptionsLast(withBootstrapAlias(argv))
}

/** commander knows one long name per option; Kafka's own tools say --bootstrap-server for what is --bootstrap here. */
function withBootstrapAlias(argv: readonly string[]): string[] {
  return argv.map((argument) => argument.replace(/^--bootstrap-server(?=$|=)/, '--bootstrap'))
}

function withLeadingOptionsLast(argv: readonly string[]): string[] {
  let end = 0
  while (end < argv.length) {
    const [name = '', value] = argv[end]!.split('=', 2)
    const isShort = /^-[bX]./.test(argv[end]!)
    if (!isShort && !LEADING_WITH_VALUE.has(name)) break
    end += isShort || value !== undefined ? 1 : 2
  }
  const rest = argv.slice(end)
  const literal = rest.indexOf('--')
  return literal < 0
    ? [...rest, ...argv.slice(0, end)]
    : [...rest.slice(0, literal), ...argv.slice(0, end), ...rest.slice(literal)]
}
