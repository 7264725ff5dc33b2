/**
 * Limits of the record layer: what one batch from an untrusted peer may cost before it is refused.
 */

/** Most bytes the records of one compressed batch may decompress to. */
export const DEFAULT_MAX_DECOMPRESSED_BYTES = 64 * 1024 * 1024

/**
 * A topic that takes larger batches than usual may also have them expand to more: to so many times its largest batch. All of it is in
 * memory while the records are checked, and again while they are searched.
 */
const DECOMPRESSED_BATCH_RATIO_MAX = 16

/** What a batch may decompress to where batches of this size are taken. */
export function maxDecompressedBytesFor(maxBatchBytes: number): number {
  return Math.max(DEFAULT_MAX_DECOMPRESSED_BYTES, DECOMPRESSED_BATCH_RATIO_MAX * maxBatchBytes)
}

/**
 * Most rejected records named one by one in an answer. A batch of a megabyte can hold 150,000 bad records; naming them
 * all would make the refusal many times larger than the request.
 */
export const MAX_RECORD_ERRORS = 10_000
