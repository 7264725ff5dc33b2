/**
 * Limits of the record layer: what one batch from an untrusted peer may cost before it is refused.
 */

/** Most bytes the records of one compressed batch may decompress to. */
export const DEFAULT_MAX_DECOMPRESSED_BYTES = 64 * 1024 * 1024

/**
 * Most rejected records named one by one in an answer. A batch of a megabyte can hold 150,000 bad records; naming them
 * all would make the refusal many times larger than the request.
 */
export const MAX_RECORD_ERRORS = 10_000
