"""Nodes whose store is a database of a real PostgreSQL, and a way between job and server that can be cut."""

import contextlib
import socket
import threading

from conftest import HTTP_LISTEN, PATIENCE


def on_postgres(ironcron, database, text, node="drain: 5s, lease: 6s", **urls):
    """The configuration, with its store there; the tables are made. `urls`: of databases, by name; what all nodes share
    holds no secret, so that these stand in files."""
    for name, url in urls.items():
        (ironcron.folder / f"{name}.url").write_text(url)
    databases = ", ".join(f'{{ name: {name}, url: "${{file:{name}.url}}", connections: 4 }}' for name in urls)
    ironcron.config_path.write_text(f'store: "{database.url}"\n{HTTP_LISTEN}node: {{ {node} }}\n'
                                    f'databases: [ {databases} ]\n{text}')
    ironcron.run("migrate", "deploy", "--store")


class Way:
    """Passes connections on to a cluster. Where what the client sends holds `word`, the next of `acts` says what becomes
    of it. "cut": it never comes to the server. "deaf": it does, and the server's answer comes to nobody; a function is
    called before that. Both end the connection. "hold": it stays on the way until the server gives up."""

    def __init__(self, port, word=b"select ironcron.finish_own("):
        self.target, self.word = port, word
        self.acts = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                Passage(self, self.listener.accept()[0], socket.create_connection(("127.0.0.1", self.target)))

    def act_on(self, piece):
        return self.acts.pop(0) if self.acts and self.word in piece else None

    def stop(self):
        self.listener.close()


class Passage:
    """One connection through it."""

    def __init__(self, way, client, server):
        self.way, self.client, self.server = way, client, server
        self.is_deaf = False
        self.committed, self.given_up = threading.Event(), threading.Event()
        for work in (self.forth, self.back):
            threading.Thread(target=self.until_closed, args=(work,), daemon=True).start()

    def until_closed(self, work):
        with contextlib.suppress(OSError):
            work()
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def forth(self):
        while piece := self.client.recv(65536):
            act = self.way.act_on(piece)
            if act == "cut":
                return
            if act == "hold":
                self.given_up.wait(PATIENCE)
                return
            self.is_deaf = act is not None
            if callable(act):
                act()
            self.server.sendall(piece)
            if self.is_deaf:
                self.committed.wait(PATIENCE)
                return

    def back(self):
        while piece := self.server.recv(65536):
            if not self.is_deaf:
                self.client.sendall(piece)
            elif b"COMMIT" in piece:
                self.committed.set()
        self.given_up.set()
