"""Limits: what is at one passes, what is over it is refused, over both versions of HTTP."""

import contextlib
import json

import pytest

from harness import sites
from harness.load import DOMAIN, QuietFirewall, ask, eventually
from harness.metrics import rows
from harness.raw import Http2, connect, exchange, pseudo, receive, request, until_the_end

HEADER_BYTES, HEADER_FIELDS = 8_192, 50
COOKIES, COOKIE_BYTES = 40, 4_096
BODY_BYTES = 100_000

LIMITS = f"""
[limits]
header_bytes  = {HEADER_BYTES}
header_fields = {HEADER_FIELDS}
cookies       = {COOKIES}
cookie_bytes  = {COOKIE_BYTES}
body_bytes    = {BODY_BYTES}
"""

# What a field costs over HTTP/2 beside its name and value (RFC 9113 6.5.2).
FIELD_OVERHEAD = 32


@pytest.fixture
def start(keep, binary, tmp_path, portal):
    """Starts a firewall in front of Django with this [server] and these tables in its main file."""
    def start(tables="", server='http = ["127.0.0.1:0"]'):
        (tmp_path / "site.toml").write_text(sites.own(portal.address))
        main = tmp_path / "cookie-firewall.toml"
        main.write_text(f'[server]\nsites = ["site.toml"]\nadmin = "127.0.0.1:0"\n{server}\n{tables}')
        return keep(QuietFirewall(binary, main))
    return start


@pytest.fixture
def limited(start):
    return start(LIMITS)


@pytest.fixture(params=["1.1", "2"])
def ask_site(request, limited):
    """(status, body) of a request over either version, on a connection of its own."""
    def over_http1(path="/echo/", fields=(), body=None, host=DOMAIN):
        method, length = ("GET", []) if body is None else ("POST", [("Content-Length", len(body))])
        return exchange(limited.address_of("http"), raw_request(path, [*fields, *length], method, host), body or b"")

    def over_http2(path="/echo/", fields=(), body=None, host=DOMAIN):
        fields = [(name.lower(), value) for name, value in fields]
        head = pseudo(path, "GET" if body is None else "POST", host) + fields
        with Http2(limited.address_of("http")) as connection:
            return connection.exchange(1, head, body)

    raw_request = globals()["request"]  # pytest's own has the name here
    ask = {"1.1": over_http1, "2": over_http2}[request.param]
    ask.version = request.param
    return ask


def counted(firewall, metric, **labels):
    """The sum of the rows that have these labels."""
    return sum(value for row, value in rows(firewall.metrics(), f"cookie_firewall_{metric}")
               if labels.items() <= row.items())


def refused(firewall, code):
    """What shows that a request was refused with this status."""
    return counted(firewall, "requests_total", code=str(code))


def fields(count):
    return [(f"X-{number}", "1") for number in range(count)]


def test_header_fields(ask_site, limited):
    own = 1 if ask_site.version == "1.1" else 0  # Host, which is a pseudo-header over HTTP/2
    assert ask_site(fields=fields(HEADER_FIELDS - own))[0] == 200
    assert refused(limited, 431) == 0
    assert ask_site(fields=fields(HEADER_FIELDS - own + 1))[0] == 431
    assert refused(limited, 431) == 1


def filler(version, size):
    """A field that makes a head of exactly `size` bytes, as either version counts them."""
    if version == "1.1":
        return [("X-Filler", "x" * (size - len(request("/echo/", [("X-Filler", "")]))))]
    return [("X-Filler", "x" * (size - len("/echo/") - len("X-Filler") - FIELD_OVERHEAD))]


def test_header_bytes(ask_site, limited):
    assert ask_site(fields=filler(ask_site.version, HEADER_BYTES))[0] == 200
    assert refused(limited, 431) == 0
    assert ask_site(fields=filler(ask_site.version, HEADER_BYTES + 1))[0] == 431
    assert refused(limited, 431) == 1


@pytest.mark.parametrize("size", [4 * HEADER_BYTES, 100 * HEADER_BYTES])
def test_a_head_beyond_all_measure(ask_site, limited, size):
    """Whatever it costs to say so: such a head is refused and counted, and is not read to its end and kept."""
    assert ask_site(fields=[("X-Filler", "x" * size)])[0] in (431, None)
    metric = "http2_refused_streams_total" if ask_site.version == "2" else "requests_total"
    dropped = counted(limited, "connection_errors_total", reason="http2")
    eventually(lambda: counted(limited, metric) + dropped >= 1)
    assert ask_site()[0] == 200


def test_cookies(ask_site, limited):
    def pairs(count):
        return "; ".join(["sessionid=1"] + ["csrftoken=2"] * (count - 1))

    status, body = ask_site(fields=[("Cookie", pairs(COOKIES))])
    assert (status, json.loads(body)["cookie"]) == (200, pairs(COOKIES))
    assert ask_site(fields=[("Cookie", pairs(COOKIES + 1))])[0] == 431
    assert counted(limited, "cookies_total", direction="request", decision="block", reason="limit") == 1


def test_cookie_bytes(ask_site, limited):
    def cookie(size):
        return "sessionid=".ljust(size, "x")

    status, body = ask_site(fields=[("Cookie", cookie(COOKIE_BYTES))])
    assert (status, json.loads(body)["cookie"]) == (200, cookie(COOKIE_BYTES))
    assert ask_site(fields=[("Cookie", cookie(COOKIE_BYTES + 1))])[0] == 431
    assert counted(limited, "cookies_total", direction="request", decision="block", reason="limit") == 1


def test_cookies_in_crumbs(ask_site, limited):
    """A Cookie field for each pair, as HTTP/2 sends them: no more of them, and no fewer, than in one field."""
    def crumbs(count):
        return [("Cookie", f"sessionid={number}") for number in range(count)]

    status, body = ask_site(fields=crumbs(COOKIES))
    joined = "; ".join(value for _, value in crumbs(COOKIES))
    assert (status, json.loads(body)["cookie"]) == (200, joined)
    assert ask_site(fields=crumbs(COOKIES + 1))[0] == 431
    assert counted(limited, "cookies_total", direction="request", decision="block", reason="limit") == 1


def test_body_bytes(ask_site, limited):
    status, body = ask_site("/upload/", body=bytes(BODY_BYTES))
    assert (status, json.loads(body)["size"]) == (200, BODY_BYTES)
    assert ask_site("/upload/", body=bytes(BODY_BYTES + 1))[0] == 413
    assert refused(limited, 413) == 1


def test_body_bytes_of_nobody_knows_how_many(limited):
    def chunked(size):
        body = f"{size:x}\r\n".encode() + bytes(size) + b"\r\n0\r\n\r\n"
        head = request("/upload/", [("Transfer-Encoding", "chunked")], "POST")
        return exchange(limited.address_of("http"), head, body)

    status, body = chunked(BODY_BYTES)
    assert (status, json.loads(body)["size"]) == (200, BODY_BYTES)
    assert chunked(BODY_BYTES + 1)[0] == 413
    assert refused(limited, 413) == 1


def is_served(connection):
    connection.sendall(request("/echo/"))
    return receive(connection)[0] == 200


@contextlib.contextmanager
def several(address, count, source="127.0.0.1", prologue=b""):
    """This many connections that have been served once."""
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(connect(address, source)) for _ in range(count)]
        for connection in opened:
            connection.sendall(prologue)
            assert is_served(connection)
        yield opened


def assert_refused(firewall, address, reason, source="127.0.0.1", prologue=b""):
    before = counted(firewall, "connection_errors_total", listener="http", reason=reason)
    with connect(address, source) as connection, contextlib.suppress(ConnectionResetError, BrokenPipeError):
        connection.sendall(prologue + request("/echo/"))
        assert until_the_end(connection) == b""
    assert counted(firewall, "connection_errors_total", listener="http", reason=reason) == before + 1


def eventually_served(address, source="127.0.0.1", prologue=b""):
    """Once the firewall has noticed that others have gone."""
    def served():
        with connect(address, source) as connection, contextlib.suppress(ConnectionResetError, BrokenPipeError):
            connection.sendall(prologue + request("/echo/"))
            return receive(connection)[0] == 200
    eventually(served)


def test_connections_in_all(start):
    firewall = start("[limits]\nconnections = 20")
    address = firewall.address_of("http")
    with several(address, 10) as opened, several(address, 10, "127.0.0.2"):
        assert counted(firewall, "connections", listener="http") == 20
        assert_refused(firewall, address, "connections")
        assert_refused(firewall, address, "connections", "127.0.0.3")
        assert ask(firewall.admin, "/readyz")[0] == 200, "the admin listener has no part in it"
        assert all(is_served(connection) for connection in opened)
        opened[0].close()
        eventually_served(address)
    firewall.stderr.wait_for("reason=connections")
    eventually(lambda: counted(firewall, "connections", listener="http") == 0)


def test_connections_of_one_client(start):
    firewall = start("[limits]\nclient_connections = 5")
    address = firewall.address_of("http")
    with several(address, 5) as opened, several(address, 5, "127.0.0.2"):
        assert_refused(firewall, address, "client_connections")
        assert_refused(firewall, address, "client_connections", "127.0.0.2")
        eventually_served(address, "127.0.0.3")
        assert all(is_served(connection) for connection in opened)
        opened[0].close()
        eventually_served(address)
    firewall.stderr.wait_for("reason=client_connections")
    eventually(lambda: counted(firewall, "connections", listener="http") == 0)


def test_connections_of_one_client_behind_a_proxy(start):
    """A trusted proxy is nobody's client; whom it names is."""
    def behind(client):
        return f"PROXY TCP4 {client} 192.0.2.1 40000 80\r\n".encode()

    firewall = start("[limits]\nclient_connections = 5", """
http = ["127.0.0.1:0"]
proxy_protocol = ["127.0.0.1:0"]
trusted_proxies = ["127.0.0.1"]
""")
    address = firewall.address_of("http")
    with several(address, 5, prologue=behind("203.0.113.7")), several(address, 5, prologue=behind("203.0.113.8")):
        assert_refused(firewall, address, "client_connections", prologue=behind("203.0.113.7"))
        eventually_served(address, prologue=behind("203.0.113.9"))
        assert_refused(firewall, address, "client_connections", prologue=behind("203.0.113.8"))
    eventually_served(address, prologue=behind("203.0.113.7"))
