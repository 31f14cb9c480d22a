"""A gibibyte in each direction, without the firewall growing with it."""

import re
import socket
import threading
from pathlib import Path

from harness import sites

GIBIBYTE = 1 << 30
PIECE = bytes(1 << 20)
RESIDENT_LIMIT_BYTES = 64 << 20


class Origin:
    """Reads a request's body to its end, then answers with one as long. Django would keep it in memory."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self.received = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        connection, _ = self._listener.accept()
        with connection:
            read_head(connection)
            self.received = read_exactly(connection, GIBIBYTE)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % GIBIBYTE)
            send(connection, GIBIBYTE)


def read_head(connection):
    """Byte by byte, so that nothing of the body is taken with it."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    return head


def read_exactly(connection, size):
    buffer, received = bytearray(1 << 20), 0
    while received < size and (count := connection.recv_into(buffer, min(len(buffer), size - received))):
        received += count
    return received


def send(connection, size):
    for _ in range(size // len(PIECE)):
        connection.sendall(PIECE)


def peak_resident_bytes(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


def test_a_gibibyte_each_way_in_bounded_memory(start_firewall):
    origin = Origin()
    firewall = start_firewall(sites.own(origin.address))
    host, port = firewall.http.split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        head = f"PUT /large HTTP/1.1\r\nHost: {sites.OWN_DOMAIN}\r\nContent-Length: {GIBIBYTE}\r\n\r\n"
        connection.sendall(head.encode())
        send(connection, GIBIBYTE)
        assert read_head(connection).startswith(b"HTTP/1.1 200 OK\r\n")
        assert read_exactly(connection, GIBIBYTE) == GIBIBYTE
    assert origin.received == GIBIBYTE
    peak = peak_resident_bytes(firewall.process.pid)
    assert peak < RESIDENT_LIMIT_BYTES, f"{peak >> 20} MiB resident"
