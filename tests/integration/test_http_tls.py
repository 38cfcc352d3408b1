"""http jobs over TLS: certificates made by openssl, good and bad ones."""

import contextlib
import ssl
import subprocess

import pytest

from http_jobs import configure, job, run_once
from http_peer import Peer


class Authority:
    """Certificates made by openssl, as an operator would."""

    def __init__(self, folder):
        self.folder = folder
        self.key, self.cert = folder / "ca.key", folder / "ca.pem"
        self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test authority", "-days", "2",
                     "-keyout", self.key, "-out", self.cert)

    def openssl(self, *arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    def issue(self, name, days="2", alt="IP:127.0.0.1"):
        key, request, cert, extra = (self.folder / f"{name}.{end}" for end in ("key", "csr", "pem", "ext"))
        extra.write_text(f"subjectAltName={alt}\n")
        self.openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        self.openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial", "-days", days,
                     "-extfile", extra, "-out", cert)
        return self.server(cert, key)

    @staticmethod
    def server(cert, key):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        return context


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


def test_tls_with_an_authority_of_our_own(ironcron, authority):
    with Peer(tls=authority.issue("good")) as peer:
        configure(ironcron, job(peer.url(), ca="ca.pem"), job(peer.url(), name="untrusting"))
        assert run_once(ironcron)["state"] == "SUCCESS"
        run = run_once(ironcron, "untrusting")
        assert run["state"] == "FAILED" and "not trusted here; give that authority's as \"ca\"" in run["error"], run
        assert len(peer.requests) == 1


@pytest.mark.parametrize("options, words", [
    ({"days": "-1"}, "has expired; renew it"),
    ({"alt": "DNS:other.example"}, "is for another name"),
])
def test_tls_certificates_that_are_not_right(ironcron, authority, options, words):
    with Peer(tls=authority.issue("bad", **options)) as peer:
        configure(ironcron, job(peer.url(), ca="ca.pem"))
        run = run_once(ironcron)
        assert run["state"] == "FAILED" and words in run["error"], run
        assert f"certificate of 127.0.0.1:{peer.port}" in run["error"] and not peer.requests


def test_tls_self_signed(ironcron, authority):
    with Peer(tls=authority.server(authority.cert, authority.key)) as peer:
        configure(ironcron, job(peer.url()))
        run = run_once(ironcron)
        assert run["state"] == "FAILED" and "is self-signed" in run["error"], run


class Plain(Peer):
    """Does not wait for a request that it would understand."""

    def talk(self, connection):
        with contextlib.suppress(OSError), connection:
            connection.recv(1)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


class Silent(Peer):
    def talk(self, connection):
        with connection:
            self.hang()


def test_a_handshake_that_never_ends(ironcron):
    with Silent() as peer:
        configure(ironcron, job(peer.url().replace("http:", "https:")))
        run = run_once(ironcron)
        assert run["state"] == "FAILED", run
        assert f"no connection to 127.0.0.1:{peer.port} within 10 s" in run["error"], run


def test_tls_where_there_is_none(ironcron):
    with Plain() as peer:
        configure(ironcron, job(peer.url().replace("http:", "https:")))
        run = run_once(ironcron)
        assert run["state"] == "FAILED" and "no TLS connection" in run["error"], run


def test_tls_without_the_file_of_certificates(ironcron):
    configure(ironcron, job("https://127.0.0.1:1/", ca="missing.pem"))
    done = ironcron.run("validate", code=None)
    assert done.returncode != 0 and "missing.pem cannot be read" in done.stdout, done.stdout
