"""What an operator reads: metrics, health, and a log. Cookie values are in none of them."""

import subprocess

from harness import sites
from harness.metrics import rows, samples
from harness.processes import DEADLINE_SECONDS
from harness.sites import OWN_DOMAIN, consent_cookie

UNDECLARED = "(undeclared)"
NO_COOKIES = []  # not the jar either


def counted(text):
    """{(direction, cookie, category, decision, reason): count} of the enforced site."""
    found = {}
    for labels, value in rows(text, "cookie_firewall_cookies_total"):
        assert labels.keys() == {"site", "direction", "cookie", "category", "decision", "reason", "mode"}
        assert (labels["site"], labels["mode"]) == (OWN_DOMAIN, "enforce")
        if value:
            names = ("direction", "cookie", "category", "decision", "reason")
            found[tuple(labels[name] for name in names)] = value
    return found


def test_every_cookie_is_counted_once_with_its_reason(visitor, admin):
    visitor.get("/trackers/", cookie=NO_COOKIES)
    visitor.echo(cookie="django_language=fr; _pk_id.1.1fff=2; _pk_id.2.2fff=3; unheard-of=4; nameless; $Version=5")
    visitor.get("/trackers/", cookie=consent_cookie(matomo=True, ga=False))
    visitor.get("/trackers/delete/", cookie=NO_COOKIES)

    twice = 2
    assert counted(admin.get("/metrics").text) == {
        ("response", "_pk_id.*", "statistics", "block", "unset"): 1,
        ("response", "_pk_id.*", "statistics", "rewrite", "lifetime"): 1,
        ("response", "_pk_id.*", "statistics", "keep", "deletion"): 1,
        ("response", "_ga", "marketing", "block", "unset"): 1,
        ("response", "_ga", "marketing", "block", "denied"): 1,
        ("response", "_ga", "marketing", "keep", "deletion"): 1,
        ("response", UNDECLARED, "", "block", "undeclared"): 3 * twice,
        ("response", UNDECLARED, "", "block", "nameless"): twice,
        ("response", UNDECLARED, "", "keep", "deletion"): 1,
        ("response", "django_language", "necessary", "keep", "exempt"): twice,
        ("response", "cookies_preferences", "necessary", "keep", "exempt"): twice,
        ("request", "django_language", "necessary", "keep", "exempt"): 1,
        ("request", "_pk_id.*", "statistics", "block", "unset"): 2,
        ("request", UNDECLARED, "", "block", "undeclared"): 1,
        ("request", UNDECLARED, "", "block", "nameless"): 1,
        ("request", UNDECLARED, "", "block", "malformed"): 1,
        ("request", "cookies_preferences", "necessary", "keep", "exempt"): 1,
    }


def test_requests_are_counted_by_method_and_code(visitor, admin):
    visitor.get("/trackers/404/")
    visitor.request("HEAD", "/echo/")
    text = admin.get("/metrics").text
    found = rows(text, "cookie_firewall_requests_total")
    by_code = {(labels["site"], labels["method"], labels["code"]): value for labels, value in found if value}
    assert by_code == {(OWN_DOMAIN, "GET", "404"): 1, (OWN_DOMAIN, "HEAD", "200"): 1}
    for histogram in ["cookie_firewall_request_duration_seconds", "cookie_firewall_upstream_duration_seconds"]:
        assert samples(text)[(f"{histogram}_count", frozenset({("site", OWN_DOMAIN)}))] == 2


def test_a_request_for_nobodys_host_is_counted(firewall, visit, admin):
    visit(firewall.http, "elsewhere.example").get("/")
    found = rows(admin.get("/metrics").text, "cookie_firewall_requests_total")
    assert [(labels["method"], labels["code"], value) for labels, value in found] == [("GET", "421", 1)]


def test_an_upstream_that_is_down_is_counted(start_firewall, closed_address, visit):
    firewall = start_firewall(sites.own(closed_address))
    visit(firewall.http).get("/echo/")
    text = visit(firewall.admin, firewall.admin).get("/metrics").text
    [(labels, value)] = [row for row in rows(text, "cookie_firewall_upstream_errors_total") if row[1]]
    assert labels["site"] == OWN_DOMAIN and labels["kind"]
    assert value == 1


def test_every_metric_of_the_contract_is_there(visitor, admin):
    visitor.get("/trackers/")
    found = {name for name, _ in samples(admin.get("/metrics").text)}
    assert found >= {
        "cookie_firewall_cookies_total",
        "cookie_firewall_consent_total",
        "cookie_firewall_requests_total",
        "cookie_firewall_request_duration_seconds_bucket",
        "cookie_firewall_upstream_duration_seconds_bucket",
        "cookie_firewall_connections",
        "cookie_firewall_upstream_connections",
        "cookie_firewall_config_reloads_total",
        "cookie_firewall_config_last_reload_success_timestamp_seconds",
        "cookie_firewall_build_info",
        "process_cpu_seconds_total",
    }


def test_promtool_finds_nothing_to_say(visitor, admin):
    visitor.get("/trackers/")
    visitor.echo(cookie="sessionid=1; nameless")
    scrape = admin.get("/metrics")
    assert scrape.status == 200
    assert scrape.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    verdict = subprocess.run(["promtool", "check", "metrics"], input=scrape.body,
                             capture_output=True, timeout=DEADLINE_SECONDS)
    assert (verdict.returncode, verdict.stdout, verdict.stderr) == (0, b"", b"")


def test_live_and_ready(admin):
    assert admin.get("/livez").status == 200
    assert admin.get("/readyz").status == 200


def test_the_admin_pages_are_not_on_the_public_listener(visitor):
    for path in ["/metrics", "/livez", "/readyz", "/inventory.json"]:
        assert visitor.get(path).status == 404, path  # Django's answer: it has no such page


def test_cookie_values_are_written_nowhere(firewall, visit, admin):
    """Every value begins with SECRET, in what the portal sets and in what the visitor sends."""
    visitor = visit(firewall.http)
    sent = (
        "sessionid=SECRET-1; _pk_id.1.1fff=SECRET-2; SECRET-nameless; unheard-of=SECRET-3; =SECRET-4; "
        '$Version=SECRET-5; csrftoken="SECRET-6; SECRET-7"'
    )
    oversized = "csrftoken=SECRET-" + "x" * 5000
    broken_consent = "cookies_preferences=SECRET-%7B"
    for path in ["/trackers/", "/trackers/500/", "/trackers/delete/", "/echo/"]:
        visitor.get(path, cookie=sent)
        visitor.get(path, cookie=f"{sent}; {broken_consent}")
        visitor.get(path, cookie=oversized)
    strangers_page = visit(firewall.http, "elsewhere.example").get("/echo/", cookie=sent)

    for page in [admin.get("/metrics"), admin.get("/"), strangers_page]:
        assert "SECRET" not in page.text

    admin.close()
    visitor.close()
    assert firewall.stop() == 0
    log = firewall.written()
    assert 'reason="undeclared"' in log, "decisions are not logged, so this test proves nothing"
    assert "SECRET" not in log
