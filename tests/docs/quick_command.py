"""`tapewatch` in a folder of its own without its second of imports: forked from one that has them.

Each command is a process with its own arguments, folder, environment and pipes, as if it had been
started; only what it imports is there already.
"""

import importlib
import os
import pkgutil
import signal
import socket
import struct
import subprocess
import sys
from contextlib import contextmanager

from tests.docs.runbook_page import ROOT

# -I -S: this interpreter alone, in some milliseconds
_STUB = """#!{python} -IS
import os, socket, struct, sys
asked = "\\0".join([os.getcwd(), *sys.argv[1:], "", *map("=".join, os.environ.items())]).encode()
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    socket.send_fds(server, [struct.pack("I", len(asked))], [0, 1, 2])
    server.sendall(asked)
    sys.exit(struct.unpack("i", server.recv(4, socket.MSG_WAITALL))[0])
"""


@contextmanager
def quick_command(program, scratch):
    """Make `program` the command `tapewatch` for the length of the block."""
    address = scratch / "s"
    program.write_text(_STUB.format(python=sys.executable, address=str(address)))
    program.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(address))
        listening.listen()
        arguments = [sys.executable, "-m", "tests.docs.quick_command", str(listening.fileno())]
        process = subprocess.Popen(  # noqa: S603 - this module
            arguments, cwd=ROOT, pass_fds=[listening.fileno()], stdin=subprocess.DEVNULL
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _serve(listening):
    from deployments import commands
    from deployments.cli import main

    for module in pkgutil.iter_modules(commands.__path__):
        importlib.import_module(f"deployments.commands.{module.name}")
    while True:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children of this one
        connection, _ = listening.accept()
        if os.fork():
            connection.close()
            continue
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        with connection:
            code = _run(connection, main)
            connection.sendall(struct.pack("i", code))
        os._exit(0)


def _run(connection, main):
    """Run one command in a child that has the caller's pipes, and return its exit code."""
    size, pipes, _, _ = socket.recv_fds(connection, 4, 3)
    asked = connection.recv(struct.unpack("I", size)[0], socket.MSG_WAITALL).decode()
    head, _, environment = asked.partition("\0\0")
    folder, *arguments = head.split("\0")
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)
    for number, pipe in enumerate(pipes):
        os.dup2(pipe, number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(pair.split("=", 1) for pair in environment.split("\0"))
    sys.argv = ["tapewatch", *arguments]
    code = 70
    try:
        main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
