"""Fixtures: one portal for the whole run, and firewalls in front of it that each test starts for itself."""

import itertools
import os
import socket
import time
from pathlib import Path

import pytest

from harness import sites
from harness.certificates import Authority
from harness.client import Visitor
from harness.load import Upstream
from harness.metrics import connection_errors
from harness.nginx import Nginx
from harness.processes import Firewall, Portal

MAIN_CONFIG = """\
[server]
http  = ["127.0.0.1:0"]
admin = "127.0.0.1:0"
sites = ["sites/*.toml"]
"""

TLS_MAIN_CONFIG = MAIN_CONFIG.replace("admin =", 'https = ["127.0.0.1:0"]\nadmin =')

COUNTED_WITHIN_SECONDS = 10


@pytest.fixture(scope="session")
def binary():
    return Path(os.environ["COOKIE_FIREWALL_BIN"])  # tests/e2e/run sets it


@pytest.fixture(scope="session")
def portal(tmp_path_factory):
    portal = Portal(tmp_path_factory.mktemp("portal"))
    yield portal
    assert portal.stop() == 0, portal.written()


@pytest.fixture
def write_config(tmp_path):
    """Writes a main configuration and these site files beside it; returns the path of the former."""
    numbers = itertools.count()

    def write(*site_texts, main=MAIN_CONFIG):
        directory = tmp_path / f"config-{next(numbers)}"
        (directory / "sites").mkdir(parents=True)
        for number, text in enumerate(site_texts):
            (directory / "sites" / f"site-{number}.toml").write_text(text)
        config = directory / "cookie-firewall.toml"
        config.write_text(main)
        return config

    return write


@pytest.fixture
def start_firewall(binary, write_config):
    """Starts firewalls for these site files. Each must end with exit code 0 when the test is over."""
    started = []

    def start(*site_texts, main=MAIN_CONFIG, log=Firewall.EVERYTHING):
        started.append(Firewall(binary, write_config(*site_texts, main=main), log))
        return started[-1]

    yield start
    codes = [firewall.stop() for firewall in started]
    assert codes == [0] * len(started)


@pytest.fixture
def visit(start_firewall):
    """Opens connections, and closes them before the firewalls are told to end."""
    visitors = []

    def visit(address, host=sites.OWN_DOMAIN):
        visitors.append(Visitor(address, host))
        return visitors[-1]

    yield visit
    for visitor in visitors:
        visitor.close()


@pytest.fixture
def firewall(start_firewall, portal):
    """A firewall that enforces the charter of `sites.own`."""
    return start_firewall(sites.own(portal.address))


@pytest.fixture
def visitor(visit, firewall):
    return visit(firewall.http)


@pytest.fixture
def admin(visit, firewall):
    return visit(firewall.admin, host=firewall.admin)


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def start_tls_firewall(start_firewall):
    """Starts a firewall that listens for https as well; `tables` go at the end of its main configuration."""

    def start(*site_texts, tables="", **options):
        return start_firewall(*site_texts, main=TLS_MAIN_CONFIG + tables, **options)

    return start


@pytest.fixture
def tls_firewall(start_tls_firewall, authority, portal):
    """The charter of `sites.own` over TLS, with one certificate."""
    return start_tls_firewall(sites.own(portal.address) + authority.tls_table(authority.issue(sites.OWN_DOMAIN)))


@pytest.fixture
def metrics(visit):
    """Reads the metrics of a firewall."""
    return lambda firewall: visit(firewall.admin, host=firewall.admin).get("/metrics").text


@pytest.fixture
def await_errors(metrics):
    """Waits until a firewall has counted these connections as refused or cut, which it may do just after."""

    def await_errors(firewall, *possible):
        deadline = time.monotonic() + COUNTED_WITHIN_SECONDS
        while (found := connection_errors(metrics(firewall))) not in possible and time.monotonic() < deadline:
            pass
        assert found in possible

    return await_errors


@pytest.fixture(scope="session")
def nginx(tmp_path_factory):
    nginx = Nginx(tmp_path_factory.mktemp("nginx"))
    yield nginx
    assert nginx.stop() == 0, nginx.written()


@pytest.fixture
def closed_address():
    """An address where nobody listens, and nobody else can begin to: the port is taken, without a listener."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield "127.0.0.1:%d" % taken.getsockname()[1]


@pytest.fixture
def keep():
    """Takes programs that a test has started, and ends them with it: each must end as it should."""
    kept = []

    def take(program):
        kept.append(program)
        return program

    yield take
    ended = [(program, program.stop()) for program in reversed(kept)]  # all of them, whatever one ends with
    for program, code in ended:
        assert code == program.exit_code, program.written()


@pytest.fixture
def upstream(keep, tmp_path):
    """nginx with a page of 1 KiB."""
    return keep(Upstream(tmp_path))


def pytest_terminal_summary(terminalreporter, config):
    """The table of test_memory.py, where it has run."""
    if lines := getattr(config, "memory_table", None):
        terminalreporter.section("memory")
        terminalreporter.write_line("\n".join(lines))
