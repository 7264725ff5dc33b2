/** kafkajs' logger: levels, namespaces, and a creator that an application may bring to send the lines elsewhere. */
import { logLevel } from './constants.ts'

export interface LoggerEntryContent {
  readonly timestamp: string
  readonly message: string
  readonly [key: string]: unknown
}

export interface LogEntry {
  namespace: string
  level: logLevel
  label: string
  log: LoggerEntryContent
}

export type logCreator = (logLevel: logLevel) => (entry: LogEntry) => void

export type Logger = {
  info: (message: string, extra?: object) => void
  error: (message: string, extra?: object) => void
  warn: (message: string, extra?: object) => void
  debug: (message: string, extra?: object) => void
  namespace: (namespace: string, logLevel?: logLevel) => Logger
  setLogLevel: (logLevel: logLevel) => void
}

/** One line of JSON on the console for each entry. */
const toConsole: logCreator = () => (entry) => {
  const { namespace, level, label, log } = entry
  const message = namespace === '' ? log.message : `[${namespace}] ${log.message}`
  const line = JSON.stringify({ level: label, ...log, message })
  if (level === logLevel.ERROR) console.error(line)
  else if (level === logLevel.WARN) console.warn(line)
  else if (level === logLevel.INFO) console.info(line)
  else console.log(line)
}

/** KAFKAJS_LOG_LEVEL goes before what the program says, as in kafkajs. */
function effective(level: logLevel): logLevel {
  const name = (process.env.KAFKAJS_LOG_LEVEL ?? '').toUpperCase()
  return name in logLevel ? logLevel[name as keyof typeof logLevel] : level
}

export function createLogger(options: { level?: logLevel | undefined; logCreator?: logCreator | undefined }): Logger {
  let rootLevel = effective(options.level ?? logLevel.INFO)
  const write = (options.logCreator ?? toConsole)(rootLevel)
  const make = (namespace: string, own: logLevel | null): Logger => {
    const at =
      (label: keyof typeof logLevel) =>
      (message: string, extra: object = {}): void => {
        const level = logLevel[label]
        if (level > (own ?? rootLevel)) return
        const log = { timestamp: new Date().toISOString(), logger: 'kafkajs', message, ...extra }
        write({ namespace, level, label, log })
      }
    return {
      info: at('INFO'),
      error: at('ERROR'),
      warn: at('WARN'),
      debug: at('DEBUG'),
      namespace: (name, level) => make(name, level === undefined ? null : effective(level)),
      setLogLevel: (level) => {
        rootLevel = level
      },
    }
  }
  return make('', null)
}
