"""Progress bars: in a terminal, after a second, on stderr; nowhere else."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

import tfpipe

pytestmark = pytest.mark.one_profile

SCRIPT = """
import sys
from tfpipe import console
console._DELAY = float(sys.argv[2])
label = "Reading files"
total = 40 if sys.argv[1] == "bar" else None
with console.shown(sys.argv[3] == "True"), console.bar(label, total) as advance:
    for _ in range(40):
        advance(1)
        if total is None:
            import time; time.sleep(0.01)
print("the result")
"""


def run(*arguments, terminal=True):
    """(stdout, stderr) of the script, stderr being a terminal or a pipe."""
    path = [str(Path(tfpipe.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path)), "TERM": "xterm"}
    master, slave = pty.openpty() if terminal else os.pipe()
    if terminal:  # one without a size shows nothing
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=slave,
        env=environment,
        text=True,
        timeout=60,
    )
    os.close(slave)
    shown = b""
    while True:
        try:
            block = os.read(master, 4096)
        except OSError:  # how the end of a terminal is told
            break
        if not block:
            break
        shown += block
    os.close(master)
    assert process.returncode == 0, shown.decode()
    return process.stdout, shown.decode()


class TestBar:
    def test_in_a_terminal(self):
        out, shown = run("bar", 0, True)
        assert out == "the result\n"
        assert "Reading files" in shown
        assert "40/40" in shown

    def test_of_an_unknown_number(self):
        out, shown = run("count", 0, True)
        assert out == "the result\n"
        assert "\rReading files: " in shown
        assert shown.endswith(" \r")  # wiped

    @pytest.mark.parametrize("kind", ["bar", "count"])
    @pytest.mark.parametrize(
        ("delay", "verbose", "terminal"), [(60, True, True), (0, False, True), (0, True, False)]
    )
    def test_is_silent_when_quick_unwanted_or_unseen(self, kind, delay, verbose, terminal):
        assert run(kind, delay, verbose, terminal=terminal) == ("the result\n", "")
