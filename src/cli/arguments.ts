/** commander knows one long name per option; Kafka's own tools say --bootstrap-server for what is --bootstrap here. */
export function withBootstrapAlias(argv: readonly string[]): string[] {
  return argv.map((argument) => argument.replace(/^--bootstrap-server(?=$|=)/, '--bootstrap'))
}
