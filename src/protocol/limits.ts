// Every bound that the wire layer enforces. Each one is checked before memory is set aside for what it bounds.

/** Largest request frame, unless `socket.request.max.bytes` says otherwise. */
export const MAX_FRAME_BYTES = 100 * 1024 * 1024

/** Longest string the protocol can carry: lengths are int16, also where the compact form could express more. */
export const MAX_STRING_BYTES = 0x7fff

/** Array elements in one request, counted over all its arrays: bounds the objects one frame can unfold into. */
export const MAX_REQUEST_ARRAY_ELEMENTS = 1_000_000

/** The same for a response, which may describe every partition of a large cluster. */
export const MAX_RESPONSE_ARRAY_ELEMENTS = 16_000_000

/** Pieces of an unfinished frame below this size are copied together, so that many tiny packets stay a few buffers. */
export const SMALL_PIECE_BYTES = 16 * 1024

/** Largest buffer that such pieces are gathered in; a further one is started when it is full. */
export const GATHER_BUFFER_BYTES = 64 * 1024

/** Records of at least this size become a part of their own in a written message; smaller ones are copied in. */
export const PASS_THROUGH_BYTES = 64 * 1024

/** Strings up to this length are looked up among the recently read ones; comparing longer ones costs more than it saves. */
export const MAX_INTERNED_STRING_BYTES = 32
