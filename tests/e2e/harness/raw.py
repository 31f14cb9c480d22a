"""Clients that misbehave: bytes and frames as a test wants them, on connections in clear text."""

import contextlib
import socket
import struct

import hpack

from harness.http2 import (
    ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, NO_LIMIT, PING, PREFACE, RST_STREAM, SETTINGS,
    WINDOW_AT_FIRST, WINDOW_UPDATE, frame,
)
from harness.load import DOMAIN, split
from harness.processes import DEADLINE_SECONDS

CONTINUATION = 9


def connect(address, source="127.0.0.1"):
    connection = socket.create_connection(split(address), DEADLINE_SECONDS, source_address=(source, 0))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def until_the_end(connection):
    """What else comes before the other side closes; that it resets is an end, too, and that it waits is not."""
    found = b""
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        while piece := connection.recv(65_536):
            found += piece
    return found


def request(path="/", fields=(), method="GET", host=DOMAIN):
    """A head of HTTP/1.1."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in fields)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def exchange(address, head, body=b""):
    """(status, body) of one request of HTTP/1.1 on a connection of its own; (None, b"") without an answer."""
    with connect(address) as connection:
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):  # an answer may come before all is sent
            connection.sendall(head + body)
        return receive(connection)


def receive(connection):
    with contextlib.suppress(ConnectionResetError), connection.makefile("rb") as stream:
        if not (status := stream.readline()):
            return None, b""
        length = 0
        while (line := stream.readline()) not in (b"\r\n", b""):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return int(status.split()[1]), stream.read(length)
    return None, b""


def pseudo(path="/", method="GET", host=DOMAIN):
    return [(":method", method), (":scheme", "http"), (":path", path), (":authority", host)]


class Http2:
    """One connection of HTTP/2 with prior knowledge."""

    def __init__(self, address, source="127.0.0.1", settings=b""):
        self.socket = connect(address, source)
        self._stream = self.socket.makefile("rb")
        self._encoder, self._decoder = hpack.Encoder(), hpack.Decoder(max_header_list_size=1 << 20)
        # The connection's window is never the one that is full; a stream's may be.
        window = frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", NO_LIMIT - WINDOW_AT_FIRST))
        self.socket.sendall(PREFACE + frame(SETTINGS, 0, 0, settings) + window)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stream.close()
        self.socket.close()

    def send(self, data):
        """Sends `data`; whether the connection still took it."""
        try:
            self.socket.sendall(data)
        except (ConnectionResetError, BrokenPipeError):
            return False
        return True

    def encode(self, fields):
        return self._encoder.encode(fields, huffman=False)  # which would take its time for what is large

    def head(self, stream, fields, ends=True):
        """The frames of a request's head: one of HEADERS, and CONTINUATION where it is long."""
        block = self.encode(fields)
        pieces = [block[start:start + 16_384] for start in range(0, len(block), 16_384)]
        frames = [
            frame(CONTINUATION if number else HEADERS,
                  END_HEADERS * (number == len(pieces) - 1) | END_STREAM * (ends and not number), stream, piece)
            for number, piece in enumerate(pieces)
        ]
        return b"".join(frames)

    def exchange(self, stream, fields, body=None):
        """(status, body) of one request; (None, b"") where the stream is reset, or the connection ends."""
        if body is not None:
            self.settle()  # the window is the protocol's own before the server's settings are known
        self.send(self.head(stream, fields, ends=body is None))
        for start in range(0, len(body or b""), 16_384):
            self.send(frame(DATA, 0, stream, body[start:start + 16_384]))
        if body is not None:
            self.send(frame(DATA, END_STREAM, stream))
        return self.answer(stream)

    def answer(self, stream):
        status, body = None, b""
        for kind, flags, of, payload in self.frames():
            if kind == HEADERS:
                fields = dict(self._decoder.decode(payload, raw=True))  # all of them, for the table's sake
                status = int(fields[b":status"]) if of == stream else status
            elif of == stream and kind == DATA:
                body += payload
            elif of == stream and kind == RST_STREAM:
                return status, body
            if of == stream and kind in (HEADERS, DATA) and flags & END_STREAM:
                break
        return status, body

    def frames(self):
        """What comes until the connection ends; SETTINGS and PING are answered."""
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            while len(head := self._stream.read(9)) == 9:
                kind, flags, stream = struct.unpack(">BBI", head[3:])
                payload = self._stream.read(int.from_bytes(head[:3], "big"))
                if kind in (SETTINGS, PING) and not flags & ACK:
                    self.send(frame(kind, ACK, 0, payload if kind == PING else b""))
                yield kind, flags, stream, payload

    def settle(self):
        """Returns once all that was sent before has been dealt with; whether the connection is still there."""
        self.send(frame(PING, 0, 0, b"settled?"))
        return any(kind == PING and flags & ACK for kind, flags, _, _ in self.frames())

    def goodbye(self):
        """The error code of the GOAWAY with which the other side ends; None where it ends without."""
        code = None
        for kind, _, _, payload in self.frames():
            if kind == GOAWAY:
                code = struct.unpack(">II", payload[:8])[1]
        return code
