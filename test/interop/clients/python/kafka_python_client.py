"""kafka-python behind the contract of ../README.md."""
import sys
import time

from kafka import ConsumerRebalanceListener, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.structs import OffsetAndMetadata

import driver

TIMEOUT_S = 30


class Client:
    def __init__(self, bootstrap):
        self._bootstrap = bootstrap

    def create(self, topic, partitions):
        admin = KafkaAdminClient(bootstrap_servers=self._bootstrap)
        admin.create_topics([NewTopic(topic, partitions, 1)])
        admin.close()

    def transact(self, topic, transactional_id, group):
        producer = KafkaProducer(bootstrap_servers=self._bootstrap, transactional_id=transactional_id)
        producer.init_transactions()
        for value, commits in [("kept 1", True), ("dropped", False), ("kept 2", True)]:
            producer.begin_transaction()
            producer.send(topic, value.encode(), partition=0).get(TIMEOUT_S)
            if value == "kept 2":
                position = {TopicPartition(topic, 0): OffsetAndMetadata(3, "", -1)}
                producer.send_offsets_to_transaction(position, group)
            if commits:
                producer.commit_transaction()
            else:
                producer.abort_transaction()
        producer.close()

    def produce(self, topic, partition, codec, records):
        producer = KafkaProducer(
            bootstrap_servers=self._bootstrap, compression_type=None if codec == "none" else codec, linger_ms=50
        )
        futures = [
            producer.send(
                topic,
                partition=partition,
                key=record["key"],
                value=record["value"],
                headers=record["headers"],
                timestamp_ms=record["timestamp"],
            )
            for record in records
        ]
        for future in futures:
            future.get(TIMEOUT_S)
        producer.close()

    def consume(self, partitions):
        consumer = KafkaConsumer(bootstrap_servers=self._bootstrap, enable_auto_commit=False)
        consumer.assign([TopicPartition(topic, partition) for topic, partition, _count in partitions])
        consumer.seek_to_beginning()
        expected = sum(count for _topic, _partition, count in partitions)
        records = []
        deadline = time.monotonic() + TIMEOUT_S
        while len(records) < expected:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(records)} of {expected} records")
            for batch in consumer.poll(timeout_ms=1000).values():
                records.extend(to_line(record) for record in batch)
        consumer.close()
        return records

    def offset_by_time(self, topic, partition, timestamp):
        consumer = KafkaConsumer(bootstrap_servers=self._bootstrap)
        wanted = TopicPartition(topic, partition)
        found = consumer.offsets_for_times({wanted: timestamp})[wanted]
        consumer.close()
        return -1 if found is None else found.offset

    def run_member(self, group, topic, leaving):
        consumer = KafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            heartbeat_interval_ms=500,
            session_timeout_ms=10000,
        )

        class Listener(ConsumerRebalanceListener):
            def on_partitions_revoked(self, revoked):
                pass

            def on_partitions_assigned(self, assigned):
                driver.emit_assigned([each.partition for each in assigned])

        consumer.subscribe([topic], listener=Listener())
        # Joining before it knows the topic, it can assign nothing to itself and stay so (with Kafka too).
        consumer.partitions_for_topic(topic)
        while not leaving.is_set():
            for partition, batch in consumer.poll(timeout_ms=100).items():
                for record in batch:
                    driver.emit_record(to_line(record))
                consumer.commit({partition: OffsetAndMetadata(batch[-1].offset + 1, "", -1)})
        consumer.close()


def to_line(record):
    return driver.record_line(
        record.topic, record.partition, record.offset, record.timestamp, record.key, record.value, record.headers
    )


driver.serve(Client(sys.argv[1]))
