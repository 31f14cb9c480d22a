"""Tens of thousands of requests by h2load, whose count of failures must be 0, over each protocol."""

import re
import subprocess

import pytest

from harness import sites
from harness.metrics import rows
from harness.nginx import BLOCKED, KEPT, PAGE_BYTES
from harness.processes import DEADLINE_SECONDS

REQUESTS = 20_000
CLIENTS = 50
STREAMS = 10


def h2load(url, address, *options):
    """What its summary says: {"requests": {...}, "status codes": {...}, "traffic": ...}, numbers by their names."""
    command = ["h2load", "--requests", REQUESTS, "--clients", CLIENTS, "--max-concurrent-streams", STREAMS,
               "--connect-to", address, *options, url]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          timeout=2 * DEADLINE_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def summary(said, row):
    """{name: number} of a row such as "status codes: 20000 2xx, 0 3xx, ..."."""
    text = re.search(rf"(?m)^{row}: (.*)$", said).group(1)
    return {name: int(number) for number, name in re.findall(r"(\d+) (\w+)", text)}


@pytest.fixture
def firewall(start_tls_firewall, authority, nginx):
    certificate = authority.tls_table(authority.issue(sites.OWN_DOMAIN))
    return start_tls_firewall(sites.own(nginx.address) + certificate, log="info")


@pytest.mark.parametrize("scheme, options, protocol", [
    ("https", [], "h2"),
    ("https", ["--h1"], "http/1.1"),
    ("http", ["--no-tls-proto", "h2c"], "h2c"),
    ("http", ["--h1"], "http/1.1"),
], ids=["https-h2", "https-http1.1", "h2c-prior-knowledge", "http1.1"])
def test_not_one_request_fails(firewall, metrics, scheme, options, protocol):
    address = firewall.https if scheme == "https" else firewall.http
    said = h2load(f"{scheme}://{sites.OWN_DOMAIN}/", address, *options)

    assert f"Application protocol: {protocol}" in said
    assert summary(said, "requests") == {
        "total": REQUESTS, "started": REQUESTS, "done": REQUESTS, "succeeded": REQUESTS,
        "failed": 0, "errored": 0, "timeout": 0,
    }
    assert summary(said, "status codes") == {"2xx": REQUESTS, "3xx": 0, "4xx": 0, "5xx": 0}
    body_bytes = int(re.search(r"\((\d+)\) data", said).group(1))
    assert body_bytes == REQUESTS * PAGE_BYTES

    text = metrics(firewall)
    assert cookies(text) == {
        ("keep", "exempt"): REQUESTS * len(KEPT), ("block", "unset"): REQUESTS, ("block", "undeclared"): REQUESTS,
    }
    assert [row for row in rows(text, "cookie_firewall_connection_errors_total") if row[1]] == []
    assert [row for row in rows(text, "cookie_firewall_upstream_errors_total") if row[1]] == []


def cookies(text):
    """{(decision, reason): how many Set-Cookie lines}."""
    assert len(BLOCKED) == 2, "one for each reason"
    found = {}
    for labels, value in rows(text, "cookie_firewall_cookies_total"):
        key = labels["decision"], labels["reason"]
        found[key] = found.get(key, 0) + value
    return {key: value for key, value in found.items() if value}
