"""A Samsa broker for tests in Python: the program `samsa`, started on a free port with nothing on disk.

    with SamsaBroker() as broker:
        Producer({"bootstrap.servers": broker.bootstrap})

For pytest, one broker for the whole run, in conftest.py:

    from samsa_broker import samsa

and in a test:

    def test_orders(samsa):
        Producer({"bootstrap.servers": samsa.bootstrap})

Needs nothing but Python 3.8 and `samsa` on the PATH; the variable SAMSA names another program.
"""
import os
import queue
import re
import subprocess
import tempfile
import threading

READY = re.compile(r" ready on (\S+) ")


class SamsaBroker:
    """Starts the broker. `close`, or the end of a `with` block, stops it."""

    def __init__(self, *arguments, config=None, timeout=30.0):
        """`arguments` go to `samsa serve`; `config` has Kafka's broker properties; `timeout` is for the start, in seconds."""
        command = [os.environ.get("SAMSA", "samsa"), "serve", "--listen", "127.0.0.1:0", "--http", "off"]
        command += arguments if arguments else ["--storage", "memory"]
        for name, value in (config or {}).items():
            command += ["--set", f"{name}={value}"]
        self._log = tempfile.TemporaryFile(mode="w+")
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._log, text=True)
        lines = queue.Queue()
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()
        try:
            address = lines.get(timeout=timeout)
        except queue.Empty:
            address = None
        if address is None:
            log = self.log()
            self.close()
            raise RuntimeError(f"the broker did not start within {timeout} s:\n{log}")
        #: For `bootstrap.servers`.
        self.bootstrap = address

    def _read(self, lines):
        for line in self._process.stdout:
            found = READY.search(line)
            if found:
                lines.put(found[1])
        lines.put(None)

    def log(self):
        """What the broker has logged so far."""
        self._log.flush()
        with os.fdopen(os.dup(self._log.fileno())) as copy:
            copy.seek(0)
            return copy.read()

    def close(self):
        """Stops the broker. Again: nothing."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


try:
    import pytest
except ImportError:
    pass
else:

    @pytest.fixture(scope="session")
    def samsa():
        """One broker for all tests of the run."""
        with SamsaBroker() as broker:
            yield broker
