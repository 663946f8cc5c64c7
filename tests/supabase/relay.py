"""A TCP relay that loses, cuts, holds and delays on command what passes to a server and back.

It knows no protocol: a moment of a conversation is named by words that the client says, so the
same commands serve HTTP (`b"record_pipeline_run"`) and PostgreSQL without TLS (`b"COMMIT"`).
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

CHUNK = 65536
POLL_SECONDS = 0.01


@dataclass
class Command:
    """What to do with a client that says `words`, as often as `times` (None: always)."""

    kind: str
    words: bytes = b""
    times: int | None = None
    seconds: float = 0


@dataclass
class Talk:
    """One connection: which command awaits the server's next answer, and how it is to end."""

    answer: Command | None = None
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    late: bool = False
    reset: bool = False


class Relay:
    """Passes everything on until told otherwise; the newest command is the only one in force."""

    def __init__(self, url: str) -> None:
        self.met = 0  # how often a client said the words of a command
        self.connections = 0
        parts = urlsplit(url)
        self._target = (parts.hostname, parts.port)
        self._command = Command("pass")
        self._talks: set[asyncio.Task | None] = set()

    def through(self, url: str) -> str:
        """The URL with this relay in the place of its server."""
        parts = urlsplit(url)
        login, at, _ = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{login}{at}127.0.0.1:{self.port}").geturl()

    # ---------------------------------------------------------------- commands

    def pass_on(self) -> None:
        """Relay everything, also what was frozen, whose client may long be gone."""
        self._command = Command("pass")

    def delay(self, seconds: float) -> None:
        """Bring every piece of the client's words so much later."""
        self._command = Command("delay", seconds=seconds)

    def cut(self, at: bytes = b"", times: int | None = None) -> None:
        """Reset the connection instead of bringing these words; without words, every connection."""
        self._command = Command("cut", at, times)

    def lose_answer(self, to: bytes, times: int | None = None) -> None:
        """Bring the words, await the server's answer, and reset the connection instead of it."""
        self._command = Command("lose answer", to, times)

    def freeze(self, at: bytes = b"", times: int | None = None) -> None:
        """Keep these words and all after them; without words, take connections and never answer."""
        self._command = Command("freeze", at, times)

    def freeze_answer(self, to: bytes, times: int | None = None) -> None:
        """Bring the words and keep the server's answer to them."""
        self._command = Command("freeze answer", to, times)

    # ---------------------------------------------------------------- one connection

    async def _converse(
        self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter
    ) -> None:
        talk, to_server = Talk(), None
        self.connections += 1
        self._talks.add(asyncio.current_task())  # the loop itself lets go of a task that waits
        with suppress(OSError, asyncio.CancelledError):
            server, to_server = await asyncio.open_connection(*self._target)
            both = (self._bring(client, to_server, talk), self._answer(server, to_client, talk))
            pumps = [asyncio.ensure_future(pump) for pump in both]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        if talk.reset or to_server is None:
            no_goodbye = struct.pack("ii", 1, 0)
            to_client.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, no_goodbye
            )
            to_client.transport.abort()
        to_client.close()
        if to_server is not None:
            to_server.close()
        self._talks.discard(asyncio.current_task())

    async def _bring(
        self, client: asyncio.StreamReader, to_server: asyncio.StreamWriter, talk: Talk
    ) -> None:
        said = heard = b""
        while True:
            command = self._meet(said)
            await self._obey(command, talk)
            if command.kind == "cut":
                return
            if command.kind != "pass":
                said = b""
            to_server.write(heard)
            await to_server.drain()
            heard = await client.read(CHUNK)
            if not heard:
                break
            said = (said + heard)[-2 * CHUNK :]
        if talk.late:  # a server gives up what it does for a client that has hung up
            await talk.answered.wait()

    async def _obey(self, command: Command, talk: Talk) -> None:
        if command.kind == "cut":
            talk.reset = True
        if command.kind == "delay":
            await asyncio.sleep(command.seconds)
        if command.kind == "freeze":
            await self._while_in_force(command)
            talk.answered.clear()
            talk.late = True
        if command.kind in ("lose answer", "freeze answer"):
            talk.answer = command

    async def _answer(
        self, server: asyncio.StreamReader, to_client: asyncio.StreamWriter, talk: Talk
    ) -> None:
        while heard := await server.read(CHUNK):
            if talk.answer and talk.answer.kind == "lose answer":
                talk.reset = True
                return
            if talk.answer:
                await self._while_in_force(talk.answer)
                talk.answer = None
            talk.answered.set()
            to_client.write(heard)
            await to_client.drain()

    def _meet(self, said: bytes) -> Command:
        command = self._command
        if command.kind == "pass" or command.times == 0 or command.words not in said:
            return Command("pass")
        if command.times is not None:
            command.times -= 1
        self.met += 1
        return command

    async def _while_in_force(self, command: Command) -> None:
        while self._command is command:
            await asyncio.sleep(POLL_SECONDS)

    # ---------------------------------------------------------------- its thread

    async def _serve(self, listener: socket.socket, end: threading.Event) -> None:
        server = await asyncio.start_server(self._converse, sock=listener)
        while not end.is_set():
            await asyncio.sleep(POLL_SECONDS)
        server.close()
        while talks := asyncio.all_tasks() - {asyncio.current_task()}:
            for talk in talks:
                talk.cancel()
            await asyncio.wait(talks)

    @contextmanager
    def running(self) -> Iterator["Relay"]:
        """Relay on a free port of loopback, in a thread of its own."""
        end = threading.Event()
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        thread = threading.Thread(target=lambda: asyncio.run(self._serve(listener, end)))
        thread.start()
        try:
            yield self
        finally:
            end.set()
            thread.join()
