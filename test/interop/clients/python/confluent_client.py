"""confluent-kafka (librdkafka) behind the contract of ../README.md."""
import sys

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

import driver

TIMEOUT_S = 30


class Client:
    def __init__(self, bootstrap):
        self._bootstrap = {"bootstrap.servers": bootstrap}

    def create(self, topic, partitions):
        admin = AdminClient(self._bootstrap)
        for future in admin.create_topics([NewTopic(topic, partitions, 1)]).values():
            future.result(TIMEOUT_S)

    def produce(self, topic, partition, codec, records):
        failures = []

        def delivered(error, _message):
            if error is not None:
                failures.append(error)

        producer = Producer({**self._bootstrap, "compression.type": codec, "linger.ms": 50})
        for record in records:
            producer.produce(
                topic,
                partition=partition,
                key=record["key"],
                value=record["value"],
                headers=record["headers"],
                timestamp=record["timestamp"] or 0,
                on_delivery=delivered,
            )
        left = producer.flush(TIMEOUT_S)
        if left or failures:
            raise RuntimeError(f"{left} records not delivered, failures: {failures}")

    def consume(self, partitions):
        consumer = Consumer({**self._bootstrap, "group.id": "unused", "enable.auto.commit": False})
        consumer.assign([TopicPartition(topic, partition, 0) for topic, partition, _count in partitions])
        expected = sum(count for _topic, _partition, count in partitions)
        records = []
        while len(records) < expected:
            message = consumer.poll(TIMEOUT_S)
            if message is None:
                raise TimeoutError(f"{len(records)} of {expected} records")
            if message.error():
                raise KafkaException(message.error())
            records.append(to_line(message))
        consumer.close()
        return records

    def offset_by_time(self, topic, partition, timestamp):
        consumer = Consumer({**self._bootstrap, "group.id": "unused"})
        [found] = consumer.offsets_for_times([TopicPartition(topic, partition, timestamp)], TIMEOUT_S)
        consumer.close()
        if found.error:
            raise KafkaException(found.error)
        return found.offset if found.offset >= 0 else -1

    def transact(self, topic, transactional_id, group):
        producer = Producer({**self._bootstrap, "transactional.id": transactional_id})
        consumer = Consumer({**self._bootstrap, "group.id": group, "enable.auto.commit": False})
        producer.init_transactions(TIMEOUT_S)
        for value, commits in [("kept 1", True), ("dropped", False), ("kept 2", True)]:
            producer.begin_transaction()
            producer.produce(topic, partition=0, value=value.encode())
            producer.flush(TIMEOUT_S)
            if value == "kept 2":
                position = [TopicPartition(topic, 0, 3)]
                producer.send_offsets_to_transaction(position, consumer.consumer_group_metadata(), TIMEOUT_S)
            if commits:
                producer.commit_transaction(TIMEOUT_S)
            else:
                producer.abort_transaction(TIMEOUT_S)
        consumer.close()

    def run_member(self, group, topic, leaving):
        consumer = Consumer(
            {
                **self._bootstrap,
                "group.id": group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "heartbeat.interval.ms": 500,
                "session.timeout.ms": 10000,
            }
        )
        consumer.subscribe(
            [topic], on_assign=lambda _consumer, given: driver.emit_assigned([each.partition for each in given])
        )
        while not leaving.is_set():
            message = consumer.poll(0.1)
            if message is None:
                continue
            if message.error():
                if message.error().code() == KafkaError._PARTITION_EOF:
                    continue
                raise KafkaException(message.error())
            driver.emit_record(to_line(message))
            consumer.commit(message, asynchronous=False)
        consumer.close()


def to_line(message):
    return driver.record_line(
        message.topic(),
        message.partition(),
        message.offset(),
        message.timestamp()[1],
        message.key(),
        message.value(),
        message.headers(),
    )


driver.serve(Client(sys.argv[1]))
