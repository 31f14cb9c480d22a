"""Visitors that are broken, or mean harm: what they send is refused and counted, and the others notice nothing."""

import hashlib
import json
import socket
import ssl
import struct
import time
from contextlib import ExitStack, suppress

import pytest

from harness import sites
from harness.curl import curl, site
from harness.frames import Http2
from harness.metrics import connection_errors, rows
from harness.processes import DEADLINE_SECONDS, wait_until

from conftest import MAIN_CONFIG

DOMAIN = sites.OWN_DOMAIN
MEBIBYTE = 1024 * 1024
FRAME_SIZE = 16_384  # the largest frame that every HTTP/2 peer must take
HEADERS, RST_STREAM, SETTINGS, PING, CONTINUATION = 1, 3, 4, 6, 9
END_STREAM, END_HEADERS = 1, 4


@pytest.fixture
def start(start_tls_firewall, authority, portal):
    """Starts a firewall in front of the portal, with TLS and these tables in its main configuration."""
    certificate = authority.tls_table(authority.issue(DOMAIN))

    def start(tables="", **options):
        return start_tls_firewall(sites.own(portal.address) + certificate, tables=tables, **options)

    return start


@pytest.fixture
def context(authority):
    return ssl.create_default_context(cafile=authority.pem)


def connect(address):
    host, port = address.split(":")
    return socket.create_connection((host, int(port)), DEADLINE_SECONDS)


def until_closed(plain):
    """What still comes before the connection is closed or reset."""
    pieces = []
    with suppress(ConnectionResetError):
        while piece := plain.recv(65_536):
            pieces.append(piece)
    return b"".join(pieces)


def exchange(address, request):
    """What comes back for these bytes until the connection is closed."""
    with connect(address) as plain:
        with suppress(BrokenPipeError, ConnectionResetError):
            plain.sendall(request)
        return until_closed(plain)


def status_of(answer):
    return int(answer.split(b" ", 2)[1])


def request(*lines, path="/echo/", method="GET"):
    """A request that is the last of its connection, with these lines in its head."""
    head = [f"{method} {path} HTTP/1.1", f"Host: {DOMAIN}", "Connection: close", *lines]
    return "\r\n".join([*head, "", ""]).encode()


def body_of(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    return json.loads(body)


# Handshakes


def hello_of(context):
    """The first bytes of a handshake, up to where the client waits for the server."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=DOMAIN).do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("part", ["nothing", "a byte", "half a hello", "a whole hello"])
def test_a_handshake_that_stops_is_cut(start, await_errors, context, part):
    """A hello alone has an answer, and then the client's share is missing."""
    firewall = start('[timeouts]\nhandshake = "1 s"\n')
    hello = hello_of(context)
    sent = {"nothing": b"", "a byte": hello[:1], "half a hello": hello[: len(hello) // 2], "a whole hello": hello}
    with connect(firewall.https) as plain:
        began = time.monotonic()
        plain.sendall(sent[part])
        answer = until_closed(plain)
        took = time.monotonic() - began
    assert 0.9 < took < 5
    assert (len(answer) > 100) == (part == "a whole hello")
    await_errors(firewall, {"timeout": 1})


def test_half_open_handshakes_do_not_keep_others_waiting(start, context, metrics, await_errors, authority):
    firewall = start('[timeouts]\nhandshake = "2 s"\n')
    hello = hello_of(context)
    with ExitStack() as stack:
        half_open = [stack.enter_context(connect(firewall.https)) for _ in range(200)]
        for plain in half_open:
            plain.sendall(hello[:100])
        answer = curl("--cacert", authority.pem, *site(DOMAIN, firewall.https, "/echo/"))
        assert answer.status == 200
        assert connection_errors(metrics(firewall)) == {}, "they are no longer open: this proves nothing"
        for plain in half_open:
            assert until_closed(plain) == b""
    await_errors(firewall, {"timeout": len(half_open)})


@pytest.mark.parametrize("sent, counted", [
    (b"", {}),
    (f"HEAD /echo/ HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n".encode(), {}),
    (b"GET /echo/ HTTP/1.1\r\nHost: portal", {"timeout": 1}),
], ids=["nothing", "a request and no more", "half a head"])
def test_a_head_that_does_not_come_in_time(start, metrics, sent, counted):
    """Only one that has begun is a fault: browsers open connections in advance, and leave them open afterwards."""
    firewall = start('[timeouts]\nrequest_head = "1 s"\n')
    exchange(firewall.http, sent)
    wait_until(lambda: open_connections(metrics(firewall)) == 0, "the connection to be closed")
    assert connection_errors(metrics(firewall)) == counted


# The PROXY protocol

PROXY_CONFIG = MAIN_CONFIG.replace(
    "admin =", 'proxy_protocol = ["127.0.0.1:0"]\ntrusted_proxies = ["127.0.0.0/8"]\nadmin =')
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def version_2(command, family, addresses, more=b""):
    payload = addresses + more
    return SIGNATURE + bytes([0x20 | command, family]) + struct.pack("!H", len(payload)) + payload


def packed(family, client, proxy):
    return (socket.inet_pton(family, client) + socket.inet_pton(family, proxy) + struct.pack("!HH", 4000, 80))


IPV4 = packed(socket.AF_INET, "203.0.113.7", "192.0.2.1")
IPV6 = packed(socket.AF_INET6, "2001:db8::7", "2001:db8::1")


@pytest.fixture
def behind_a_balancer(start_firewall, portal):
    return start_firewall(sites.own(portal.address), main=PROXY_CONFIG)


@pytest.mark.parametrize("header, client", [
    (b"PROXY TCP4 203.0.113.7 192.0.2.1 4000 80\r\n", "203.0.113.7"),
    (b"PROXY TCP6 2001:db8::7 2001:db8::1 4000 80\r\n", "2001:db8::7"),
    (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", "127.0.0.1"),
    (version_2(1, 0x11, IPV4), "203.0.113.7"),
    (version_2(1, 0x21, IPV6), "2001:db8::7"),
    (version_2(1, 0x11, IPV4, b"\x04\x00\x03abc"), "203.0.113.7"),
    (version_2(0, 0x00, b""), "127.0.0.1"),
], ids=["1 TCP4", "1 TCP6", "1 UNKNOWN", "1 UNKNOWN more", "2 IPv4", "2 IPv6", "2 TLV", "2 LOCAL"])
def test_the_portal_sees_whom_the_balancer_names(behind_a_balancer, metrics, header, client):
    seen = body_of(exchange(behind_a_balancer.http, header + request()))
    assert seen["headers"]["HTTP_X_FORWARDED_FOR"] == client
    assert connection_errors(metrics(behind_a_balancer)) == {}


def test_whom_the_balancer_names_is_not_believed(behind_a_balancer):
    """It is the balancer that is trusted, not who comes through it."""
    header = b"PROXY TCP4 203.0.113.7 192.0.2.1 4000 80\r\n"
    claims = ["X-Forwarded-For: 198.51.100.1", "Forwarded: for=198.51.100.1"]
    seen = body_of(exchange(behind_a_balancer.http, header + request(*claims)))
    assert "198.51.100.1" not in json.dumps(seen)


def test_a_header_in_pieces(behind_a_balancer):
    """TCP may deliver a byte at a time, and Nagle's algorithm is off so that it does."""
    message = b"PROXY TCP4 203.0.113.7 192.0.2.1 4000 80\r\n" + request()
    with connect(behind_a_balancer.http) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in message:
            plain.sendall(bytes([byte]))
        seen = body_of(until_closed(plain))
    assert seen["headers"]["HTTP_X_FORWARDED_FOR"] == "203.0.113.7"


def test_a_header_before_tls(start_firewall, authority, portal, context):
    main = PROXY_CONFIG.replace("admin =", 'https = ["127.0.0.1:0"]\nadmin =', 1)
    text = sites.own(portal.address) + authority.tls_table(authority.issue(DOMAIN))
    firewall = start_firewall(text, main=main)
    with connect(firewall.https) as plain:
        plain.sendall(version_2(1, 0x11, IPV4))
        with context.wrap_socket(plain, server_hostname=DOMAIN) as secure:
            secure.sendall(request())
            seen = body_of(until_closed(secure))
    assert seen["headers"]["HTTP_X_FORWARDED_FOR"] == "203.0.113.7"
    assert seen["headers"]["HTTP_X_FORWARDED_PROTO"] == "https"


@pytest.mark.parametrize("header", [
    b"",
    b"PROXY TCP4 203.0.113.7 192.0.2.1 4000\r\n",
    b"PROXY TCP4 203.0.113.7 192.0.2.1 4000 99999\r\n",
    b"PROXY TCP4 203.0.113.777 192.0.2.1 4000 80\r\n",
    b"PROXY TCP4 2001:db8::7 2001:db8::1 4000 80\r\n",
    b"PROXY TCP5 203.0.113.7 192.0.2.1 4000 80\r\n",
    b"proxy TCP4 203.0.113.7 192.0.2.1 4000 80\r\n",
    b"PROXY TCP4 203.0.113.7 192.0.2.1 4000 80\n",
    b"PROXY UNKNOWN " + b"x" * 200 + b"\r\n",
    SIGNATURE + b"\x11\x11\x00\x0c" + IPV4,
    SIGNATURE + b"\x2f\x11\x00\x0c" + IPV4,
    version_2(1, 0x11, IPV4[:-1]),
    version_2(1, 0x21, IPV4),
    b"\r\n\r\n\0\r\nQUIX\n" + b"\x21\x11\x00\x0c" + IPV4,
], ids=["none", "no port", "port", "octet", "family", "TCP5", "case", "line end", "long", "version", "command",
        "short", "IPv4 as IPv6", "signature"])
def test_a_header_that_is_none_is_cut(behind_a_balancer, await_errors, header):
    assert exchange(behind_a_balancer.http, header + request()) == b""
    await_errors(behind_a_balancer, {"proxy_header": 1})


def test_a_balancer_that_is_not_trusted_is_cut(start_firewall, await_errors, portal):
    firewall = start_firewall(sites.own(portal.address), main=PROXY_CONFIG.replace("127.0.0.0/8", "192.0.2.0/24"))
    assert exchange(firewall.http, b"PROXY TCP4 203.0.113.7 192.0.2.1 4000 80\r\n" + request()) == b""
    await_errors(firewall, {"untrusted": 1})


# Limits of a request

LIMITS = """
[limits]
header_bytes  = 4096
header_fields = 20
cookies       = 10
cookie_bytes  = 2000
body_bytes    = 100000
"""


def padded(size):
    """A request whose head has so many bytes, the empty line at its end included."""
    bare = len(request("X-Padding: "))
    return request("X-Padding: " + "x" * (size - bare))


def test_the_size_of_a_head_over_http_1_1(start):
    firewall = start(LIMITS)
    assert status_of(exchange(firewall.http, padded(4096))) == 200
    assert status_of(exchange(firewall.http, padded(4097))) == 431
    assert status_of(exchange(firewall.http, padded(400_000))) == 431


def test_the_size_of_a_head_over_http_2(start, metrics):
    """Each field counts 32 bytes more, :method and its like included; whatever is beyond, the connection goes on."""
    firewall = start(LIMITS)
    with Http2(firewall.http, DOMAIN) as connection:
        bare = sum(len(name) + len(value) + 32 for name, value in connection.head("GET", "/echo/", ("x-padding", "")))
        for size, status in [(4096, 200), (4097, 431), (4096, 200)]:
            assert connection.get("/echo/", ("x-padding", "x" * (size - bare)))[0] == status, size
    assert connection_errors(metrics(firewall)) == {}


@pytest.mark.parametrize("size", [6000, 9000, 16_000])
def test_a_head_over_http_2_that_is_much_too_large(start, metrics, size):
    """Whether the firewall answers itself or leaves it to its HTTP/2: the connection goes on."""
    firewall = start(LIMITS)
    with Http2(firewall.http, DOMAIN) as connection:
        assert connection.get("/echo/", ("x-padding", "x" * size))[0] == 431
        assert connection.get("/echo/")[0] == 200
    assert connection_errors(metrics(firewall)) == {}


@pytest.mark.parametrize("size, status", [(1500, 200), (2048, 431)])
def test_a_query_is_part_of_the_head(start, size, status):
    """Over both protocols: it reaches the portal, too."""
    firewall = start(LIMITS.replace("4096", "2048"))
    path = "/echo/?" + "x" * size
    assert status_of(exchange(firewall.http, request(path=path))) == status
    with Http2(firewall.http, DOMAIN) as connection:
        assert connection.get(path)[0] == status


def crumbs(number):
    return "; ".join(f"c{index}=" for index in range(number))


@pytest.mark.parametrize("lines, status", [
    (["X-Many: 1"] * 18, 200),  # and Host and Connection
    (["X-Many: 1"] * 19, 431),
    (["Cookie: " + crumbs(10)], 200),
    (["Cookie: " + crumbs(11)], 431),
    (["Cookie: " + crumbs(6), "Cookie: " + crumbs(5)], 431),
    (["Cookie: c=" + "x" * 1998], 200),
    (["Cookie: c=" + "x" * 1999], 431),
], ids=["20 fields", "21 fields", "10 cookies", "11 cookies", "11 in two", "2000 bytes", "2001 bytes"])
def test_the_numbers_in_a_head(start, lines, status):
    assert status_of(exchange(start(LIMITS).http, request(*lines))) == status


@pytest.mark.parametrize("number, status", [(10, 200), (11, 431)])
def test_the_number_of_cookies_over_http_2(start, number, status):
    """Each is a field of its own, as HTTP/2 clients like to send them; such fields are none of `header_fields`."""
    firewall = start(LIMITS.replace("header_fields = 20", "header_fields = 5"))
    with Http2(firewall.http, DOMAIN) as connection:
        fields = [("cookie", f"c{index}=") for index in range(number)]
        assert connection.get("/echo/", *fields)[0] == status


@pytest.mark.parametrize("http", ["--http1.1", "--http2"])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_the_size_of_a_body(start, authority, http, chunked):
    """Without a length the firewall only knows once it has read too much."""
    firewall = start(LIMITS)
    address = site(DOMAIN, firewall.https, "/upload/")
    # An upload from a file whose length curl does not know; with HTTP/2 there is no chunked encoding, just no length.
    options = ["--request", "POST", "--upload-file", "-"] if chunked else ["--data-binary", "@-"]
    # Much more often than once, because whether an answer survives a connection that is closed too early is luck.
    for size, status in [(100_000, 200), (100_001, 413), *[(3_000_000, 413)] * 6]:
        answer = curl("--cacert", authority.pem, http, *options, *address, data=b"x" * size)
        assert answer.status == status, (size, answer)
        if status == 200:
            assert json.loads(answer.body)["sha256"] == hashlib.sha256(b"x" * size).hexdigest()


def test_what_is_over_a_limit_is_counted(start, metrics):
    firewall = start(LIMITS)
    exchange(firewall.http, padded(4097))
    exchange(firewall.http, request("Cookie: " + crumbs(11)))
    exchange(firewall.http, request("Content-Length: 100001", method="POST", path="/upload/"))
    # A head that could not be read is counted once its connection is closed.
    wait_until(lambda: codes(metrics(firewall)) == {"431": 2, "413": 1}, "the answers to be counted")
    text = metrics(firewall)
    [limited] = [value for labels, value in rows(text, "cookie_firewall_cookies_total") if labels["reason"] == "limit"]
    assert limited == 1


def codes(text):
    """{code: how many requests were answered with it}."""
    found = {}
    for labels, value in rows(text, "cookie_firewall_requests_total"):
        found[labels["code"]] = found.get(labels["code"], 0) + value
    return {code: value for code, value in found.items() if value}


# HTTP/2 as a weapon


def frame(kind, flags, stream, payload=b""):
    return struct.pack("!I", len(payload))[1:] + bytes([kind, flags]) + struct.pack("!I", stream) + payload


class RawHttp2:
    """HTTP/2 by its bytes alone: the h2 package itself would refuse to send most of this."""

    def __init__(self, address):
        self.socket = connect(address)
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def pour(self, pieces):
        """Sends until there is no more or the firewall has had enough; whether it had."""
        try:
            for piece in pieces:
                self.socket.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            return True
        return False


def literal(name, value, index=0):
    """A field that is written out, without Huffman coding; `index` 0x40 puts it into the dynamic table."""
    return bytes([index]) + integer(len(name)) + name + integer(len(value)) + value


def integer(number):
    """RFC 7541 5.1, with a prefix of 7 bits."""
    if number < 127:
        return bytes([number])
    coded, number = [127], number - 127
    while number >= 128:
        coded.append(number % 128 | 128)
        number //= 128
    return bytes([*coded, number])


def raw_head(*fields):
    head = [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/echo/"), (b":authority", DOMAIN.encode())]
    return b"".join(literal(name, value) for name, value in [*head, *fields])


def assert_served(firewall):
    assert status_of(exchange(firewall.http, request())) == 200


def test_requests_that_are_reset_at_once(start, await_errors):
    """CVE-2023-44487: each is work for the firewall and the portal, and none counts as an open stream."""
    firewall = start("[limits]\nresets = 50\n", log="info")
    with RawHttp2(firewall.http) as attacker:
        pairs = (frame(HEADERS, END_STREAM | END_HEADERS, stream, raw_head()) + frame(RST_STREAM, 0, stream, b"\0\0\0\x08")
                 for stream in range(1, 200_000, 2))
        attacker.pour(pairs)
        assert_served(firewall)
        until_closed(attacker.socket)
    await_errors(firewall, {"resets": 1}, {"http2": 1})
    assert_served(firewall)


def test_requests_that_are_reset_when_they_have_reached_the_portal(start, await_errors):
    """Slowly enough that none of them is dropped before it was looked at: it is their number that is limited."""
    limit = 50
    firewall = start(f"[limits]\nresets = {limit}\n", log="info")
    with Http2(firewall.http, DOMAIN) as attacker:
        resets = 0
        head = attacker.head("POST", "/upload/", ("content-length", "5"))
        while not attacker.closed and resets < 10 * limit:
            stream = attacker.begin(head, end=False)
            attacker.ping()  # answered when the head has been read, too
            attacker.reset(stream)
            resets += 1
            if resets == limit // 2:
                assert_served(firewall)
    assert limit <= resets <= limit + 20, resets
    await_errors(firewall, {"resets": 1})
    assert_served(firewall)


@pytest.mark.parametrize("kind, payload", [(PING, b"\0" * 8), (SETTINGS, b""), (RST_STREAM, b"\0\0\0\x08")],
                         ids=["PING", "SETTINGS", "RST_STREAM of nothing"])
def test_a_flood_of_frames_is_cut(start, await_errors, kind, payload):
    firewall = start(log="info")
    stream = 1 if kind == RST_STREAM else 0
    with RawHttp2(firewall.http) as attacker:
        attacker.pour(frame(kind, 0, stream, payload) * 100 for _ in range(1000))
        assert_served(firewall)
        until_closed(attacker.socket)
    await_errors(firewall, {"flood": 1}, {"http2": 1})


def test_a_head_that_never_ends_is_cut(start, await_errors):
    """A CONTINUATION flood: none of these frames is the last. 100 connections send up to 4 MiB each."""
    firewall = start(log="info")
    assert_served(firewall)
    before = firewall.memory()
    field = literal(b"x-endless", b"x" * (FRAME_SIZE - 20))
    for _ in range(100):
        with RawHttp2(firewall.http) as attacker:
            attacker.pour([frame(HEADERS, END_STREAM, 1, raw_head())])
            attacker.pour(frame(CONTINUATION, 0, 1, field) for _ in range(256))
            until_closed(attacker.socket)
    assert_served(firewall)
    assert firewall.memory() - before < 16 * MEBIBYTE
    await_errors(firewall, {"flood": 100}, {"http2": 100})


@pytest.mark.parametrize("field", [b"cookie", b"x-bomb"])
def test_a_few_bytes_that_stand_for_many(start, metrics, field):
    """An HPACK bomb: a field of 4000 bytes in the dynamic table, and thousands of references of one byte to it.

    Each head stands for 48 MB. Over all streams of 8 connections that would be 48 GB.
    """
    firewall = start(log="info")
    assert_served(firewall)
    before = firewall.memory()
    planted = literal(field, b"a=" + b"x" * 3990, index=0x40)
    reference = b"\xbe" * (FRAME_SIZE - len(planted) - 200)  # index 62: what was planted last
    head = raw_head() + planted + reference
    with ExitStack() as stack:
        attackers = [stack.enter_context(RawHttp2(firewall.http)) for _ in range(8)]
        for attacker in attackers:
            attacker.pour(frame(HEADERS, END_STREAM | END_HEADERS, stream, head) for stream in range(1, 256, 2))
        assert_served(firewall)
        assert firewall.memory("VmHWM") - before < 48 * MEBIBYTE
    assert_served(firewall)
    assert firewall.memory() - before < 48 * MEBIBYTE
    refused = sum(value for _, value in rows(metrics(firewall), "cookie_firewall_http2_refused_streams_total"))
    refused += sum(value for labels, value in rows(metrics(firewall), "cookie_firewall_requests_total")
                   if labels["code"] == "431")
    assert refused > 0 or connection_errors(metrics(firewall)), "nobody has noticed"


def test_cookie_crumbs_beyond_every_limit(start):
    """A cookie each in thousands of fields of two bytes or so, which have to be put together before they are judged."""
    firewall = start(log="info")
    assert_served(firewall)
    before = firewall.memory()
    planted = literal(b"cookie", b"a=1", index=0x40)
    head = raw_head() + planted + b"\xbe" * (FRAME_SIZE - 300)
    for _ in range(50):
        with RawHttp2(firewall.http) as attacker:
            attacker.pour(frame(HEADERS, END_STREAM | END_HEADERS, stream, head) for stream in range(1, 256, 2))
            assert_served(firewall)
    assert firewall.memory() - before < 16 * MEBIBYTE


# Connections


def test_the_number_of_connections(start, metrics, await_errors):
    firewall = start("[limits]\nconnections = 10\n")
    with ExitStack() as stack:
        allowed = [stack.enter_context(Keeping(firewall.http)) for _ in range(10)]
        assert [visitor.get() for visitor in allowed] == [200] * 10
        for _ in range(3):
            assert exchange(firewall.http, request()) == b""
        assert [visitor.get() for visitor in allowed] == [200] * 10
    await_errors(firewall, {"connections": 3})
    wait_until(lambda: open_connections(metrics(firewall)) == 0, "the connections to be closed")
    assert_served(firewall)


def test_the_number_of_connections_of_one_client(start_firewall, await_errors, portal):
    """Its neighbours in IPv4 are others; in IPv6 its /64 is one client. The balancer itself is none."""
    firewall = start_firewall(sites.own(portal.address), main=PROXY_CONFIG + "[limits]\nclient_connections = 3\n")
    with ExitStack() as stack:
        for clients in [["203.0.113.7"] * 3, ["2001:db8::1", "2001:db8::2", "2001:db8::3"]]:
            for client in clients:
                assert stack.enter_context(Keeping(firewall.http, proxy_line(client))).get() == 200
        for client in ["203.0.113.7", "2001:db8::4"]:
            assert exchange(firewall.http, proxy_line(client) + request()) == b""
        for client in ["203.0.113.8", "2001:db8:0:1::1"]:
            assert status_of(exchange(firewall.http, proxy_line(client) + request())) == 200
    await_errors(firewall, {"client_connections": 2})


def proxy_line(client):
    family, proxy = ("TCP6", "::1") if ":" in client else ("TCP4", "127.0.0.1")
    return f"PROXY {family} {client} {proxy} 4000 80\r\n".encode()


def open_connections(text):
    return sum(value for labels, value in rows(text, "cookie_firewall_connections"))


class Keeping:
    """A connection that stays open between requests."""

    REQUEST = f"HEAD /echo/ HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n".encode()

    def __init__(self, address, first=b""):
        self.socket = connect(address)
        self.socket.sendall(first)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def get(self):
        self.socket.sendall(self.REQUEST)
        answer = b""
        while b"\r\n\r\n" not in answer:
            piece = self.socket.recv(65_536)
            assert piece, "closed"
            answer += piece
        return status_of(answer)
