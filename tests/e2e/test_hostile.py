"""Clients that mean harm, or know no better, further ones than test_bad_input.py has.

Each is cut and counted and costs no memory, and everyone else is served.
"""

import contextlib
import json
import re
import struct
from pathlib import Path

import pytest

from harness import sites
from harness.http2 import DATA, END_HEADERS, END_STREAM, HEADERS, PING, RST_STREAM, SETTINGS, frame
from harness.load import Certificate, QuietFirewall, eventually, served_head
from harness.metrics import rows
from harness.raw import CONTINUATION, Http2, connect, pseudo, receive, request, until_the_end

# How much a firewall may hold more after a flood than before: what an allocator keeps, not what a client has sent.
ROOM_BYTES = 24 << 20

# HTTP/2's error codes (RFC 9113 7).
CANCEL, ENHANCE_YOUR_CALM = 8, 11

IMPATIENT = """
[timeouts]
handshake    = "1 s"
request_head = "1 s"
request_body = "1 s"
response     = "1 s"
idle         = "1 s"
"""

BOTH = 'http = ["127.0.0.1:0"]\nhttps = ["127.0.0.1:0"]'


@pytest.fixture
def start(keep, binary, tmp_path):
    """Starts a firewall in front of `upstream`, with this [server] and these tables in its main file."""
    def start(upstream, tables="", server=BOTH):
        certificate = Certificate(tmp_path)
        tls = f'[[tls.certificate]]\nchain = "{certificate.chain}"\nkey = "{certificate.key}"\n'
        (tmp_path / "site.toml").write_text(sites.own(upstream) + tls)
        main = tmp_path / "cookie-firewall.toml"
        main.write_text(f'[server]\nsites = ["site.toml"]\nadmin = "127.0.0.1:0"\n{server}\n{tables}')
        return keep(QuietFirewall(binary, main))
    return start


def errors(firewall, listener="http"):
    """{reason: how many connections were refused or cut for it}"""
    found = rows(firewall.metrics(), "cookie_firewall_connection_errors_total")
    return {labels["reason"]: value for labels, value in found if labels["listener"] == listener and value}


def assert_reported(firewall, reason, count=1, listener="http"):
    """Counted, this reason and no other, and in the log."""
    eventually(lambda: sum(errors(firewall, listener).values()) >= count)
    assert errors(firewall, listener) == {reason: count}
    firewall.stderr.wait_for(rf"connection refused or cut.*listener={listener} client=\S+ reason={reason}")


def assert_serves(firewall):
    """Everyone else."""
    assert served_head(firewall.address_of("https")).startswith("HTTP/1.1 200 ")
    with Http2(firewall.address_of("http")) as connection:
        assert connection.exchange(1, pseudo("/"))[0] == 200


def resident_bytes(firewall):
    status = Path(f"/proc/{firewall.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024


@contextlib.contextmanager
def bounded_memory(firewall):
    before = resident_bytes(firewall)
    yield
    grown = resident_bytes(firewall) - before
    assert grown < ROOM_BYTES, f"{grown >> 20} MiB more than before"


# Who the client is.

def seen_by_django(connection, fields=()):
    connection.sendall(request("/echo/", fields))
    status, body = receive(connection)
    assert status == 200, body
    return json.loads(body)["headers"]


def test_a_proxy_header_that_nobody_asked_for_is_no_request(start, portal):
    firewall = start(portal.address, server=BOTH + '\ntrusted_proxies = ["127.0.0.1"]')
    with connect(firewall.address_of("http")) as connection:
        connection.sendall(b"PROXY TCP4 203.0.113.7 192.0.2.1 40000 80\r\n" + request("/echo/"))
        assert receive(connection)[0] == 400
        assert until_the_end(connection) == b""


@pytest.mark.parametrize("fields, client", [
    ([("X-Forwarded-For", "203.0.113.7")], "203.0.113.7"),
    ([("X-Forwarded-For", "198.51.100.9, 203.0.113.7, 127.0.0.1")], "203.0.113.7"),
    ([("X-Forwarded-For", "198.51.100.9"), ("X-Forwarded-For", "203.0.113.7")], "203.0.113.7"),
    ([("Forwarded", 'for="[2001:db8::7]:4711";proto=https')], "2001:db8::7"),
    ([("Forwarded", "for=198.51.100.9"), ("X-Forwarded-For", "203.0.113.7")], "127.0.0.1"),
    ([("X-Forwarded-For", "unknown")], "127.0.0.1"),
], ids=["one", "a list", "two lines", "Forwarded", "two opinions", "no address"])
@pytest.mark.parametrize("source", ["127.0.0.1", "127.0.0.2"], ids=["trusted", "not trusted"])
def test_who_is_believed_about_the_client(start, portal, source, fields, client):
    firewall = start(portal.address, server=BOTH + '\ntrusted_proxies = ["127.0.0.1"]')
    with connect(firewall.address_of("http"), source) as connection:
        headers = seen_by_django(connection, fields)
    told = headers["HTTP_X_FORWARDED_FOR"].split(", ")
    if source == "127.0.0.1":
        assert client in told and "198.51.100.9" not in told
    else:
        assert told == [source]


# HTTP/2.

@pytest.mark.parametrize("clients", [1, 20])
def test_resets_at_full_speed(start, upstream, clients):
    """Rapid reset (CVE-2023-44487), from many at a time: whichever guard comes first, each connection is cut."""
    firewall = start(upstream.address)
    with bounded_memory(firewall), contextlib.ExitStack() as stack:
        for _ in range(clients):
            connection = stack.enter_context(Http2(firewall.address_of("http")))
            pairs = (connection.head(stream, pseudo()) + frame(RST_STREAM, 0, stream, struct.pack(">I", CANCEL))
                     for stream in range(1, 20_000, 2))
            connection.send(b"".join(pairs))
            assert connection.goodbye() in (ENHANCE_YOUR_CALM, None)
    eventually(lambda: sum(errors(firewall).values()) == clients)
    assert errors(firewall).keys() <= {"resets", "http2", "flood"}
    assert_serves(firewall)


def test_a_client_may_change_its_mind(start, upstream):
    """Browsers cancel what they have asked for; a few hundred times is no flood, if they let some be answered."""
    firewall = start(upstream.address)
    with Http2(firewall.address_of("http")) as connection:
        for stream in range(1, 1_200, 4):
            connection.send(connection.head(stream, pseudo()))
            connection.send(frame(RST_STREAM, 0, stream, struct.pack(">I", CANCEL)))
            assert connection.exchange(stream + 2, pseudo())[0] == 200
    assert errors(firewall) == {}


def test_crumbs_are_one_field_to_the_portal(start, portal):
    """A Cookie field for each pair, as HTTP/2 sends them, in their order."""
    firewall = start(portal.address)
    crumbs = [f"sessionid={number}" for number in range(40)]
    with Http2(firewall.address_of("http")) as connection:
        status, body = connection.exchange(1, pseudo("/echo/") + [("cookie", crumb) for crumb in crumbs])
    assert (status, json.loads(body)["cookie"]) == (200, "; ".join(crumbs))


def continuation(connection):
    yield frame(HEADERS, END_STREAM, 1, connection.encode(pseudo()))
    block = b"\x00\x01a\x01b" * 2_000
    while True:
        yield frame(CONTINUATION, 0, 1, block)


def empty_continuation(connection):
    yield frame(HEADERS, END_STREAM, 1, connection.encode(pseudo()))
    while True:
        yield frame(CONTINUATION, 0, 1) * 1_000


def pings(_):
    while True:
        yield frame(PING, 0, 0, b"pingpong") * 1_000


def settings(_):
    while True:
        yield frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 65_535)) * 1_000


def empty_data(connection):
    yield connection.head(1, pseudo(method="POST"), ends=False)
    while True:
        yield frame(DATA, 0, 1) * 1_000


def priorities(_):
    while True:
        yield frame(2, 0, 1, b"\0\0\0\0\x10") * 1_000


def unknown_frames(_):
    while True:
        yield frame(0xBB, 0, 0, b"x" * 100) * 1_000


FLOODS = [continuation, empty_continuation, pings, settings, empty_data, priorities, unknown_frames]


@pytest.mark.parametrize("flood", FLOODS, ids=lambda flood: flood.__name__)
def test_a_flood_of_frames(start, upstream, flood):
    firewall = start(upstream.address)
    most = 64 << 20
    with bounded_memory(firewall):
        with Http2(firewall.address_of("http")) as connection:
            connection.socket.settimeout(20)  # who answers PINGs that nobody reads might stop reading
            sent = 0
            for piece in flood(connection):
                sent += len(piece)
                if not connection.send(piece) or sent > most:
                    break
        assert sent <= most, "64 MiB were taken"
    eventually(lambda: errors(firewall))
    [(reason, count)] = errors(firewall).items()
    assert reason in ("flood", "http2") and count == 1
    assert_serves(firewall)


FRAMES_OUT_OF_PLACE = {
    "DATA on no stream": frame(DATA, END_STREAM, 0, b"x"),
    "DATA on an idle stream": frame(DATA, END_STREAM, 1, b"x"),
    "HEADERS on no stream": frame(HEADERS, END_HEADERS | END_STREAM, 0, b"\x82\x86\x84"),
    "HEADERS on a server's stream": frame(HEADERS, END_HEADERS | END_STREAM, 2, b"\x82\x86\x84"),
    "CONTINUATION of nothing": frame(CONTINUATION, END_HEADERS, 1, b"\x82"),
    "RST_STREAM of an idle stream": frame(RST_STREAM, 0, 1, bytes(4)),
    "SETTINGS of an odd length": frame(SETTINGS, 0, 0, b"12345"),
    "SETTINGS on a stream": frame(SETTINGS, 0, 1),
    "PING of an odd length": frame(PING, 0, 0, b"1234567"),
    "PUSH_PROMISE": frame(5, END_HEADERS, 1, struct.pack(">I", 2) + b"\x82"),
    "a window that overflows": frame(8, 0, 0, struct.pack(">I", 0x7FFFFFFF)),
    "a frame that is too large": frame(0xBB, 0, 0, bytes(16_385)),
    "HPACK that cannot be read": frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\xff\xff\xff\xff\xff\xff"),
}


@pytest.mark.parametrize("name", FRAMES_OUT_OF_PLACE)
def test_a_frame_out_of_place_ends_the_connection(start, upstream, name):
    firewall = start(upstream.address)
    with Http2(firewall.address_of("http")) as connection:
        connection.send(FRAMES_OUT_OF_PLACE[name])
        assert connection.goodbye() not in (None, 0)
    assert_reported(firewall, "http2")
    assert_serves(firewall)


# Slow ones.

def test_a_response_that_is_not_read(start, portal):
    """Over HTTP/1.1 the socket is full; over HTTP/2 a window stays shut. Both give the upstream's connection back."""
    firewall = start(portal.address, IMPATIENT)
    path = f"/download/?size={64 << 20}"
    with connect(firewall.address_of("http")) as still, Http2(firewall.address_of("http")) as shut:
        still.sendall(request(path))
        shut.send(shut.head(1, pseudo(path)))
        eventually(lambda: errors(firewall).get("unread"))
        eventually(lambda: upstream_connections(firewall, "active") == 0)
    assert set(errors(firewall)) == {"unread"}
    assert resident_bytes(firewall) < 64 << 20


def upstream_connections(firewall, state):
    found = rows(firewall.metrics(), "cookie_firewall_upstream_connections")
    return sum(value for labels, value in found if labels["state"] == state)


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_a_body_that_stops(start, portal, version):
    firewall = start(portal.address, IMPATIENT)
    address = firewall.address_of("http")
    if version == "1.1":
        with connect(address) as connection:
            connection.sendall(request("/upload/", [("Content-Length", 1_000)], "POST") + b"x")
            status = receive(connection)[0]
    else:
        with Http2(address) as connection:
            connection.send(connection.head(1, pseudo("/upload/", "POST"), ends=False) + frame(DATA, 0, 1, b"x"))
            status = connection.answer(1)[0]
    assert status == 408
    eventually(lambda: upstream_connections(firewall, "active") == 0)
