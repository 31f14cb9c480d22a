"""What an idle connection costs, beside HAProxy and nginx in the same run and on the same machine."""

import json
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.load import (
    DEADLINE_SECONDS, DOMAIN, Certificate, Ending, Nginx, QuietFirewall, Site, ask, eventually, free_port, served_head,
)

CONNECTIONS = 10_000
PROCESSES = 4
SAMPLE = 100
MOST_KIB = 100

HARNESS = Path(__file__).parent
RESULTS = HARNESS / ".results" / "memory.json"

# As of the other two, whose idle connections live as long.
PATIENT = '[timeouts]\nrequest_head = "5 min"'

HAPROXY = """\
global
    maxconn 12000
    no strict-limits
    ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
    mode http
    timeout connect 5s
    timeout server 60s
    timeout client 5m
    timeout http-keep-alive 5m
    timeout http-request 60s
frontend all
    bind {clear} backlog 4096
    bind {tls} ssl crt {pem} alpn h2,http/1.1 backlog 4096
    default_backend upstream
backend upstream
    server upstream {upstream}
"""

NGINX = """
    upstream upstream {{ server {upstream}; keepalive 256; }}
    server {{
        listen {clear} backlog=4096;
        listen {tls} ssl http2 backlog=4096;
        ssl_certificate {chain};
        ssl_certificate_key {key};
        ssl_session_cache shared:tls:10m;
        keepalive_timeout 5m;
        location / {{
            proxy_pass http://upstream;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
        }}
    }}"""


class HAProxy(Ending):
    """In one process with a thread for each core; SIGTERM is what it dies of."""

    exit_code = -signal.SIGTERM


class Holder:
    """One process of `harness.idle`."""

    def __init__(self, address, number, kind):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "harness.idle",
             address, f"127.0.0.{number + 2}", str(CONNECTIONS // PROCESSES), kind],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HARNESS,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """It goes without a word to each of its connections, as visitors do."""
        self._process.kill()
        self._process.wait(DEADLINE_SECONDS)
        self._process.stdin.close()
        self._process.stdout.close()

    def tell(self, line):
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def told(self, word):
        said = self._process.stdout.readline().split()
        assert said[:1] == [word], f"{said} and not {word}: it ended with {self._process.poll()}"
        return int(said[1])


def addresses():
    return {kind: f"127.0.0.1:{free_port()}" for kind in ("clear", "tls")}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return Certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def firewall(keep, binary, tmp_path, upstream, certificate):
    at = addresses()
    server = f'http = ["{at["clear"]}"]\nhttps = ["{at["tls"]}"]\nadmin = "127.0.0.1:0"\n{PATIENT}'
    return at, keep(QuietFirewall(binary, Site(tmp_path / "config", server, [upstream.address], certificate).main))


@pytest.fixture
def haproxy(keep, tmp_path, upstream, certificate):
    at = addresses()
    pem, config = tmp_path / "haproxy.pem", tmp_path / "haproxy.cfg"
    pem.write_text(certificate.chain.read_text() + certificate.key.read_text())
    config.write_text(HAPROXY.format(**at, pem=pem, upstream=upstream.address))
    return at, keep(HAProxy(["haproxy", "-db", "-f", config]))


@pytest.fixture
def nginx(keep, tmp_path, upstream, certificate):
    at = addresses()
    http = NGINX.format(**at, chain=certificate.chain, key=certificate.key, upstream=upstream.address)
    return at, keep(Nginx(tmp_path / "nginx", http, connections=CONNECTIONS + 2_000))


def resident_kib(program):
    """VmRSS of the one process that each of the three is."""
    status = Path(f"/proc/{program.process.pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1])


def answers(address, kind):
    """Whether it serves yet."""
    try:
        return "200 OK" in served_head(address) if kind == "tls" else ask(address, "/", host=DOMAIN)[0] == 200
    except ConnectionRefusedError:
        return False


def kib_per_connection(at, program, kind):
    """Opens all of them, and sees to it that they stay."""
    eventually(lambda: answers(at[kind], kind))
    before = resident_kib(program)
    with ExitStack() as stack:
        holders = [stack.enter_context(Holder(at[kind], number, kind)) for number in range(PROCESSES)]
        assert sum(holder.told("open") for holder in holders) == CONNECTIONS
        after = resident_kib(program)
        for holder in holders:
            holder.tell(f"sample {SAMPLE}")
        assert sum(holder.told("sample") for holder in holders) == SAMPLE * PROCESSES
        for holder in holders:
            holder.tell("alive")
        assert sum(holder.told("alive") for holder in holders) == CONNECTIONS
    return (after - before) / CONNECTIONS


# Of each program another process for each kind: memory that was freed is used again, and would not be counted.
@pytest.mark.parametrize("kind", ["tls", "clear"])
@pytest.mark.parametrize("name", ["nginx", "haproxy", "firewall"])
def test_an_idle_connection_costs_little(name, kind, request, record):
    at, program = request.getfixturevalue(name)
    cost = kib_per_connection(at, program, kind)
    record(name, kind, cost)
    if name == "firewall":
        assert cost < MOST_KIB


@pytest.fixture(scope="module")
def record(request):
    """Notes a row; at the end of all there is a table, and the same as JSON."""
    table = {}

    def note(name, kind, cost):
        table.setdefault(name, {})[kind] = round(cost, 1)

    yield note
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"connections": CONNECTIONS, "kib_per_connection": table}, indent=2) + "\n")
    lines = [f"{'':10} {'tls':>8} {'clear':>8}   KiB resident for each of {CONNECTIONS} idle connections"]
    lines += [f"{name:10} {row.get('tls', '-'):>8} {row.get('clear', '-'):>8}" for name, row in table.items()]
    request.config.memory_table = lines
