"""The other end of an http job: a server of plain sockets that answers, or misbehaves, as a test says."""

import contextlib
import hashlib
import hmac
import http.client
import json
import re
import socket
import struct
import threading
import time

from conftest import PATIENCE


class Request:
    """One request as it came in."""

    def __init__(self, head, body):
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, self.version = lines[0].split(" ")
        self.lines = [line.split(": ", 1) if ": " in line else [line.rstrip(":"), ""] for line in lines[1:]]
        self.headers = {name.lower(): value for name, value in self.lines}
        assert len(self.headers) == len(self.lines), f"a header came twice: {self.lines}"
        self.body = body

    def __getitem__(self, name):
        return self.headers.get(name.lower())


def read_request(connection):
    """The next request of a connection; None when the client has gone."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.I)
    while length and len(body) < int(length.group(1)):
        piece = connection.recv(65536)
        if not piece:
            return None
        body += piece
    return Request(head, body)


def reply(connection, status="200 OK", body=b"", headers=()):
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    connection.sendall("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body)


def reset(connection):
    """Closes so that the client gets a RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def sign(secret, body, at=None):
    """The header's value, made by other code than ironcron's."""
    seconds = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), seconds.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest}"


def is_signed(request, secret):
    seconds = re.fullmatch(r"t=(\d+),v1=[0-9a-f]{64}", request["X-Ironcron-Signature"]).group(1)
    fresh = abs(time.time() - int(seconds)) < 300
    return fresh and hmac.compare_digest(sign(secret, request.body, int(seconds)), request["X-Ironcron-Signature"])


class Peer:
    """Listens until closed. `behave(connection, request, peer)` is called for each request on a thread of its own;
    `peer.leaving` is set when the test is over, for those that hang."""

    def __init__(self, behave=lambda connection, request, peer: reply(connection), family=socket.AF_INET, port=0,
                 tls=None):
        self.behave = behave
        self.tls = tls
        self.requests = []
        self.connections = 0
        self.leaving = threading.Event()
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", port))
        self.listener.listen(512)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def url(self, path="/job", host="127.0.0.1"):
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}{path}"

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def talk(self, connection):
        with contextlib.suppress(OSError), connection:
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            while request := read_request(connection):
                self.requests.append(request)
                self.behave(connection, request, self)

    def hang(self):
        self.leaving.wait(600)

    def close(self):
        self.leaving.set()
        # A close alone leaves the thread in accept(), and with it the port open.
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()


def tell_end(node, run_id, end, secret=None, headers=None, method="POST", signature=None):
    """(status, document) of a callback; `end` is an object or bytes."""
    body = end if isinstance(end, bytes) else json.dumps(end).encode()
    sent = {"Content-Type": "application/json", **(headers or {})}
    if secret:
        sent["X-Ironcron-Signature"] = sign(secret, body)
    if signature:
        sent["X-Ironcron-Signature"] = signature
    connection = http.client.HTTPConnection(node.address, timeout=PATIENCE)
    connection.request(method, f"/api/v1/runs/{run_id}/end", body, sent)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, json.loads(text)
