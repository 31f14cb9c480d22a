"""A new configuration, or a new certificate, under load: nobody who is being served notices."""

import re
import signal
import threading

import pytest

from harness.load import Certificate, H2Load, QuietFirewall, Site, ask, eventually, served_certificate, served_head
from harness.metrics import rows

# Requests that the tests of this file make, of which none may fail. Each test has its part.
REQUESTS_UNDER_RELOADS = 130_000
REQUESTS_UNDER_NEW_CERTIFICATES = 40_000
REQUESTS_UNDER_A_BROKEN_FILE = 40_000
REQUESTS_UNDER_ALL_OF_THIS = 200_000

PAUSE_SECONDS = 0.2

# What the log calls a change that nobody had to tell the firewall of.
LOOK = "changed file"

SERVER = """\
http  = ["127.0.0.1:0"]
https = ["127.0.0.1:0"]
admin = "127.0.0.1:0"
"""


@pytest.fixture
def certificate(tmp_path):
    return Certificate(tmp_path)


@pytest.fixture
def site(tmp_path, upstream, certificate):
    return Site(tmp_path / "config", SERVER, [upstream.address], certificate)


@pytest.fixture
def served(keep, binary, site):
    return keep(QuietFirewall(binary, site.main))


@pytest.fixture
def load(served):
    """Starts h2load over both versions of HTTP, each in a process; each test has its own share of requests."""
    return lambda requests: H2Load(served.address_of("https"), at_least=requests)


def reloads(firewall):
    return {labels["result"]: int(value)
            for labels, value in rows(firewall.metrics(), "cookie_firewall_config_reloads_total")}


def last_success(firewall):
    [(_, value)] = rows(firewall.metrics(), "cookie_firewall_config_last_reload_success_timestamp_seconds")
    return value


def loads_logged(firewall, trigger):
    return firewall.stderr.text().count(f"configuration loaded trigger={trigger} ")


def hsts_of(firewall):
    """The policy that a new connection is told, which tells which site file is in force."""
    head = served_head(firewall.address_of("https"))
    return re.search(r"(?im)^strict-transport-security: *(.*?)\r$", head).group(1)


def assert_nothing_failed(volume, at_least):
    assert volume.trouble == []
    assert volume.succeeded == volume.requests >= at_least


class Reloads:
    """SIGHUP, `POST /-/reload` and a site file written anew, in turn, one every 200 ms."""

    def __init__(self, firewall, site):
        self.firewall, self.site = firewall, site
        self.signals = self.posts = self.writes = 0
        self.trouble = []
        self.between = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def finish(self, rounds):
        """Ends them, once each of the three has been done this often."""
        eventually(lambda: self.trouble or min(self.signals, self.posts, self.writes) >= rounds)
        self._over.set()
        self._thread.join()

    def _run(self):
        steps = [self._hang_up, self._post, self._write]
        try:
            while not self._over.wait(PAUSE_SECONDS):
                with self.between:
                    steps[0]()
                steps.append(steps.pop(0))
        except Exception as error:  # a thread's own would be lost
            self.trouble.append(repr(error))

    def _hang_up(self):
        self.firewall.process.send_signal(signal.SIGHUP)
        self.signals += 1
        # Two signals that wait to be seen are one.
        eventually(lambda: loads_logged(self.firewall, "SIGHUP") == self.signals)

    def _post(self):
        status, text = ask(self.firewall.admin, "/-/reload", "POST")
        assert status == 200, text
        self.posts += 1

    def _write(self):
        self.writes += 1
        self.site.write(hsts=self.writes)


def test_no_request_fails_while_the_configuration_is_loaded_again_and_again(served, site, load):
    started = last_success(served)
    running = load(REQUESTS_UNDER_RELOADS)
    changes = Reloads(served, site)
    running.wait_for_requests(REQUESTS_UNDER_RELOADS)
    changes.finish(rounds=6)
    volume = running.finish()

    assert_nothing_failed(volume, REQUESTS_UNDER_RELOADS)
    assert changes.trouble == []
    assert ask(served.admin, "/-/reload", "POST")[0] == 200
    counted = reloads(served)
    by_command = {"SIGHUP": changes.signals, "request": changes.posts + 1}
    # A file that was written is mostly loaded by the next command before anybody has looked at it.
    by_look = counted["success"] - sum(by_command.values())
    assert 0 <= by_look <= changes.writes
    assert counted["failure"] == 0
    for trigger, times in {**by_command, LOOK: by_look}.items():
        # The metric is ahead of what has been read of the log.
        eventually(lambda: loads_logged(served, trigger) == times)
    assert last_success(served) > started
    assert hsts_of(served) == f"max-age={changes.writes}"


def test_a_new_certificate_needs_no_command(served, certificate, load):
    address = served.address_of("https")
    shown = [served_certificate(address)]
    assert shown == [certificate.der()]
    running = load(REQUESTS_UNDER_NEW_CERTIFICATES)
    for _ in range(3):
        renewed = certificate.renew()
        eventually(lambda: served_certificate(address) == renewed)
        shown.append(renewed)
    volume = running.finish()

    assert_nothing_failed(volume, REQUESTS_UNDER_NEW_CERTIFICATES)
    assert len(set(shown)) == 4
    assert served_certificate(address) == shown[-1]
    assert reloads(served) == {"success": 3, "failure": 0}


def test_all_of_this_at_once(served, site, certificate, load):
    """Reloads every 200 ms and three new certificates during one load."""
    address = served.address_of("https")
    running = load(REQUESTS_UNDER_ALL_OF_THIS)
    changes = Reloads(served, site)
    for number in range(1, 4):
        running.wait_for_requests(number * REQUESTS_UNDER_ALL_OF_THIS // 4)
        with changes.between:  # a load that met a new key beside an old chain would rightly be a failure
            renewed = certificate.renew()
        eventually(lambda: served_certificate(address) == renewed)
    running.wait_for_requests(REQUESTS_UNDER_ALL_OF_THIS)
    changes.finish(rounds=6)

    assert_nothing_failed(running.finish(), REQUESTS_UNDER_ALL_OF_THIS)
    assert changes.trouble == []
    assert reloads(served)["failure"] == 0


def test_a_broken_site_file_changes_nothing(served, site, certificate, load):
    loaded_at = last_success(served)
    whole = site.text(hsts=7)
    broken = whole.replace('category = "necessary"', 'categroy = "necessary"', 1)
    line = 1 + broken[:broken.index("categroy")].count("\n")
    running = load(REQUESTS_UNDER_A_BROKEN_FILE)
    site.file.write_text(broken)

    served.stderr.wait_for(rf"configuration not loaded(?:.*\n)*?.*site\.toml:{line}:")  # it was looked at
    failures = reloads(served)["failure"]
    assert failures >= 1
    status, mistakes = ask(served.admin, "/-/reload", "POST")
    assert status == 422
    assert f"site.toml:{line}:" in mistakes and "categroy" in mistakes
    served.process.send_signal(signal.SIGHUP)
    eventually(lambda: reloads(served) == {"success": 0, "failure": failures + 2})
    assert last_success(served) == loaded_at
    assert served_certificate(served.address_of("https")) == certificate.der()
    assert ask(served.admin, "/readyz")[0] == 200

    site.file.write_text(whole)
    eventually(lambda: reloads(served)["success"] == 1)
    assert hsts_of(served) == "max-age=7"
    assert_nothing_failed(running.finish(), REQUESTS_UNDER_A_BROKEN_FILE)
