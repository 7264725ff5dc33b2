/**
 * Where a tool prints something else against Samsa on purpose; a command names its row in `differs`. Everything but the lines of the row must be the
 * same, and these must differ: a row that is no longer needed fails.
 */
export interface Deliberate {
  readonly reason: string
  /** The lines that are not compared. */
  readonly lines: RegExp
}

export const DELIBERATE: Readonly<Record<string, Deliberate>> = {
  'settings of a controller': {
    reason: 'Kafka needs a controller listener and a quorum of voters to start; Samsa has no controller to reach',
    lines: /^ {2}(advertised\.listeners|controller\.\S+|listener\.security\.protocol\.map|listeners|process\.roles)=/,
  },
  requests: {
    reason: 'Clients may push metrics without a receiver in the configuration',
    lines: /^\t(GetTelemetrySubscriptions|PushTelemetry)\(/,
  },
  'refused thread counts': {
    reason: "Kafka's text is an exception's name in another's message; the reason and the bound are the same",
    lines: /current value 8/,
  },
}
