"""One member of a consumer group by confluent-kafka (librdkafka): BOOTSTRAP NAME TOPIC key=value..., events as ConsumerGroupClient.java."""
import sys

from confluent_kafka import Consumer

bootstrap, name, topic, *settings = sys.argv[1:]


def say(event):
    print(f"{name} {event}", flush=True)


def tell(consumer, _partitions=None):
    held = sorted(f"{each.topic}-{each.partition}" for each in consumer.assignment())
    say(f"assigned {','.join(held)}")


def assigned(consumer, partitions):
    consumer.incremental_assign(partitions)
    tell(consumer)


def revoked(consumer, partitions):
    consumer.incremental_unassign(partitions)
    tell(consumer)


consumer = Consumer(
    {
        "bootstrap.servers": bootstrap,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        **dict(setting.split("=", 1) for setting in settings),
    }
)
consumer.subscribe([topic], on_assign=assigned, on_revoke=revoked)
while True:
    message = consumer.poll(0.1)
    if message is None:
        continue
    if message.error() is not None:
        say(f"failed {message.error()}")
        continue
    consumer.commit(message, asynchronous=False)
    say(f"record {message.value().decode()}")
