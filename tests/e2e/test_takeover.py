"""The binary is replaced under load: another process takes over the addresses, and no client notices."""

import re
import socket
import sys

import pytest

from harness.load import Certificate, Clients, QuietFirewall, Site, ask, free_port
from harness.metrics import rows

REPLACEMENTS = 3

# Requests that are answered between two steps, so that each of them happens under load.
SOME = 300

# Moves the sockets, whose numbers are its first argument, to 3 and on, and becomes the program: its
# process id stays, which systemd's protocol asks for.
ACTIVATE = """
import fcntl, os, sys
above = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 100) for number in sys.argv[1].split(",")]
for place, descriptor in enumerate(above, 3):
    os.dup2(descriptor, place)
    os.close(descriptor)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(above))}
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.fixture
def certificate(tmp_path):
    return Certificate(tmp_path)


@pytest.fixture
def clients():
    """Starts clients, and ends them with the test."""
    started = []

    def start(address, **options):
        started.append(Clients(address, **options))
        return started[-1]

    yield start
    for each in started:
        each.finish()


class SocketActivation:
    """What systemd's socket unit does: it holds the sockets, and passes them to one process after another."""

    def __init__(self):
        self.sockets = [self._listen(), self._listen()]
        self.http, self.https = ("%s:%d" % each.getsockname() for each in self.sockets)

    @staticmethod
    def _listen():
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", free_port()))
        listening.listen(4096)
        return listening

    def options(self):
        numbers = [each.fileno() for each in self.sockets]
        wrapper = [sys.executable, "-c", ACTIVATE, ",".join(map(str, numbers))]
        return {"wrapper": wrapper, "pass_fds": numbers}

    def close(self):
        for each in self.sockets:
            each.close()


@pytest.fixture
def activation():
    sockets = SocketActivation()
    yield sockets
    sockets.close()


def requests(firewall):
    return sum(value for _, value in rows(firewall.metrics(), "cookie_firewall_requests_total"))


def upstream_failures(firewall):
    return [row for row in rows(firewall.metrics(), "cookie_firewall_upstream_errors_total") if row[1]]


def over_each_protocol(clients, http, https):
    return [
        clients(http, keep_alive=4, one_shot=4),
        clients(https, keep_alive=2, one_shot=2, tls=True),
        clients(https, keep_alive=0, one_shot=0, http2=2, tls=True),
    ]


def replace_again_and_again(start, load):
    """Starts one process after another; each ends the one before it when it is ready itself."""
    current = start()
    everyone = load()
    try:
        for each in everyone:
            each.wait_for_more(SOME)
        for _ in range(REPLACEMENTS):
            successor = start()
            for each in everyone:
                each.wait_for_more(SOME)
            assert upstream_failures(current) == []
            current.terminate()
            assert current.wait() == 0, current.written()
            for each in everyone:
                each.wait_for_more(SOME)
            assert requests(successor) > SOME
            current = successor
    finally:
        for each in everyone:
            each.finish()
    for each in everyone:
        assert each.failures == []
        assert each.told_to_close >= 1, "no connection that was kept alive was told to go elsewhere"
    assert upstream_failures(current) == []


def test_no_request_fails_where_two_processes_share_the_port(keep, binary, tmp_path, upstream, certificate, clients):
    http, https = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    number = iter(range(100))

    def start():
        server = f'http = ["{http}"]\nhttps = ["{https}"]\nadmin = "127.0.0.1:0"\nreuse_port = true'
        site = Site(tmp_path / f"config-{next(number)}", server, [upstream.address], certificate)
        return keep(QuietFirewall(binary, site.main))

    replace_again_and_again(start, lambda: over_each_protocol(clients, http, https))


def test_no_request_fails_where_the_sockets_are_passed_on(
    keep, binary, tmp_path, upstream, certificate, clients, activation
):
    number = iter(range(100))

    def start():
        server = f'http = ["{activation.http}"]\nhttps = ["{activation.https}"]\nadmin = "127.0.0.1:0"'
        site = Site(tmp_path / f"config-{next(number)}", server, [upstream.address], certificate)
        firewall = keep(QuietFirewall(binary, site.main, **activation.options()))
        assert "a socket was passed for an address that is not configured" not in firewall.written()
        return firewall

    replace_again_and_again(start, lambda: over_each_protocol(clients, activation.http, activation.https))


def test_nobody_is_refused_between_one_process_and_the_next(keep, binary, tmp_path, upstream, activation, clients):
    """`systemctl restart`: the old process is gone before the new one is there, and clients wait meanwhile."""
    server = f'http = ["{activation.http}"]\nhttps = ["{activation.https}"]\nadmin = "127.0.0.1:0"'
    site = Site(tmp_path / "config", server, [upstream.address])
    current = keep(QuietFirewall(binary, site.main, **activation.options()))
    load = clients(activation.http)
    for _ in range(REPLACEMENTS):
        load.wait_for_more(SOME)
        current.terminate()
        assert current.wait() == 0, current.written()
        current = keep(QuietFirewall(binary, site.main, **activation.options()))
    load.wait_for_more(SOME)
    load.finish()
    assert load.failures == []


def test_an_address_that_is_not_shared_is_refused_to_a_second_process(keep, binary, tmp_path, upstream):
    """Without `reuse_port` two processes never share an address by accident."""
    http = f"127.0.0.1:{free_port()}"
    server = f'http = ["{http}"]\nadmin = "127.0.0.1:0"'
    site = Site(tmp_path / "config", server, [upstream.address])
    first = keep(QuietFirewall(binary, site.main))
    with pytest.raises(AssertionError, match=re.escape(f"cannot listen on {http}")):
        QuietFirewall(binary, site.main)
    assert ask(first.admin, "/readyz")[0] == 200
