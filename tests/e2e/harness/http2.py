"""A client of HTTP/2 that goes on after a GOAWAY with what is in flight, as browsers do and most libraries do not."""

import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
ACK = END_STREAM = 0x1
END_HEADERS = 0x4
NO_LIMIT = 2**31 - 1
WINDOW_AT_FIRST = 65_535


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


class Connection:
    """GETs of `/` on one connection over TLS, several at a time."""

    STREAMS = 4

    def __init__(self, connection, domain):
        assert connection.selected_alpn_protocol() == "h2"
        self._socket, self._stream = connection, connection.makefile("rb")
        authority = domain.encode()
        # :method GET, :scheme https, :path /, and :authority as a literal, all of the static table.
        self._head = b"\x82\x87\x84\x01" + bytes([len(authority)]) + authority
        self._next = 1
        self._open = {}  # the stream: the bytes of its body so far, or None before the head
        self.told_to_leave = False
        window = struct.pack(">I", NO_LIMIT - WINDOW_AT_FIRST)
        self._socket.sendall(PREFACE + frame(SETTINGS, 0, 0) + frame(WINDOW_UPDATE, 0, 0, window))

    def use(self, answered, is_over):
        """Makes requests until `is_over()` or a GOAWAY, and calls `answered` for each complete answer.

        Whatever keeps a request from its answer is an error, a GOAWAY that leaves it out included: who
        stops in the orderly way announces it first, and takes what is sent in the meantime.
        """
        while True:
            if not (self.told_to_leave or is_over()):
                self._fill()
            if not self._open:
                return
            if self._receive():
                answered()

    def _fill(self):
        requests = b""
        while len(self._open) < self.STREAMS:
            requests += frame(HEADERS, END_HEADERS | END_STREAM, self._next, self._head)
            self._open[self._next] = None
            self._next += 2
        if requests:
            self._socket.sendall(requests)

    def _receive(self):
        """Reads one frame; returns whether an answer is complete with it."""
        kind, flags, stream, payload = self._read()
        if kind in (SETTINGS, PING) and not flags & ACK:
            self._socket.sendall(frame(kind, ACK, 0, payload if kind == PING else b""))
        elif kind == GOAWAY:
            self._leave(*struct.unpack(">II", payload[:8]))
        elif kind == RST_STREAM:
            raise AssertionError(f"stream {stream} was reset: {payload.hex()}")
        elif kind == HEADERS and self._open[stream] is None:
            assert b"\x88" in payload[:2], f"not a 200: {payload[:8].hex()}"  # after a new size of the table, perhaps
            self._open[stream] = 0
        elif kind == DATA:
            self._open[stream] += len(payload)
        if kind in (HEADERS, DATA) and flags & END_STREAM:
            size = self._open.pop(stream)
            assert size == 1024, f"{size} bytes came"
            return True
        return False

    def _read(self):
        head = self._exactly(9)
        length = int.from_bytes(head[:3], "big")
        kind, flags, stream = struct.unpack(">BBI", head[3:])
        return kind, flags, stream, self._exactly(length)

    def _exactly(self, count):
        found = self._stream.read(count)
        assert len(found) == count, f"the connection ended with {len(self._open)} requests in flight"
        return found

    def _leave(self, last, code):
        self.told_to_leave = True
        assert code == 0, f"GOAWAY with error {code}"
        left_out = [stream for stream in self._open if stream > last & NO_LIMIT]
        assert not left_out, f"GOAWAY leaves {left_out} out"
