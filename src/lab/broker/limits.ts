/** How far a run of the benchmark may go. A mistyped option is refused; nothing here depends on what a broker answers. */

/** Loopback has about 28,000 ports towards one address, and both ends need a descriptor for each connection. */
export const CONNECTIONS_MAX = 10_000
/** What Apache Kafka's controller creates with one request. */
export const PARTITIONS_MAX = 10_000
export const ROUNDS_MAX = 1_000
export const SECONDS_MAX = 3_600
export const WARMUP_SECONDS_MAX = 600
export const BROKERS_MAX = 8
/** Records per second of an open-loop run. */
export const RATE_MAX = 10_000_000

/** Unanswered requests of one connection in an open loop. What is due beyond them waits, and its waiting counts as latency. */
export const OPEN_LOOP_IN_FLIGHT_MAX = 256
/** Topics in one CreateTopics or DeleteTopics. */
export const TOPICS_PER_REQUEST_MAX = 500
/** Samples of memory in one round; a long round is sampled less often. */
export const MEMORY_SAMPLES_MAX = 600

/** Rounds before the counted ones. */
export const WARMUP_ROUNDS_MAX = 20
