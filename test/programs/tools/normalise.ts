// What each broker or each run makes up itself (addresses, folders, ids, times, measured figures) is replaced by its name, so that two outputs can be
// compared line by line. Each rule looks for one format and leaves the shape of the line as it is.
import { join } from 'node:path'
import type { BrokerTarget } from '../../support/broker-target.ts'
import type { ToolResult } from '../../support/tool-runner.ts'

export interface Printed {
  readonly exitCode: number
  readonly stdout: readonly string[]
  readonly stderr: readonly string[]
}

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g
/** Kafka prints its own ids in 22 characters of base64url. */
const ID = /(?<![\w-])(?=[\w-]*[A-Z0-9])(?=[\w-]*[a-z])[\w-]{22}(?![\w(-])/g
const DATE = /\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d[.,:]\d{3}(Z|[+-]\d\d:?\d\d)?/g
/** A time in milliseconds of these years. */
const MILLISECONDS = /\b1[6-9]\d{11}\b/g

type Rule = readonly [pattern: RegExp, replacement: string]

const RULES: readonly Rule[] = [
  [UUID, '<uuid>'],
  [DATE, '<date>'],
  [MILLISECONDS, '<ms>'],
  [/\b(TopicId: |Cluster ID: |ClusterId: +|topicId=)[\w-]{22}/g, '$1<id>'],
  // How often features have changed in one broker is how many metadata records there are in the other.
  [/\bEpoch: \d+/g, 'Epoch: <epoch>'],
  [ID, '<id>'],
  [/\bperf-consumer-\d+/g, 'perf-consumer-<n>'],
  [/^SLF4J.*/, ''],
  // What is left when the test's own end of a tool is taken for an error by the tool.
  [/^(exit 1|ToolRunner\$JobExit: exit 1)$/, ''],
  // Columns are as wide as their widest id.
  [/ {2,}/g, '  '],
  [/-{4,}/g, '----'],
]

/** Lists of the tools' own that come in the order of a hash table, which is another in each JVM. */
const UNORDERED = /( are: | are (?=[\w.-]+=)| operations \[)([^\]]*)/

/** Options by their names: `[topic], [group]`. */
const OPTION_SET = /\[[\w-]+\](, \[[\w-]+\])+/

function inOrder(line: string): string {
  const sorted = (list: string): string => list.split(', ').sort().join(', ')
  return line.replace(UNORDERED, (_, text: string, list: string) => text + sorted(list)).replace(OPTION_SET, sorted)
}

const STACK = /^\s*(at |\.\.\. \d+ (more|common frames))/

export function normalise(result: ToolResult, target: BrokerTarget, files: string): Printed {
  const lines = (text: string): string[] =>
    text
      .replaceAll(target.bootstrap, '<bootstrap>')
      .replaceAll(target.dataDirectory, '<folder>')
      .replaceAll(join(files, `of-${target.port}`), '<copied>')
      .replaceAll(files, '<files>')
      .replaceAll(new RegExp(`\\b${target.port}\\b`, 'g'), '<port>')
      .split('\n')
      .filter((line) => !STACK.test(line))
      .map((line) => RULES.reduce((changed, [pattern, replacement]) => changed.replace(pattern, replacement), line))
      .map((line) => inOrder(line.trimEnd()))
      .filter((line) => line !== '')
  return { exitCode: result.exitCode, stdout: lines(result.stdout), stderr: lines(result.stderr) }
}
