"""A proxy between a node and PostgreSQL that reads the messages it carries: it can cut the connection just before or just
after a commit, hold either direction, as a network does that loses packets, delay both, and refuse."""

import asyncio
import contextlib
import socket
import struct
import threading


class Cut(Exception):
    pass


def messages(data):
    """The whole frontend messages in `data`, as (kind, bytes), and what is left."""
    found = []
    while len(data) >= 5:
        size = 1 + struct.unpack("!I", data[1:5])[0]
        if len(data) < size:
            break
        found.append((data[:1], data[5:size], data[:size]))
        data = data[size:]
    return found, data


class Connection:
    """One of a client, and the one to the server that belongs to it."""

    def __init__(self, proxy, client, server):
        self.proxy = proxy
        self.client = client  # (reader, writer)
        self.server = server
        self.texts = {}  # of prepared statements, by their names
        self.batch = []  # what came since the last sync
        self.syncs = 0  # that the server has not answered
        self.cut_at_ready = None  # the answer to the commit that nobody will see

    def close(self):
        for _, writer in (self.client, self.server):
            with contextlib.suppress(Exception):
                writer.transport.abort()

    def text(self, body):
        return self.texts.get(body.split(b"\0")[1], b"")  # Bind: portal, statement

    def is_meant(self):
        return self.proxy.trap and any(kind == b"B" and self.proxy.trap[1] in self.text(body)
                                       for kind, body, _ in self.batch)

    def before_commit(self):
        """All of the batch but what commits it."""
        out = b""
        for kind, body, whole in self.batch:
            if kind == b"S" or (kind == b"B" and self.text(body) == b"commit"):
                break
            out += whole
        return out + b"H\0\0\0\4"

    async def send_batch(self):
        out = b"".join(whole for _, _, whole in self.batch)
        self.syncs += 1
        if self.is_meant():
            when = self.proxy.spring()
            if when == "hold":
                self.proxy.close_gates("up", "down")
            elif when == "before":
                self.server[1].write(self.before_commit())
                await asyncio.sleep(0.2)
                raise Cut
            else:
                self.cut_at_ready = self.syncs
        self.batch = []
        self.server[1].write(out)
        await self.server[1].drain()

    async def up(self):
        reader, _ = self.client
        size = struct.unpack("!I", await reader.readexactly(4))[0]
        self.server[1].write(struct.pack("!I", size) + await reader.readexactly(size - 4))
        data = b""
        while True:
            more = await reader.read(65536)
            if not more:
                raise Cut
            await self.proxy.gate("up")
            found, data = messages(data + more)
            for kind, body, whole in found:
                if kind == b"P":
                    name, text = body.split(b"\0")[:2]
                    self.texts[name] = text
                self.batch.append((kind, body, whole))
                if kind == b"S":
                    await self.send_batch()
            if self.batch and self.batch[-1][0] in b"QpXH":  # nothing of a pipeline
                self.server[1].write(b"".join(whole for _, _, whole in self.batch))
                self.batch = []

    async def down(self):
        reader, _ = self.server
        data = b""
        while True:
            more = await reader.read(65536)
            if not more:
                raise Cut
            await self.proxy.gate("down")
            found, data = messages(data + more)
            for kind, _, _ in found:
                if kind == b"Z" and self.syncs > 0:
                    self.syncs -= 1
                    if self.cut_at_ready is not None:
                        self.cut_at_ready -= 1
                        if self.cut_at_ready == 0:
                            raise Cut
            self.client[1].write(b"".join(whole for _, _, whole in found))
            await self.client[1].drain()


class Proxy:
    def __init__(self, port):
        self.to = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.refuses = False
        self.delay = 0
        self.trap = None  # ("before", "after" or "hold", a part of the statement's text)
        self.sprung = 0
        self.open = set()
        self.loop = asyncio.new_event_loop()
        self.gates = {}
        started = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(started,), daemon=True)
        self.thread.start()
        started.wait()

    def run(self, started):
        asyncio.set_event_loop(self.loop)
        for way in ("up", "down"):
            self.gates[way] = asyncio.Event()
            self.gates[way].set()
        self.loop.run_until_complete(asyncio.start_server(self.serve, sock=self.listener))
        started.set()
        self.loop.run_forever()

    async def gate(self, way):
        await self.gates[way].wait()
        if self.delay:
            await asyncio.sleep(self.delay)

    async def serve(self, reader, writer):
        if self.refuses:
            writer.transport.abort()
            return
        try:
            server = await asyncio.open_connection("127.0.0.1", self.to)
        except OSError:
            writer.transport.abort()
            return
        connection = Connection(self, (reader, writer), server)
        self.open.add(connection)
        ways = [asyncio.ensure_future(connection.up()), asyncio.ensure_future(connection.down())]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        connection.close()
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        self.open.discard(connection)

    def spring(self):
        when = self.trap[0]
        self.trap = None
        self.sprung += 1
        return when

    def call(self, what):
        done = threading.Event()
        self.loop.call_soon_threadsafe(lambda: (what(), done.set()))
        done.wait()

    def cut_at(self, when, text):
        """The next time that a statement with this text is committed: 'before' or 'after' the commit."""
        self.trap = (when, text.encode())

    def hold_at(self, text):
        """The next statement with this text gets to the server, and from then on nothing gets through."""
        self.trap = ("hold", text.encode())

    def close_gates(self, *ways):
        for way in ways:
            self.gates[way].clear()

    def hold(self, *ways):
        self.call(lambda: self.close_gates(*ways))

    def let_go(self):
        self.call(lambda: [gate.set() for gate in self.gates.values()])

    def cut(self):
        self.call(lambda: [connection.close() for connection in list(self.open)])

    def stop(self):
        self.refuses = True
        self.let_go()
        self.cut()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
