"""A client of the HTTP API: through the unix socket, over TCP with a token, or with raw bytes."""

import contextlib
import http.client
import json
import os
import socket

from conftest import PATIENCE


def connect_unix(path):
    """Through the folder's descriptor: a test's folder may be longer than a socket's address."""
    folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
    try:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(PATIENCE)
        connection.connect(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
        return connection
    finally:
        os.close(folder)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE)
        self.path = str(path)

    def connect(self):
        self.sock = connect_unix(self.path)


class Answer:
    def __init__(self, answer):
        self.status = answer.status
        self.headers = answer.headers
        self.text = answer.read().decode(errors="replace")

    @property
    def json(self):
        return json.loads(self.text)

    def next_page(self):
        """The path of what follows, or None."""
        link = self.headers.get("Link")
        return link[1:link.index(">")] if link else None


def request(connection, method, path, body=None, headers=None):
    sent = dict(headers or {})
    if body is not None and not isinstance(body, (str, bytes)):
        body = json.dumps(body)
        sent.setdefault("Content-Type", "application/json")
    with contextlib.suppress(BrokenPipeError):  # too long a body is answered before all of it is read
        connection.request(method, path, body, sent)
    answer = Answer(connection.getresponse())
    connection.close()
    return answer


class Api:
    """`ask("POST", "/api/v1/pause", {...})` through the socket beside the store, or with a token over TCP."""

    def __init__(self, ironcron, node=None, token=None):
        self.socket = f"{ironcron.store_path}.sock"
        self.node = node
        self.token = token

    def ask(self, method, path, body=None, headers=None):
        if self.node is None:
            return request(UnixConnection(self.socket), method, path, body, headers)
        host, _, port = self.node.address.rpartition(":")
        sent = {**({"Authorization": f"Bearer {self.token}"} if self.token else {}), **(headers or {})}
        return request(http.client.HTTPConnection(host, int(port), timeout=PATIENCE), method, path, body, sent)

    def get(self, path, **headers):
        return self.ask("GET", path, headers=headers)

    def post(self, path, body=None, **headers):
        return self.ask("POST", path, {} if body is None else body, headers)


def matches(value, schema, schemas):
    """None, or where the value is not as the schema says: what OpenAPI 3.1 needs of JSON Schema here."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    names = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number",
             type(None): "null"}
    if names[type(value)] not in types:
        return f"{value!r} is no {types}"
    if isinstance(value, list):
        for item in value:
            wrong = matches(item, schema["items"], schemas) if "items" in schema else None
            if wrong:
                return wrong
    if isinstance(value, dict) and schema.get("properties"):
        missing = set(schema["required"]) - set(value)
        unknown = set(value) - set(schema["properties"])
        if missing or unknown:
            return f"missing {missing}, unknown {unknown}"
        for name, part in value.items():
            wrong = matches(part, schema["properties"][name], schemas)
            if wrong:
                return f"{name}: {wrong}"
    return None
