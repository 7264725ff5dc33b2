"""Writes the cases of cases.json with Confluent's own serializers; see capture.ts. A registry's address per line comes in, a line of JSON goes out."""
import base64
import datetime
import decimal
import json
import os
import sys
import tempfile

from confluent_kafka.schema_registry import (Schema, SchemaReference, SchemaRegistryClient, header_schema_id_serializer,
                                             prefix_schema_id_serializer, topic_subject_name_strategy)
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from grpc_tools import protoc
import grpc_tools

UTC = datetime.timezone.utc


def python_value(value):
    if isinstance(value, list):
        return [python_value(each) for each in value]
    if not isinstance(value, dict):
        return value
    if '$bytes' in value:
        return bytes.fromhex(value['$bytes'])
    if '$date' in value:
        return datetime.datetime.fromtimestamp(value['$date'] // 1000, UTC).replace(microsecond=value['$date'] % 1000 * 1000)
    if '$day' in value:
        return datetime.datetime.fromtimestamp(value['$day'] // 1000, UTC).date()
    if '$decimal' in value:
        return decimal.Decimal(value['$decimal'])
    return {name: python_value(each) for name, each in value.items()}


def proto_json(value):
    if isinstance(value, list):
        return [proto_json(each) for each in value]
    if isinstance(value, dict):
        if '$bytes' in value:
            return base64.b64encode(bytes.fromhex(value['$bytes'])).decode()
        return {name: proto_json(each) for name, each in value.items()}
    return value


def message_of(case):
    with tempfile.TemporaryDirectory() as folder:
        files = {'main.proto': case['schema']}
        for reference in case.get('references', []):
            files[reference['name']] = reference['schema']
        for name, text in files.items():
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, 'w') as out:
                out.write(text)
        built_in = os.path.join(os.path.dirname(grpc_tools.__file__), '_proto')
        target = os.path.join(folder, 'set')
        arguments = ['protoc', '-I', folder, '-I', built_in, '--include_imports', '--descriptor_set_out', target, 'main.proto']
        assert protoc.main(arguments) == 0
        with open(target, 'rb') as file:
            files = descriptor_pb2.FileDescriptorSet.FromString(file.read())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName(case['message']))
    value = proto_json(case['value'])
    message = kind()
    if 'at' in value:
        at = value.pop('at')
        message.at.seconds = at['seconds']
        message.at.nanos = at['nanos']
    json_format.ParseDict(value, message)
    return kind, message


def text_of(schema):
    return schema if isinstance(schema, str) else json.dumps(schema, separators=(',', ':'))


def written(case, url):
    client = SchemaRegistryClient({'url': url})
    references = []
    if case['type'] != 'PROTOBUF':
        for reference in case.get('references', []):
            schema = Schema(text_of(reference['schema']), case['type'])
            client.register_schema(reference['subject'], schema)
            references.append(SchemaReference(reference['name'], reference['subject'], 1))
    serializer = header_schema_id_serializer if case.get('header') else prefix_schema_id_serializer
    conf = {'schema.id.serializer': serializer, 'subject.name.strategy': topic_subject_name_strategy}
    value = python_value(case['value'])
    schema = Schema(text_of(case['schema']), case['type'], references)
    if case['type'] == 'AVRO':
        serialize = AvroSerializer(client, schema, conf=conf)
    elif case['type'] == 'JSON':
        serialize = JSONSerializer(schema, client, conf=conf)
    else:
        kind, value = message_of(case)
        serialize = ProtobufSerializer(kind, client, conf=conf)
    context = SerializationContext('golden', case.get('field', 'value'), headers=[])
    payload = serialize(value, context)
    return {'name': case['name'], 'bytes': payload.hex(), 'headers': [[name, each.hex()] for name, each in context.headers]}


with open(os.path.join(os.path.dirname(__file__), 'cases.json')) as file:
    for case in json.load(file):
        print(json.dumps(written(case, sys.stdin.readline().strip())), flush=True)
