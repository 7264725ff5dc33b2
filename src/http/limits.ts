/** Every bound on what HTTP clients, one or all of them together, can make the broker hold or keep it waiting for. */

const KIB = 1024
const MIB = 1024 * KIB

/** Sockets open at once; one more is closed at once. */
export const HTTP_CONNECTIONS_MAX = 512

/** Bodies from log files under way at once. Above it: 503 with Retry-After. */
export const DOWNLOADS_MAX = 128

/** What a refused download is told to wait. */
export const DOWNLOAD_RETRY_AFTER_S = 2

/** Read and handed to the socket in one go: what one turn of the event loop spends on a download. */
export const DOWNLOAD_PIECE_BYTES_MAX = 256 * KIB

/** Pieces get smaller when many downloads share this. A download holds one piece and what the socket did not take of the one before. */
export const DOWNLOAD_PIECES_BUDGET_BYTES = 16 * MIB

/** A reader that takes nothing for so long is cut off. */
export const DOWNLOAD_STALL_MS = 60_000

/** A connection without a whole request, or between two of them, for so long is closed. */
export const HTTP_IDLE_MS = 30_000

/** How often connections are looked at. */
export const HTTP_SWEEP_MS = 5_000

/** How long a stop lets downloads run that are nearly done. */
export const HTTP_STOP_GRACE_MS = 500
