"""Runs a command at a terminal of its own and answers each prompt with the next line of ANSWERS. Prints what the terminal
showed, and ends with the command's status."""

import os
import pty
import sys
import termios
import time


def is_hidden(terminal):
    """Whether what is typed is not shown."""
    return not termios.tcgetattr(terminal)[3] & termios.ECHO



answers = os.environ.pop("ANSWERS").split("\n")
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
shown, answered = b"", 0
while True:
    try:
        chunk = os.read(terminal, 4096)
    except OSError:  # Linux tells the end of a terminal like this.
        break
    if not chunk:
        break
    shown += chunk
    if shown.endswith((b": ", b"] ")) and len(shown) > answered and answers:
        # The prompt comes a moment before the terminal stops to echo: people type slower than that.
        for _ in range(200 if shown.endswith(b": ") else 0):
            if is_hidden(terminal):
                break
            time.sleep(0.05)
        answered = len(shown)
        os.write(terminal, answers.pop(0).encode() + b"\n")
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.stdout.write(shown.decode(errors="replace"))
sys.exit(status)
