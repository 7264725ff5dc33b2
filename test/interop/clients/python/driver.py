"""The command loop shared by the Python client programs: see ../README.md for the contract."""
import base64
import json
import sys
import threading

_stdout_lock = threading.Lock()


def emit(message):
    with _stdout_lock:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()


def encode(data):
    return None if data is None else base64.b64encode(data).decode()


def decode(text):
    return None if text is None else base64.b64decode(text)


def record_line(topic, partition, offset, timestamp, key, value, headers):
    return {
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "timestamp": timestamp,
        "key": encode(key),
        "value": encode(value),
        "headers": [[name, encode(data)] for name, data in headers or []],
    }


def emit_record(record):
    emit({"event": "record", "record": record})


def emit_assigned(partitions):
    emit({"event": "assigned", "partitions": sorted(partitions)})


class Member:
    """A group member running in its own thread until it is told to leave."""

    def __init__(self, run):
        self._leaving = threading.Event()
        self._error = None
        self._thread = threading.Thread(target=self._guarded, args=(run,), daemon=True)
        self._thread.start()

    def _guarded(self, run):
        try:
            run(self._leaving)
        except Exception as error:  # reported by leave()
            self._error = error
            emit({"event": "failed", "error": repr(error)})

    def leave(self):
        self._leaving.set()
        self._thread.join()
        if self._error is not None:
            raise self._error


def serve(client):
    """Runs the methods of `client` (create, produce, consume, offset_by_time, transact, run_member) as stdin asks."""
    member = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            command = request["command"]
            result = None
            if command == "create":
                client.create(request["topic"], request["partitions"])
            elif command == "produce":
                records = [
                    {
                        "key": decode(record["key"]),
                        "value": decode(record["value"]),
                        "headers": [(name, decode(data)) for name, data in record["headers"]],
                        "timestamp": record.get("timestamp"),
                    }
                    for record in request["records"]
                ]
                client.produce(request["topic"], request["partition"], request["codec"], records)
            elif command == "consume":
                result = client.consume(request["partitions"])
            elif command == "offsetByTime":
                result = client.offset_by_time(request["topic"], request["partition"], request["timestamp"])
            elif command == "transact":
                client.transact(request["topic"], request["transactionalId"], request["group"])
            elif command == "join":
                group, topic = request["group"], request["topic"]
                member = Member(lambda leaving: client.run_member(group, topic, leaving))
            elif command == "leave":
                member.leave()
                member = None
            else:
                raise ValueError("unknown command " + command)
            emit({"id": request["id"], "result": result})
        except Exception as error:  # one failed command is an answer, not the end of the program
            emit({"id": request["id"], "error": repr(error)})
