"""aiokafka behind the contract of ../README.md. Each command gets an event loop of its own; a member runs in its thread."""
import asyncio
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

import driver

TIMEOUT_S = 30


class Client:
    def __init__(self, bootstrap):
        self._bootstrap = bootstrap

    def create(self, topic, partitions):
        asyncio.run(self._create(topic, partitions))

    async def _create(self, topic, partitions):
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        await admin.start()
        response = await admin.create_topics([NewTopic(topic, partitions, 1)])
        await admin.close()
        errors = [row for row in response.topic_errors if row[1] != 0]
        if errors:
            raise RuntimeError(str(errors))

    def transact(self, topic, transactional_id, group):
        asyncio.run(self._transact(topic, transactional_id, group))

    async def _transact(self, topic, transactional_id, group):
        producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, transactional_id=transactional_id)
        await producer.start()
        for value, commits in [("kept 1", True), ("dropped", False), ("kept 2", True)]:
            await producer.begin_transaction()
            await producer.send_and_wait(topic, value.encode(), partition=0)
            if value == "kept 2":
                await producer.send_offsets_to_transaction({TopicPartition(topic, 0): 3}, group)
            if commits:
                await producer.commit_transaction()
            else:
                await producer.abort_transaction()
        await producer.stop()

    def produce(self, topic, partition, codec, records):
        asyncio.run(self._produce(topic, partition, codec, records))

    async def _produce(self, topic, partition, codec, records):
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap, compression_type=None if codec == "none" else codec, linger_ms=50
        )
        await producer.start()
        futures = [
            await producer.send(
                topic,
                partition=partition,
                key=record["key"],
                value=record["value"],
                headers=record["headers"],
                timestamp_ms=record["timestamp"],
            )
            for record in records
        ]
        await asyncio.wait_for(asyncio.gather(*futures), TIMEOUT_S)
        await producer.stop()

    def consume(self, partitions):
        return asyncio.run(self._consume(partitions))

    async def _consume(self, partitions):
        consumer = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, enable_auto_commit=False)
        await consumer.start()
        wanted = [TopicPartition(topic, partition) for topic, partition, _count in partitions]
        consumer.assign(wanted)
        for each in wanted:
            consumer.seek(each, 0)
        expected = sum(count for _topic, _partition, count in partitions)
        records = []
        while len(records) < expected:
            record = await asyncio.wait_for(consumer.getone(), TIMEOUT_S)
            records.append(to_line(record))
        await consumer.stop()
        return records

    def offset_by_time(self, topic, partition, timestamp):
        return asyncio.run(self._offset_by_time(topic, partition, timestamp))

    async def _offset_by_time(self, topic, partition, timestamp):
        consumer = AIOKafkaConsumer(bootstrap_servers=self._bootstrap)
        await consumer.start()
        wanted = TopicPartition(topic, partition)
        found = (await consumer.offsets_for_times({wanted: timestamp}))[wanted]
        await consumer.stop()
        return -1 if found is None else found.offset

    def run_member(self, group, topic, leaving):
        asyncio.run(self._run_member(group, topic, leaving))

    async def _run_member(self, group, topic, leaving):
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            heartbeat_interval_ms=500,
            session_timeout_ms=10000,
        )

        class Listener(ConsumerRebalanceListener):
            async def on_partitions_revoked(self, revoked):
                pass

            async def on_partitions_assigned(self, assigned):
                driver.emit_assigned([each.partition for each in assigned])

        consumer.subscribe([topic], listener=Listener())
        await consumer.start()
        while not leaving.is_set():
            for partition, batch in (await consumer.getmany(timeout_ms=100)).items():
                for record in batch:
                    driver.emit_record(to_line(record))
                await consumer.commit({partition: batch[-1].offset + 1})
        await consumer.stop()


def to_line(record):
    return driver.record_line(
        record.topic, record.partition, record.offset, record.timestamp, record.key, record.value, record.headers
    )


driver.serve(Client(sys.argv[1]))
