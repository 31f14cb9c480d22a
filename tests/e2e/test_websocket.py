"""WebSockets through the firewall: the handshake's cookies are filtered, and what follows is left alone."""

import socket
import ssl
import threading

import pytest
from h2.events import StreamEnded
from websockets.exceptions import ConnectionClosed
from websockets.frames import Opcode
from websockets.protocol import CLIENT, Protocol
from websockets.sync.client import connect
from websockets.sync.server import serve

from harness import sites
from harness.cookies import SetCookie
from harness.frames import Http2
from harness.metrics import rows
from harness.processes import DEADLINE_SECONDS, wait_until

DOMAIN = sites.OWN_DOMAIN
MEGABYTE = 1024 * 1024
SENT = ["sessionid=1; Path=/; HttpOnly", "tracker=2; Path=/", "_ga=3; Path=/", "csrftoken=4; Path=/"]
KEPT = [SENT[0], SENT[3]]


class EchoServer:
    """Says back what it is told. "close 4001" it takes for a wish, and how others close is in `closed`."""

    def __init__(self):
        self.cookies, self.closed, self.paths = [], [], []
        self.changed = threading.Condition()
        self.server = serve(self.handle, "127.0.0.1", 0, process_response=self.respond, max_size=4 * MEGABYTE)
        self.address = "127.0.0.1:%d" % self.server.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def respond(self, connection, request, response):
        self.cookies.append(request.headers.get_all("Cookie"))
        self.paths.append(request.path)
        for line in SENT:
            response.headers["Set-Cookie"] = line  # adds one

    def handle(self, connection):
        try:
            for message in connection:
                if str(message).startswith("close "):
                    connection.close(int(message.split()[1]), "as you wish")
                connection.send(message)
        except ConnectionClosed:
            pass
        with self.changed:
            self.closed.append((connection.close_code, connection.close_reason))
            self.changed.notify_all()

    def wait_for_close(self):
        with self.changed:
            assert self.changed.wait_for(lambda: self.closed, DEADLINE_SECONDS)
            return self.closed

    def stop(self):
        self.server.shutdown()
        self.thread.join(DEADLINE_SECONDS)


@pytest.fixture
def server():
    server = EchoServer()
    yield server
    server.stop()


@pytest.fixture
def firewall(start_tls_firewall, authority, server):
    # Not the most talkative log: it has a line for every piece of a megabyte.
    certificate = authority.tls_table(authority.issue(DOMAIN))
    return start_tls_firewall(sites.own(server.address) + certificate, log="debug")


@pytest.fixture
def context(authority):
    """TLS 1.2, in which session tickets come within the handshake. This client reads in a thread of its own,
    which Python 3.11's ssl does not guard: a ticket of TLS 1.3 that is read while the request is written can
    lose the request. TLS 1.3 has its tests in test_tls.py."""
    context = ssl.create_default_context(cafile=authority.pem)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


@pytest.fixture(params=["ws", "wss"])
def open_socket(request, firewall, context):
    """Opens a WebSocket, in clear text and over TLS."""
    address = firewall.http if request.param == "ws" else firewall.https
    host, port = address.split(":")

    def open_socket(path="/socket?q=1", **options):
        if request.param == "wss":
            options |= {"ssl": context, "server_hostname": DOMAIN}
        plain = socket.create_connection((host, int(port)), DEADLINE_SECONDS)
        return connect(f"{request.param}://{DOMAIN}:{port}{path}", sock=plain, max_size=4 * MEGABYTE, **options)

    return open_socket


def upgrades(text):
    """(how many are open, how many there have been)."""
    [(_, now)], [(_, ever)] = rows(text, "cookie_firewall_upgrades"), rows(text, "cookie_firewall_upgrades_total")
    return now, ever


@pytest.mark.parametrize("message", [
    "text", "", "é" * 1000, b"", b"\x00\xff" * 500, "x" * MEGABYTE, bytes(range(256)) * (MEGABYTE // 256),
], ids=["text", "empty text", "utf-8", "no bytes", "bytes", "megabyte of text", "megabyte of bytes"])
def test_messages_arrive_as_they_were_sent(open_socket, message):
    with open_socket() as visitor:
        for _ in range(3):
            visitor.send(message)
            assert visitor.recv(DEADLINE_SECONDS) == message


def test_a_message_in_pieces(open_socket):
    with open_socket() as visitor:
        visitor.send(iter(["one ", "two ", "three"]))
        assert visitor.recv(DEADLINE_SECONDS) == "one two three"


def test_pings_are_answered_by_the_other_end(open_socket):
    with open_socket(ping_interval=None) as visitor:
        assert visitor.ping(b"are you there?").wait(DEADLINE_SECONDS)


def test_many_messages_before_the_first_is_read(open_socket):
    with open_socket() as visitor:
        messages = [f"message {number}" for number in range(500)]
        for message in messages:
            visitor.send(message)
        assert [visitor.recv(DEADLINE_SECONDS) for _ in messages] == messages


def test_the_server_closes_with_a_code(open_socket):
    with open_socket() as visitor:
        visitor.send("close 4001")
        with pytest.raises(ConnectionClosed):
            visitor.recv(DEADLINE_SECONDS)
        assert (visitor.close_code, visitor.close_reason) == (4001, "as you wish")


def test_the_visitor_closes_with_a_code(open_socket, server):
    with open_socket() as visitor:
        visitor.close(4002, "enough")
    assert server.wait_for_close() == [(4002, "enough")]


def test_a_visitor_that_is_gone_is_gone_for_the_server(open_socket, server):
    """No close frame, just the end of the connection: 1006 is what stands for that."""
    with open_socket() as visitor:
        visitor.send("hello")
        visitor.recv(DEADLINE_SECONDS)
        visitor.socket.shutdown(socket.SHUT_RDWR)
        assert server.wait_for_close() == [(1006, "")]


def test_cookies_are_filtered_both_ways(open_socket, server):
    cookie = "sessionid=1; _ga=2; tracker=3; csrftoken=4"
    with open_socket(additional_headers={"Cookie": cookie}) as visitor:
        assert visitor.response.status_code == 101
        assert visitor.response.headers.get_all("Set-Cookie") == KEPT
    assert server.cookies == [["sessionid=1; csrftoken=4"]]
    assert server.paths == ["/socket?q=1"]


def test_upgrades_are_counted(open_socket, server, firewall, metrics):
    assert upgrades(metrics(firewall)) == (0, 0)
    with open_socket(), open_socket():
        assert upgrades(metrics(firewall)) == (2, 2)
    wait_until(lambda: upgrades(metrics(firewall)) == (0, 2), "the WebSockets to be over")
    blocked = [labels["cookie"] for labels, value in rows(metrics(firewall), "cookie_firewall_cookies_total")
               if labels["decision"] == "block" and value == 2]
    assert sorted(blocked) == ["(undeclared)", "_ga"]


class Http2Socket:
    """A WebSocket on a stream of HTTP/2 (RFC 8441): the frames are those of HTTP/1.1, the handshake is not."""

    def __init__(self, connection, *headers):
        self.connection = connection
        head = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", connection.scheme),
                (":authority", DOMAIN), (":path", "/socket?q=1"), ("sec-websocket-version", "13"), *headers]
        self.stream = connection.begin(head, end=False)
        self.head = connection.response_head(self.stream)
        self.protocol = Protocol(CLIENT, max_size=4 * MEGABYTE)
        self.taken = 0

    def flush(self):
        for data in self.protocol.data_to_send():
            self.connection.send(self.stream, data)

    def receive(self, opcode):
        """The payload of the next frame of this kind."""
        while True:
            data = self.connection.data(self.stream)
            if self.taken < len(data):
                self.protocol.receive_data(data[self.taken:])
                self.taken = len(data)
            for frame in self.protocol.events_received():
                if frame.opcode == opcode:
                    return frame.data
            assert self.connection.read(), "closed"


@pytest.fixture(params=["h2c", "h2"])
def http2(request, firewall, context):
    tls = request.param == "h2"
    with Http2(firewall.https if tls else firewall.http, DOMAIN, context if tls else None) as connection:
        yield connection


def test_a_web_socket_over_http2(http2, server, firewall, metrics):
    """It shares its connection with others of its kind."""
    visitors = [Http2Socket(http2, ("cookie", "sessionid=1; _ga=2"), ("cookie", "csrftoken=4")) for _ in range(3)]
    for visitor in visitors:
        assert dict(visitor.head)[":status"] == "200"
        assert [value for name, value in visitor.head if name == "set-cookie"] == KEPT
        assert all(SetCookie(line).name in sites.DECLARED for line in KEPT)
    assert upgrades(metrics(firewall)) == (3, 3)
    assert server.cookies == [["sessionid=1; csrftoken=4"]] * 3

    for size in [5, 200_000]:
        for number, visitor in enumerate(visitors):
            visitor.protocol.send_binary(bytes([number]) * size)
            visitor.flush()
        for number, visitor in enumerate(visitors):
            assert visitor.receive(Opcode.BINARY) == bytes([number]) * size

    visitors[0].protocol.send_ping(b"there?")
    visitors[0].flush()
    assert visitors[0].receive(Opcode.PONG) == b"there?"
    visitors[0].protocol.send_close(4003, "done")
    visitors[0].flush()
    assert visitors[0].receive(Opcode.CLOSE)[:2] == (4003).to_bytes(2, "big")
    # The server has nothing more to say, and waits for the visitor to hang up as well.
    assert http2.wait_for(lambda event: isinstance(event, StreamEnded) and event.stream_id == visitors[0].stream)
    http2.send(visitors[0].stream, b"", end=True)
    assert server.wait_for_close() == [(4003, "done")]


def test_another_protocol_than_websocket_goes_nowhere(http2, server):
    """There is nothing in HTTP/1.1 that it could be translated to."""
    stream = http2.begin([(":method", "CONNECT"), (":protocol", "connect-udp"), (":scheme", http2.scheme),
                          (":authority", DOMAIN), (":path", "/")], end=False)
    status = int(dict(http2.response_head(stream))[":status"])
    assert 400 <= status < 600 and server.paths == []
