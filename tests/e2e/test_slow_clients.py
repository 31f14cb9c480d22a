"""Slow clients: a byte now and then, for as long as they are let. Those who are not slow must not notice."""

import asyncio
import contextlib
import socket
import statistics
import threading
import time

import pytest

from harness import sites
from harness.metrics import rows
from harness.nginx import PAGE_BYTES
from harness.processes import DEADLINE_SECONDS

from conftest import MAIN_CONFIG

DOMAIN = sites.OWN_DOMAIN
CLIENTS = 64  # of each kind
PAUSE_SECONDS = 0.25  # between two bytes of one client
BODY_BYTES = 10_000  # far more than come in the time of the test

SLICES = 7  # of each half
REQUESTS = 500  # of each slice
NOISE_SECONDS = 0.005

HEAD = f"GET / HTTP/1.1\r\nHost: {DOMAIN}\r\nX-Slow: "
POST = f"POST /whole-body HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Length: {BODY_BYTES}\r\n\r\n"


class SlowClients:
    """64 that have got as far as the head of a request, and 64 as far as its body. In the end they hurry."""

    def __init__(self, address):
        self.address = address
        self.started = threading.Barrier(2)
        self.statuses = []
        self.thread = threading.Thread(target=lambda: asyncio.run(self.run()))

    def __enter__(self):
        self.thread.start()
        self.started.wait(DEADLINE_SECONDS)
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.hurry.set)
        self.thread.join(DEADLINE_SECONDS)

    async def run(self):
        self.loop, self.hurry = asyncio.get_running_loop(), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            waiting = [asyncio.Event() for _ in range(2 * CLIENTS)]
            for index, slow in enumerate(waiting):
                group.create_task(self.client(slow, *((HEAD, 1000, "\r\n\r\n") if index % 2 else (POST, BODY_BYTES, ""))))
            await asyncio.gather(*(slow.wait() for slow in waiting))
            await asyncio.to_thread(self.started.wait, DEADLINE_SECONDS)

    async def client(self, slow, first, size, last):
        """Sends `first` at once, then `size` bytes one by one until it is to hurry, and then the rest."""
        host, port = self.address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(first.encode())
        while size and not self.hurry.is_set():
            writer.write(b"x")
            size -= 1
            slow.set()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.hurry.wait(), PAUSE_SECONDS)
        writer.write(b"x" * size + last.encode())
        self.statuses.append(int((await reader.readline()).split()[1]))
        writer.close()


class NormalClient:
    """One that asks again and again over one connection, and takes the time."""

    REQUEST = f"GET / HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n".encode()

    def __init__(self, address):
        host, port = address.split(":")
        self.socket = socket.create_connection((host, int(port)), DEADLINE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def seconds(self):
        began = time.perf_counter()
        self.socket.sendall(self.REQUEST)
        answer = b""
        while not answer.endswith(b"x" * PAGE_BYTES):
            piece = self.socket.recv(65_536)
            assert piece, "closed"
            answer += piece
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        return time.perf_counter() - began

    def p99(self):
        """The median over several slices: what else happens on this machine lasts for one of them or so."""
        slices = [statistics.quantiles((self.seconds() for _ in range(REQUESTS)), n=100)[-1] for _ in range(SLICES)]
        return statistics.median(slices)


def test_slow_clients_keep_nobody_waiting(start_firewall, nginx, metrics):
    """The 99th percentile of a normal client with 128 slow ones beside it is within twice what it is without them.

    Both are measured here and now, as medians of several slices. Up to 5 ms pass in any case: on a machine that does
    other things, differences below that are noise.
    """
    firewall = start_firewall(sites.own(nginx.address), log="info")
    normal = NormalClient(firewall.http)
    normal.p99()  # warms up
    alone = normal.p99()
    with SlowClients(firewall.http) as slow:
        beside = normal.p99()
        text = metrics(firewall)
    normal.socket.close()

    [connections] = [value for labels, value in rows(text, "cookie_firewall_connections")]
    assert connections >= 2 * CLIENTS + 1, "the slow ones were not there any more: this proves nothing"
    assert slow.statuses == [200] * (2 * CLIENTS)
    assert [row for row in rows(text, "cookie_firewall_connection_errors_total") if row[1]] == []
    assert beside <= max(2 * alone, NOISE_SECONDS), f"{beside * 1000:.2f} ms beside them, {alone * 1000:.2f} ms alone"


@pytest.mark.parametrize("sent, status", [(HEAD, None), (POST, 408)], ids=["head", "body"])
def test_slow_clients_are_not_waited_for_forever(start_firewall, nginx, sent, status):
    """They send a byte more often than any limit on idleness would catch, so the whole has a limit."""
    limits = '[timeouts]\nrequest_head = "1 s"\nrequest_body = "1 s"\n'
    firewall = start_firewall(sites.own(nginx.address), main=MAIN_CONFIG + limits, log="info")
    host, port = firewall.http.split(":")
    with socket.create_connection((host, int(port)), DEADLINE_SECONDS) as client:
        began = time.monotonic()
        client.sendall(sent.encode())
        client.settimeout(0.1)  # a byte each tenth of a second
        answer = None
        while answer is None:
            try:
                answer = client.recv(65_536)
            except TimeoutError:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    client.sendall(b"x")
            except ConnectionResetError:
                answer = b""
            assert time.monotonic() - began < 10
    assert 0.9 < time.monotonic() - began
    assert (int(answer.split()[1]) if answer else None) == status
