"""HTTP/2 spoken frame by frame, for what well-behaved clients would not say."""

import socket

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (ConnectionTerminated, DataReceived, PingAckReceived, ResponseReceived, SettingsAcknowledged,
                       StreamEnded, StreamReset)

from harness.processes import DEADLINE_SECONDS


class Http2:
    """A connection with prior knowledge, or over `context`'s TLS."""

    def __init__(self, address, authority, context=None):
        host, port = address.split(":")
        self.authority = authority
        self.scheme = "https" if context else "http"
        self.socket = socket.create_connection((host, int(port)), DEADLINE_SECONDS)
        if context:
            context.set_alpn_protocols(["h2"])
            self.socket = context.wrap_socket(self.socket, server_hostname=authority)
        # It is the firewall whose conduct is looked at here, so nothing that this side sends is checked or mended.
        self.state = H2Connection(H2Configuration(
            client_side=True, header_encoding="latin-1", validate_outbound_headers=False,
            normalize_outbound_headers=False,
        ))
        self.state.initiate_connection()
        self.events = []
        self.closed = False
        self.flush()
        self.wait_for(lambda event: isinstance(event, SettingsAcknowledged))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def flush(self):
        try:
            self.socket.sendall(self.state.data_to_send())
        except (BrokenPipeError, ConnectionResetError):
            self.closed = True

    def head(self, method="GET", path="/echo/", *more):
        return [(":method", method), (":scheme", self.scheme), (":authority", self.authority), (":path", path), *more]

    def begin(self, head, end=True):
        """Sends a request's head, and returns the number of its stream."""
        stream = self.state.get_next_available_stream_id()
        self.state.send_headers(stream, head, end_stream=end)
        self.flush()
        return stream

    def send(self, stream, data, end=False):
        """Sends data as flow control allows it."""
        while data and not self.closed:
            room = min(self.state.local_flow_control_window(stream), self.state.max_outbound_frame_size)
            if room == 0:
                self.read()
                continue
            self.state.send_data(stream, data[:room])
            data = data[room:]
            self.flush()
        if end:
            self.state.end_stream(stream)
            self.flush()

    def read(self):
        """Takes in what comes next; False once the connection is closed."""
        try:
            data = self.socket.recv(65_536)
        except ConnectionResetError:
            data = b""
        if not data:
            self.closed = True
            return False
        for event in self.state.receive_data(data):
            if isinstance(event, DataReceived):
                self.state.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            self.events.append(event)
        self.flush()
        return not self.closed

    def wait_for(self, wanted):
        """The first event, of those to come and those already there, for which `wanted` holds; None without one."""
        while True:
            found = next(filter(wanted, self.events), None)
            if found is not None or not self.read():
                return found

    def ping(self):
        """Returns when the firewall has read all that was sent, or closed the connection."""
        answered = sum(isinstance(event, PingAckReceived) for event in self.events)
        if not self.gone():
            self.state.ping(b"all read")
            self.flush()
        while sum(isinstance(event, PingAckReceived) for event in self.events) == answered and self.read():
            pass

    def reset(self, stream):
        if not self.gone():
            self.state.reset_stream(stream, ErrorCodes.CANCEL)
            self.flush()

    def gone(self):
        """Whether the firewall has had enough of this connection: it is closed, or a GOAWAY says that it will be."""
        return self.closed or any(isinstance(event, ConnectionTerminated) for event in self.events)

    def response(self, stream):
        """(status, header pairs, body) of a stream, or None where it was reset or the connection closed first."""
        end = self.wait_for(lambda event: isinstance(event, (StreamEnded, StreamReset, ConnectionTerminated))
                            and getattr(event, "stream_id", stream) == stream)
        if not isinstance(end, StreamEnded):
            return None
        head, body = self.response_head(stream), self.data(stream)
        return int(dict(head)[":status"]), head, body

    def response_head(self, stream):
        event = self.wait_for(lambda event: isinstance(event, (ResponseReceived, StreamReset, ConnectionTerminated))
                              and getattr(event, "stream_id", stream) == stream)
        assert isinstance(event, ResponseReceived), event
        return event.headers

    def data(self, stream):
        """What has come of a body so far."""
        return b"".join(event.data for event in self.events
                        if isinstance(event, DataReceived) and event.stream_id == stream)

    def get(self, path="/echo/", *more):
        return self.response(self.begin(self.head("GET", path, *more)))
