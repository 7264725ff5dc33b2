/** The public API: a broker inside your own process. */
export { Broker, type BrokerOptions, BrokerStartError, type BrokerStartErrorCode } from './broker/server.ts'
export { type Logger, silentLogger } from './storage/logger.ts'
