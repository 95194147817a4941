"""A way between workers and their coordinator on which things go wrong.

It forwards bytes between loopback and loopback. What goes wrong with a connection
is decided when it is made (its fate), or later by whoever calls `afflict`. Nothing
that is forwarded is ever altered: TCP does not do that either. It may come late,
in pieces, in part, or not at all. One kind of fault sends everything that workers
say to the coordinator twice, over two connections; it needs connections without
TLS, as nobody can say the same words twice over TLS.
"""

import asyncio
import socket
import struct

UP, DOWN = "up", "down"  # towards the coordinator, towards the worker
CHUNK = 1 << 16


class Connection:
    """One worker's connection and the one behind it."""

    def __init__(self, proxy, worker):
        self.proxy = proxy
        self.worker = worker
        self.server = None
        self.double = None
        self.delay = {UP: 0.0, DOWN: 0.0}
        self.open = {UP: asyncio.Event(), DOWN: asyncio.Event()}
        for way in (UP, DOWN):
            self.open[way].set()
        self.swallows = set()
        self.cut_after = {}
        self.piece = CHUNK
        self.task = None
        self.is_held = False
        self.is_mirrored = False

    def reset(self):
        """Ends it as if a machine had gone: with a RST on both sides."""
        for side in (self.worker, self.server, self.double):
            if side is not None:
                # On, and for 0 s: what was not sent is forgotten.
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.task.cancel()

    async def run(self):
        loop = asyncio.get_running_loop()
        try:
            self.server = await dial(self.proxy.upstream())
            pumps = [self.pump(self.worker, self.server, UP), self.pump(self.server, self.worker, DOWN)]
            if self.is_mirrored:
                self.double = await dial(self.proxy.upstream())
                pumps.append(drain(self.double))
            await gather_all(pumps)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self.proxy.connections.discard(self)
            for side in (self.worker, self.server, self.double):
                if side is not None:
                    loop.remove_reader(side.fileno())
                    loop.remove_writer(side.fileno())
                    side.close()

    async def pump(self, source, sink, way):
        loop = asyncio.get_running_loop()
        while True:
            data = await loop.sock_recv(source, CHUNK)
            if not data:
                # One side has said all it had to say; the other may go on.
                sink.shutdown(socket.SHUT_WR)
                if way == UP and self.is_mirrored:
                    self.double.shutdown(socket.SHUT_WR)
                return
            for start in range(0, len(data), self.piece):
                await self.forward(data[start:start + self.piece], sink, way)

    async def forward(self, data, sink, way):
        loop = asyncio.get_running_loop()
        if self.delay[way]:
            await asyncio.sleep(self.delay[way])
        await self.open[way].wait()
        if way in self.swallows:
            return
        rest = self.cut_after.get(way)
        if rest is not None:
            self.cut_after[way] = rest - len(data)
            if rest <= len(data):
                await loop.sock_sendall(sink, data[:rest])
                self.reset()
                await asyncio.sleep(0)
                return
        await loop.sock_sendall(sink, data)
        if way == UP and self.is_mirrored:
            try:
                await loop.sock_sendall(self.double, data)
            except OSError:
                # Closed at the end, as somebody reads from it still.
                self.is_mirrored = False


class Proxy:
    """Listens for workers.

    - `upstream`: says where the coordinator listens at present, or raises OSError
    - `fate`: is given every new connection, before anything is forwarded; returns
      whether it is let in
    """

    def __init__(self, upstream, fate):
        self.upstream = upstream
        self.fate = fate
        self.connections = set()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]

    async def serve(self):
        loop = asyncio.get_running_loop()
        while True:
            worker, _ = await loop.sock_accept(self.listener)
            worker.setblocking(False)
            worker.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(self, worker)
            if not self.fate(connection):
                worker.close()
                continue
            self.connections.add(connection)
            connection.task = asyncio.create_task(connection.run())

    def calm(self):
        """From now on everything is forwarded at once."""
        for connection in list(self.connections):
            # What it has lost already, it does not get back.
            if connection.swallows or connection.cut_after or connection.is_held:
                connection.reset()
                continue
            connection.piece = CHUNK
            for way in (UP, DOWN):
                connection.delay[way] = 0.0
                connection.open[way].set()


async def dial(address):
    loop = asyncio.get_running_loop()
    sock = socket.socket()
    sock.setblocking(False)
    try:
        await loop.sock_connect(sock, address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    return sock


async def drain(sock):
    """Reads answers that nobody waits for."""
    loop = asyncio.get_running_loop()
    try:
        while await loop.sock_recv(sock, CHUNK):
            pass
    except OSError:
        pass


async def gather_all(pumps):
    """Runs them until all have ended, or the first has failed."""
    tasks = [asyncio.create_task(pump) for pump in pumps]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
