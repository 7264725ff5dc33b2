/** The JSON that lists what logs there are, as it is sent and as `samsa export` reads it. */

export interface PartitionListing {
  readonly partition: number
  /** False where its log could not be opened; the numbers are null then. */
  readonly available: boolean
  readonly logStartOffset: number | null
  readonly highWatermark: number | null
  readonly bytes: number | null
}

export interface TopicListing {
  readonly topic: string
  readonly topicId: string
  readonly partitions: readonly PartitionListing[]
}

export interface SegmentListing {
  readonly baseOffset: number
  /** Offset after the last record below the high watermark. */
  readonly nextOffset: number
  /** Of the batches below the high watermark. */
  readonly bytes: number
  readonly state: 'sealed' | 'active'
  /** ISO 8601; null if the file has just gone. */
  readonly lastModified: string | null
  /** Name of the file, in the partition's folder and below `segments/`. */
  readonly file: string
}

export interface SegmentsListing {
  readonly topic: string
  readonly partition: number
  readonly topicId: string
  readonly logStartOffset: number
  readonly highWatermark: number
  readonly segments: readonly SegmentListing[]
}

export interface ErrorListing {
  readonly error: { readonly code: string; readonly message: string }
}
