"""What a user of docs/recipes/samsa_broker.py would write."""
import pytest
from confluent_kafka import Consumer, Producer

from samsa_broker import SamsaBroker


def test_orders_are_kept(samsa):
    producer = Producer({"bootstrap.servers": samsa.bootstrap})
    producer.produce("orders", b"tea")
    assert producer.flush(60) == 0
    consumer = Consumer({"bootstrap.servers": samsa.bootstrap, "group.id": "g", "auto.offset.reset": "earliest"})
    consumer.subscribe(["orders"])
    message = consumer.poll(60)
    assert message.value() == b"tea"
    consumer.close()


def test_the_fixture_is_one_broker_for_the_run(samsa):
    producer = Producer({"bootstrap.servers": samsa.bootstrap})
    assert "orders" in producer.list_topics(timeout=60).topics


def test_settings_reach_the_broker():
    with SamsaBroker(config={"num.partitions": "3"}) as broker:
        producer = Producer({"bootstrap.servers": broker.bootstrap})
        producer.produce("wide", b"x")
        assert producer.flush(60) == 0
        assert len(producer.list_topics("wide", timeout=60).topics["wide"].partitions) == 3
    broker.close()


def test_a_start_that_fails_says_why():
    with pytest.raises(RuntimeError, match="num.partitions: Value must be at least 1"):
        SamsaBroker(config={"num.partitions": "0"})
