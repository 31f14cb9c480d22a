"""Upstreams that come and go under load: whoever asks the firewall does not notice."""

import pytest

from harness.load import DOMAIN, H2Load, QuietFirewall, Site, Upstream, ask, eventually
from harness.metrics import rows

SERVER = 'http = ["127.0.0.1:0"]\nadmin = "127.0.0.1:0"'

ROUNDS = 3

# Requests that are answered between two steps, so that each of them happens under load.
SOME = 1_000

BY_CHECKS = """
[health]
path            = "/"
interval        = "1 s"
healthy_after   = 1
unhealthy_after = 1
eject_for       = "1 s"
"""

BY_FAILURES_ALONE = """
[health]
eject_for = "1 s"
"""

BY_NAME = """
[pool]
resolve = "1 s"
"""

# Becomes the firewall in a mount namespace in which /etc/hosts is a file of the test's own.
WITH_HOSTS_FILE = 'mount --bind "$0" /etc/hosts && exec "$@"'


@pytest.fixture
def pair(keep, tmp_path):
    return [keep(Upstream(tmp_path, "first")), keep(Upstream(tmp_path, "second"))]


@pytest.fixture
def start(keep, binary, tmp_path):
    """Starts a firewall in front of these addresses."""
    def start(addresses, extra, **options):
        return keep(QuietFirewall(binary, Site(tmp_path / "config", SERVER, addresses, extra=extra).main, **options))
    return start


@pytest.fixture
def load():
    """Starts h2load over both versions of HTTP, and ends it with the test."""
    started = []

    def start(firewall):
        started.append(H2Load(firewall.address_of("http"), tls=False, per_round=2_000))
        return started[-1]

    yield start
    for each in started:
        each.finish()


def answered(firewall):
    return sum(value for labels, value in rows(firewall.metrics(), "cookie_firewall_requests_total")
               if labels["site"] == DOMAIN)


def wait_for_more(firewall, count=SOME):
    goal = answered(firewall) + count
    eventually(lambda: answered(firewall) >= goal)


def is_up(firewall, upstream):
    """Whether the firewall gives exchanges to this address."""
    [value] = [value for labels, value in rows(firewall.metrics(), "cookie_firewall_upstream_up")
               if upstream.address in labels["upstream"]]
    return value == 1


def total(firewall, metric):
    return sum(value for _, value in rows(firewall.metrics(), metric))


def assert_nothing_failed(volume):
    assert volume.trouble == []
    assert volume.succeeded == volume.requests > SOME


def checks(firewall, upstream, result):
    return sum(value for labels, value in rows(firewall.metrics(), "cookie_firewall_upstream_checks_total")
               if upstream.address in labels["upstream"] and labels["result"] == result)


def test_checks_tell_which_address_is_up(keep, start, pair):
    """Without a single request: nothing but the checks can have found out."""
    firewall = start([upstream.address for upstream in pair], BY_CHECKS)
    for upstream in pair:
        eventually(lambda: is_up(firewall, upstream) and checks(firewall, upstream, "good"))
    down, other = pair
    down.kill()
    eventually(lambda: not is_up(firewall, down))
    assert checks(firewall, down, "bad") >= 1
    assert is_up(firewall, other)
    assert ask(firewall.admin, "/readyz")[0] == 200
    other.kill()
    eventually(lambda: ask(firewall.admin, "/readyz")[0] == 503)
    assert DOMAIN in ask(firewall.admin, "/readyz")[1]
    for upstream in pair:
        keep(upstream.start_again())
        eventually(lambda: is_up(firewall, upstream))
        assert ask(firewall.admin, "/readyz")[0] == 200
    assert answered(firewall) == 0


def test_no_request_fails_while_checks_find_out(keep, start, load, pair):
    firewall = start([upstream.address for upstream in pair], BY_CHECKS)
    running = load(firewall)
    for number in range(1, ROUNDS + 1):
        for place, upstream in enumerate(pair):
            wait_for_more(firewall)
            upstream.kill()
            eventually(lambda: checks(firewall, upstream, "bad") >= number)
            assert not is_up(firewall, upstream)
            assert is_up(firewall, pair[1 - place])
            wait_for_more(firewall)
            pair[place] = keep(upstream.start_again())
            eventually(lambda: is_up(firewall, upstream))

    assert_nothing_failed(running.finish())
    assert total(firewall, "cookie_firewall_upstream_retries_total") > 0, "nobody was asking while one was down"


def test_an_address_that_fails_is_left_alone_and_tried_again(keep, start, load, pair):
    firewall = start([upstream.address for upstream in pair], BY_FAILURES_ALONE)
    running = load(firewall)
    for _ in range(ROUNDS):
        for place, upstream in enumerate(pair):
            wait_for_more(firewall)
            upstream.kill()
            eventually(lambda: not is_up(firewall, upstream))
            wait_for_more(firewall)
            pair[place] = keep(upstream.start_again())
            eventually(lambda: is_up(firewall, upstream))

    assert_nothing_failed(running.finish())
    assert total(firewall, "cookie_firewall_upstream_ejections_total") >= 2 * ROUNDS


def test_an_address_that_is_back_at_once_is_missed_by_nobody(keep, start, load, pair):
    firewall = start([upstream.address for upstream in pair], BY_FAILURES_ALONE)
    running = load(firewall)
    for _ in range(3 * ROUNDS):
        for place, upstream in enumerate(pair):
            wait_for_more(firewall)
            upstream.kill()
            pair[place] = keep(upstream.start_again())

    assert_nothing_failed(running.finish())


def test_a_name_is_followed_to_where_it_moves(keep, start, load, tmp_path):
    old = keep(Upstream(tmp_path, "old", "127.0.0.21"))
    new = keep(Upstream(tmp_path, "new", "127.0.0.22", old.port))
    hosts = tmp_path / "hosts"
    hosts.write_text(f"{old.host} portal.internal\n")
    wrapper = ["unshare", "--map-root-user", "--mount", "sh", "-c", WITH_HOSTS_FILE, hosts]
    firewall = start([f"portal.internal:{old.port}"], BY_NAME, wrapper=wrapper)
    running = load(firewall)
    for _ in range(ROUNDS):
        wait_for_more(firewall)
        assert page_of(firewall) == f"page of {old.name}"
        hosts.write_text(f"{new.host} portal.internal\n")  # in its place: what is mounted is this very file
        eventually(lambda: page_of(firewall) == f"page of {new.name}")
        wait_for_more(firewall)
        assert page_of(firewall) == f"page of {new.name}"
        old, new = new, old

    assert_nothing_failed(running.finish())
    assert total(firewall, "cookie_firewall_upstream_errors_total") == 0


def page_of(firewall):
    """The first line of the page, which names the upstream that it is from."""
    status, text = ask(firewall.address_of("http"), "/", host=DOMAIN)
    assert status == 200, text
    return text.split("\n")[0]
