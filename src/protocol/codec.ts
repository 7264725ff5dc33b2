// Reads and writes messages as their schema declares them. For each (schema, version) a decoder and an encoder are
// compiled at first use (compile-decoder.ts, compile-encoder.ts) and kept with the schema; docs/adr/0002 has the reasons.
//
// What holds:
// - decode returns every declared field; those that the version lacks have their default. Always the same keys in the
//   same order, whatever the version.
// - encode writes the default for a field left out. null where the version does not allow it is an EncodeError, unless
//   the field is ignorable: then the default is written.
// - A value that the version has no field for is dropped from a response (an old client cannot use it) but is an
//   EncodeError in a request, unless ignorable or the default: the answer would be to another question.

import { compileDecoder } from './compile-decoder.ts'
import { compileEncoder } from './compile-encoder.ts'
import { ProtocolError } from './errors.ts'
import type { Reader } from './reader.ts'
import { type Infer, type Input, includes, type MessageSchema } from './schema.ts'
import type { Writer } from './writer.ts'

export function decode<S extends MessageSchema>(schema: S, reader: Reader, version: number): Infer<S> {
  const decoder = schema.decoders[version] ?? firstDecoder(schema, version)
  try {
    return decoder(reader) as Infer<S>
  } catch (error) {
    if (error instanceof ProtocolError) error.message = `${schema.name} v${version}: ${error.message}`
    throw error
  }
}

export function encode<S extends MessageSchema>(schema: S, writer: Writer, value: Input<S>, version: number): void {
  const encoder = schema.encoders[version] ?? firstEncoder(schema, version)
  encoder(writer, value)
}

function firstDecoder(schema: MessageSchema, version: number): MessageSchema['decoders'][number] {
  assertVersion(schema, version)
  const decoder = compileDecoder(schema, version)
  schema.decoders[version] = decoder
  return decoder
}

function firstEncoder(schema: MessageSchema, version: number): MessageSchema['encoders'][number] {
  assertVersion(schema, version)
  const encoder = compileEncoder(schema, version)
  schema.encoders[version] = encoder
  return encoder
}

function assertVersion(schema: MessageSchema, version: number): void {
  if (!Number.isInteger(version) || !includes(schema.versions, version)) {
    throw new RangeError(`${schema.name} has no version ${version}`)
  }
}
