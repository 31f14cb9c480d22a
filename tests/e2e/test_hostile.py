"""Clients that mean harm, or know no better: each is cut and counted, costs no memory, and everyone else is served."""

import contextlib
import json
import re
import socket
import ssl
import struct
import time
from pathlib import Path

import pytest

from harness import sites
from harness.http2 import DATA, END_HEADERS, END_STREAM, HEADERS, PING, RST_STREAM, SETTINGS, frame
from harness.load import DOMAIN, Certificate, QuietFirewall, eventually, served_head, trusting_context
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


@pytest.fixture
def silent():
    """An upstream that takes every connection and answers none."""
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        yield "127.0.0.1:%d" % listener.getsockname()[1]


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


def client_hello():
    """What a client of TLS says first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting_context().wrap_bio(incoming, outgoing, server_hostname=DOMAIN)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


# Before HTTP.

MANY = 50


@pytest.mark.parametrize("share", [0, 0.5, 1], ids=["nothing", "half a hello", "a hello"])
def test_a_handshake_that_stops_is_cut(start, upstream, share):
    firewall = start(upstream.address, IMPATIENT)
    hello = client_hello()
    with contextlib.ExitStack() as stack, bounded_memory(firewall):
        opened = [stack.enter_context(connect(firewall.address_of("https"))) for _ in range(MANY)]
        begun = time.monotonic()
        for connection in opened:
            connection.sendall(hello[:int(len(hello) * share)])
        assert served_head(firewall.address_of("https")).startswith("HTTP/1.1 200 ")
        for connection in opened:
            until_the_end(connection)
        assert time.monotonic() - begun >= 1 - 0.1
    assert_reported(firewall, "timeout", MANY, "https")
    assert_serves(firewall)


def test_a_client_that_says_nothing_costs_an_idle_connection_at_most(start, upstream):
    """Over clear text there is no handshake; the head's time holds."""
    firewall = start(upstream.address, IMPATIENT)
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(connect(firewall.address_of("http"))) for _ in range(MANY)]
        for connection in opened[::2]:
            connection.sendall(b"GET / HT")
        for connection in opened:
            assert until_the_end(connection) == b""
    eventually(lambda: errors(firewall).get("timeout", 0) >= MANY / 2)
    assert_serves(firewall)


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x00\x05hello", b"\x16\x03\x03\xff\xff" + bytes(100), b"\x16" * 500],
                         ids=["no hello", "too long a record", "sixteens"])
def test_garbage_in_the_form_of_tls(start, upstream, garbage):
    firewall = start(upstream.address)
    with connect(firewall.address_of("https")) as connection:
        connection.sendall(garbage)
        assert until_the_end(connection)[:1] in (b"\x15", b""), "an alert, if anything"
    assert_reported(firewall, "handshake", listener="https")
    assert_serves(firewall)


# The PROXY protocol.

TRUSTING = """
http = ["127.0.0.1:0"]
proxy_protocol = ["127.0.0.1:0"]
trusted_proxies = ["127.0.0.1"]
"""

V2 = b"\r\n\r\n\0\r\nQUIT\n"


def block(command, family, addresses=b""):
    """A header of version 2."""
    return V2 + struct.pack(">BBH", command, family, len(addresses)) + addresses


def of_ipv4(client):
    return socket.inet_aton(client) + socket.inet_aton("192.0.2.1") + struct.pack(">HH", 40_000, 80)


def of_ipv6(client):
    return (socket.inet_pton(socket.AF_INET6, client) + socket.inet_pton(socket.AF_INET6, "2001:db8::1")
            + struct.pack(">HH", 40_000, 80))


TLV = b"\x04\x00\x03abc"  # a no-op, which version 2 lets anybody add

ACCEPTED = {
    "v1, IPv4": (b"PROXY TCP4 203.0.113.7 192.0.2.1 40000 80\r\n", "203.0.113.7"),
    "v1, IPv6": (b"PROXY TCP6 2001:db8::7 2001:db8::1 40000 80\r\n", "2001:db8::7"),
    "v1, unknown": (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    "v2, IPv4": (block(0x21, 0x11, of_ipv4("203.0.113.7")), "203.0.113.7"),
    "v2, IPv6": (block(0x21, 0x21, of_ipv6("2001:db8::7")), "2001:db8::7"),
    "v2, extended": (block(0x21, 0x11, of_ipv4("203.0.113.7") + TLV), "203.0.113.7"),
    "v2, local": (block(0x20, 0x00), "127.0.0.1"),
}

MALFORMED = {
    "no header": b"GET / HTTP/1.1\r\nHost: portal.example\r\n\r\n",
    "no address": b"PROXY TCP4 203.0.113 192.0.2.1 40000 80\r\n",
    "no port": b"PROXY TCP4 203.0.113.7 192.0.2.1 99999 80\r\n",
    "another family": b"PROXY TCP4 2001:db8::7 2001:db8::1 40000 80\r\n",
    "lower case": b"proxy TCP4 203.0.113.7 192.0.2.1 40000 80\r\n",
    "no end": b"PROXY TCP4 " + b"1" * 5_000,
    "v2, another version": block(0x31, 0x11, of_ipv4("203.0.113.7")),
    "v2, too short": block(0x21, 0x11, of_ipv4("203.0.113.7")[:8]),
    "v2, too long": V2 + struct.pack(">BBH", 0x21, 0x11, 0xFFFF) + bytes(0xFFFF),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
}


@pytest.fixture
def proxied(start, portal):
    """In front of Django, with a listener that expects the PROXY protocol."""
    return start(portal.address, server=TRUSTING)


def seen_by_django(connection, fields=()):
    connection.sendall(request("/echo/", fields))
    status, body = receive(connection)
    assert status == 200, body
    return json.loads(body)["headers"]


@pytest.mark.parametrize("name", ACCEPTED)
@pytest.mark.parametrize("pieces", [1, 1_000], ids=["at once", "byte by byte"])
def test_who_the_proxy_says_the_client_is(proxied, name, pieces):
    header, client = ACCEPTED[name]
    with connect(proxied.address_of("http")) as connection:
        for start in range(0, len(header), size := max(1, len(header) // pieces)):
            connection.sendall(header[start:start + size])
        headers = seen_by_django(connection)
        again = seen_by_django(connection, [("X-Forwarded-For", "198.51.100.9")])
    assert headers["HTTP_X_FORWARDED_FOR"] == client
    quoted = f'"[{client}]"' if ":" in client else client
    assert headers["HTTP_FORWARDED"].startswith(f"for={quoted};")
    if client != "127.0.0.1":  # whom a header names is a client, and nobody believes what clients say of themselves
        assert again["HTTP_X_FORWARDED_FOR"] == client


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_proxy_header_is_cut(proxied, name):
    with connect(proxied.address_of("http")) as connection:
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            connection.sendall(MALFORMED[name])
        assert until_the_end(connection) == b""
    assert_reported(proxied, "proxy_header")
    with connect(proxied.address_of("http")) as connection:
        connection.sendall(ACCEPTED["v1, IPv4"][0])
        assert seen_by_django(connection)["HTTP_X_FORWARDED_FOR"] == "203.0.113.7"


def test_a_proxy_that_is_not_trusted_is_not_heard(proxied):
    with connect(proxied.address_of("http"), source="127.0.0.2") as connection:
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            connection.sendall(ACCEPTED["v1, IPv4"][0] + request("/echo/"))
        assert until_the_end(connection) == b""
    assert_reported(proxied, "untrusted")


def test_a_proxy_header_that_nobody_asked_for_is_no_request(start, portal):
    firewall = start(portal.address, server=BOTH + '\ntrusted_proxies = ["127.0.0.1"]')
    with connect(firewall.address_of("http")) as connection:
        connection.sendall(ACCEPTED["v1, IPv4"][0] + request("/echo/"))
        assert receive(connection)[0] == 400
        assert until_the_end(connection) == b""


def test_a_proxy_header_that_stops_is_cut(start, portal):
    firewall = start(portal.address, IMPATIENT, server=TRUSTING)
    with connect(firewall.address_of("http")) as connection:
        connection.sendall(b"PROXY TCP4 203.0.")
        assert until_the_end(connection) == b""
    assert_reported(firewall, "timeout")


def test_a_proxy_header_before_tls(start, portal):
    firewall = start(portal.address, server="""
http = ["127.0.0.1:0"]
https = ["127.0.0.2:0"]
proxy_protocol = ["127.0.0.2:0"]
trusted_proxies = ["127.0.0.1"]
""")
    with connect(firewall.address_of("https")) as plain:
        plain.sendall(ACCEPTED["v2, IPv6"][0])
        with trusting_context().wrap_socket(plain, server_hostname=DOMAIN) as connection:
            headers = seen_by_django(connection)
    assert headers["HTTP_X_FORWARDED_FOR"] == "2001:db8::7"
    assert headers["HTTP_X_FORWARDED_PROTO"] == "https"


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

def test_resets_without_end(start, silent):
    """Rapid reset (CVE-2023-44487): requests that have reached the upstream, and are taken back."""
    firewall = start(silent)
    with bounded_memory(firewall), Http2(firewall.address_of("http")) as connection:
        sent = 0
        for stream in range(1, 20_000, 2):
            head = connection.head(stream, pseudo())
            cancel = frame(RST_STREAM, 0, stream, struct.pack(">I", CANCEL))
            # The PING sees to it that the request was taken up before it is taken back.
            if not (connection.send(head) and connection.settle() and connection.send(cancel)):
                break
            sent += 1
        assert 200 <= sent <= 400
    assert_reported(firewall, "resets")
    with Http2(firewall.address_of("http")) as connection:
        assert connection.settle()


@pytest.mark.parametrize("clients", [1, 20])
def test_resets_at_full_speed(start, upstream, clients):
    """The same without a pause: whichever guard comes first, the connection is cut."""
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


BOMB = 4_000


@pytest.mark.parametrize("name", ["cookie", "x-bomb"])
def test_a_field_that_costs_a_byte_each_time(start, upstream, name):
    """HPACK amplification (CVE-2025-53020 and its like): 4 KB once in the table, and then an octet for each use."""
    firewall = start(upstream.address)
    value = b"a=" + b"x" * 3_900
    literal = b"\x40" + bytes([len(name)]) + name.encode() + b"\x7f" + varint(len(value) - 127) + value
    clients = 10
    with bounded_memory(firewall), contextlib.ExitStack() as stack:
        for _ in range(clients):
            connection = stack.enter_context(Http2(firewall.address_of("http")))
            for stream in range(1, 21, 2):
                # The literal is the table's newest entry, 62, in every head that follows it.
                block = b"\x82\x86\x84" + b"\x01" + bytes([len(DOMAIN)]) + DOMAIN.encode() + literal + b"\xbe" * BOMB
                connection.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, block))
            for kind, _, _, payload in connection.frames():
                if kind in (RST_STREAM, HEADERS, 7):
                    break
    assert_serves(firewall)
    answered = rows(firewall.metrics(), "cookie_firewall_requests_total")
    assert sum(value for labels, value in answered if labels["code"] == "200") == 2, "those of assert_serves"


def varint(number):
    """The rest of an HPACK integer."""
    found = b""
    while number >= 128:
        found += bytes([number % 128 | 128])
        number //= 128
    return found + bytes([number])


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
