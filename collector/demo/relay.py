"""The net between a visit's browser and nginx: it has an address of its own, goes down, and loses answers.

A relay speaks the PROXY protocol, so that nginx sees the visit's address and the browser speaks TLS with nginx itself.
"""

import asyncio
from contextlib import suppress
from typing import Literal

State = Literal["up", "down", "deaf"]
CHUNK = 2**16


class Relay:
    """One host as one visit reaches it.

    Attributes:
        state: `up`; `down`, nobody answers; `deaf`, what is asked arrives and no answer comes back.
    """

    def __init__(self, address: str, port: int) -> None:
        self.address, self.port, self.state = address, port, "up"
        self.asked = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> int:
        """Listen on loopback; return the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Cut all connections."""
        self.cut()
        if self._server:
            self._server.close()

    def become(self, state: State) -> None:
        """Change; whoever is connected when it goes down is cut off."""
        self.state = state
        if state == "down":
            self.cut()

    def cut(self) -> None:
        """End what is connected, as a cable does."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        if self.state == "down":
            to_client.transport.abort()
            return
        server, to_server = await asyncio.open_connection("127.0.0.1", self.port)
        family = "TCP6" if ":" in self.address else "TCP4"
        local = "::1" if family == "TCP6" else "127.0.0.1"
        to_server.write(f"PROXY {family} {self.address} {local} 40000 443\r\n".encode())
        ends = {to_client, to_server}
        self._writers |= ends
        try:
            await asyncio.gather(self._pump(client, to_server, asks=True), self._pump(server, to_client))
        finally:
            self._writers -= ends
            for writer in ends:
                writer.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, asks: bool = False) -> None:
        with suppress(ConnectionError, OSError):
            while data := await source.read(CHUNK):
                self.asked += asks
                if self.state == "deaf" and not asks:
                    continue
                sink.write(data)
                await sink.drain()
        sink.transport.abort()
