/**
 * Every bound on what one client, or all of them together, can make the broker hold. Each is checked before the memory
 * is taken. Configured limits (`socket.request.max.bytes`, `fetch.max.bytes`, ...) are Kafka's and come from the
 * configuration; these have no Kafka name.
 */

const KIB = 1024
const MIB = 1024 * KIB

/** Whole requests of one connection that are queued or executing. Above it the connection is not read. */
export const CONNECTION_REQUEST_BYTES_MAX = 16 * MIB

/** The same, counted: small requests cost more as objects than as bytes. */
export const CONNECTION_REQUESTS_MAX = 4096

/** Answers of one connection that the peer has not taken yet. Above it no further request of it begins. */
export const CONNECTION_UNREAD_BYTES_MAX = 16 * MIB

/** Bytes of requests, whole or in parts, of all connections together. */
export const TOTAL_REQUEST_BYTES_MAX = 64 * MIB

/** A connection that holds no more than this goes on reading when the total is used up, so that small requests pass. */
export const CONNECTION_REQUEST_BYTES_FREE = 64 * KIB

/** With the total used up, the one connection that may finish its request must send something within this time. */
export const STALLED_REQUEST_MS = 5_000

/** From the last byte we send on a connection until the peer has closed it; then it is reset. */
export const CLOSE_GRACE_MS = 5_000

/** Of a large Produce at least this much must be missing to be received into memory of ours. */
export const RECEIVE_BYTES_MIN = 32 * KIB

/** A chunk of at least this size is freed with the last request in it; smaller ones are the collector's. */
export const FREED_CHUNK_BYTES_MIN = 32 * KIB

/** After so many bytes a connection is not read before the others had their turn: the runtime alone would read on while more comes. */
export const CONNECTION_BYTES_PER_TURN = 2 * MIB

/** What follows such a Produce is looked at in pieces of this size. */
export const RECEIVE_HEAD_BYTES = 4 * KIB

/** Memory is lent to an unfinished request in pieces of at most this size, so that announcing a large one gains no more. */
export const LENT_PIECE_BYTES_MAX = MIB

/** Memory lent to requests at a time; above it the runtime's own buffers serve. */
export const LENT_BYTES_MAX = 64 * MIB

/** Of the memory for requests so much is kept for the next ones. */
export const REQUEST_MEMORY_KEPT_BYTES = 16 * MIB

/** Answer parts below this are copied together into one socket write; larger ones are handed over as they are. */
export const COALESCE_PART_BYTES_MAX = 64 * KIB

/** One socket write of coalesced parts. */
export const COALESCED_WRITE_BYTES = 128 * KIB

/** A range of a file leaves in pieces of this size; so much of it is in memory at most while it is read from a cold disk. */
export const FILE_PIECE_BYTES = MIB

/** Bytes written to a socket that is known to be full, only to be told when it takes more. */
export const FULL_SOCKET_PROBE_BYTES = 4 * KIB

/** How long a clean stop lets requests execute; what is parked until somebody else acts would never end. */
export const STOP_EXECUTING_MS = 1_000

/** How long a clean stop waits for answers to be taken and peers to close. */
export const STOP_GRACE_MS = 5_000

/** How long a start waits for the markers of transactions that had ended before it. */
export const FINISH_TRANSACTIONS_MS = 10_000

/** One read while a coordinator's partition is loaded. */
export const LOAD_CHUNK_BYTES = MIB

/** Counters of quotas, one per user and client id that a quota counts; above it those that count nothing are dropped. */
export const QUOTA_COUNTERS_MAX = 10_000

/** Connections that a rate refuses or delays, held open for a moment so that the client does not come back at once. */
export const WAITING_CONNECTIONS_MAX = 1_000

/** Of a regular expression over topic names. */
export const TOPIC_PATTERN_CHARACTERS_MAX = 1024

/** Clients whose pushed metrics are remembered; above it the one that was silent the longest is forgotten. */
export const TELEMETRY_CLIENTS_MAX = 1_000

/** Numbers kept of one client; Java clients push about a hundred. */
export const TELEMETRY_METRICS_MAX = 1_000

/** What one push may expand to. */
export const TELEMETRY_DECOMPRESSED_BYTES_MAX = 8 * MIB

/** How often the share coordinator is asked the same before its silence is an answer; about ten seconds in all. */
export const SHARE_STATE_ATTEMPTS_MAX = 16

/** Before it is asked again the first time; twice as long each further time. */
export const SHARE_STATE_RETRY_MS = 10
export const SHARE_STATE_RETRY_MS_MAX = 1_000

/** Internal topics of streams groups of which it is remembered that they could not be created. */
export const STREAMS_TOPIC_FAILURES_MAX = 1_000

/** So much of a partition is read at most for one ShareFetch, unless the client waits for more: what is not handed out was read in vain. */
export const SHARE_READ_BYTES_MAX = MIB
