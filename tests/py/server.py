"""Starts and stops the programs under test."""

import os
import re
import socket
import subprocess
import tempfile
import time
from importlib.metadata import packages_distributions

if packages_distributions().get("ejson") != ["meteor-ejson"]:
    raise SystemExit("Install the packages with `pip install --no-deps -r tests/py/requirements.txt`: their own dependencies don't fit together.")


class Program:
    """An example that runs for the duration of its `with` block."""

    def __init__(self, variable, example, *flags):
        self.example = example
        self._log = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen([program_in(variable, example), *flags], stdout=subprocess.PIPE, stderr=self._log, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        died = self._process.poll()
        self._process.terminate()
        code = self._process.wait(10)
        self._process.stdout.close()
        if died is not None or code != 0:
            raise AssertionError(f"The example {self.example} ended with {code}.\n{self._said()}")
        self._log.close()

    def first_line(self):
        return self._process.stdout.readline()

    def is_running(self):
        return self._process.poll() is None

    def _said(self):
        self._log.seek(0)
        return self._log.read()


class Server(Program):
    """The conformance server on a free port."""

    def __init__(self, *flags):
        super().__init__("BOLIDE_CONFORMANCE_SERVER", "conformance_server", "--listen", "127.0.0.1:0", *flags)
        ready = re.fullmatch(r"listening on http://(\S+)\n", self.first_line())
        if not ready:
            self.stop()
        self.http = f"http://{ready[1]}"
        self.url = f"ws://{ready[1]}/websocket"


class Quickstart(Program):
    """The quickstart example, whose address is fixed because README.md names it."""

    port = 3000

    def __init__(self):
        if accepts(self.port):
            raise AssertionError(f"Port {self.port} is taken by another program; the quickstart example needs it.")
        super().__init__("BOLIDE_QUICKSTART", "quickstart")
        while self.is_running() and not accepts(self.port):
            time.sleep(0.01)


def program_in(variable, example):
    program = os.environ.get(variable)
    advice = f"build it with `cargo build --example {example}`"
    if not program:
        raise AssertionError(f"Set {variable} to the path of the example {example} ({advice}).")
    if not os.path.exists(program):
        raise AssertionError(f"{variable} names {program}, which is not there ({advice}).")
    return program


def accepts(port):
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0
