"""The five portals of the project, each behind its own published charter."""

import pytest

from harness import sites
from harness.cookies import SetCookie, assert_as_declared
from harness.metrics import rows
from harness.processes import Portal

pytestmark = pytest.mark.parametrize("domain", sites.DOMAINS)


@pytest.fixture
def site(domain, portal):
    return sites.published(domain, portal.address)


@pytest.fixture
def declared(site):
    return sites.declarations(site)


@pytest.fixture
def visitor(start_firewall, visit, site, domain):
    return visit(start_firewall(site).http, domain)


def assert_enforced(response, declared):
    """The response carries every declared line that Django sent, as the charter has it, and no other."""
    expected = [line for line in response.sent_by_portal if SetCookie(line).name in declared]
    received = response.set_cookies
    assert [SetCookie(line).name for line in received] == [SetCookie(line).name for line in expected]
    for now, sent in zip(received, expected):
        assert_as_declared(now, sent, declared[SetCookie(sent).name])


def test_the_file_declares_what_the_charter_publishes(declared):
    assert declared.keys() == sites.DECLARED


def test_a_visit_from_sign_in_to_trackers(visitor, declared):
    token = visitor.csrf_token("/login/")
    fields = {"csrfmiddlewaretoken": token, "username": Portal.USER, "password": Portal.PASSWORD}
    assert visitor.post("/login/", fields).headers["Location"] == "/account/"
    assert visitor.get("/account/").text == f"signed in as {Portal.USER}"

    fields = {"csrfmiddlewaretoken": visitor.csrf_token("/form/"), "language": "en", "next": "/form/"}
    assert visitor.post("/i18n/setlang/", fields).status == 302
    assert '<html lang="en">' in visitor.get("/form/").text

    fields = {"csrfmiddlewaretoken": visitor.csrf_token("/form/"), "message": "bonjour"}
    assert visitor.post("/form/", fields).text == "received bonjour"

    choice = b'{"functional_cookies":true,"matomo":true}'
    assert visitor.request("POST", "/preferences/", choice).status == 200
    assert visitor.get("/trackers/").status == 200

    for response in visitor.history:
        assert_enforced(response, declared)
    set_on_the_way = {SetCookie(line).name for response in visitor.history for line in response.set_cookies}
    assert set_on_the_way == sites.DECLARED
    assert visitor.jar.keys() == sites.DECLARED


def test_a_form_without_its_token_is_still_refused(visitor):
    visitor.csrf_token("/form/")
    assert visitor.post("/form/", {"message": "bonjour"}).status == 403


def test_only_declared_cookies_reach_django(visitor):
    consent = sites.consent_cookie(matomo=True, xiti=True, ga=True)
    kept = ["sessionid=s1", "csrftoken=t=1==", 'django_language="fr"', consent]
    cookie = "; ".join([
        "$Version=1", kept[0], "_pk_id.1.1fff=x", "nameless", kept[1], "=y", "_ga=GA1", kept[2],
        "SessionID=other-case", "AMCV_tracker=z", kept[3], "caf\xe9=\xe9", "$Path=/",
    ])
    assert visitor.echo(cookie=cookie)["cookie"] == "; ".join(kept)


def test_without_a_declared_cookie_there_is_no_header(visitor):
    assert visitor.echo(cookie="_ga=GA1; nameless; $Version=1")["cookie"] is None


def test_consent_does_not_let_undeclared_trackers_in(visitor, declared):
    consent = sites.consent_cookie(matomo=True, xiti=True, ga=True, at=True, piano=True, eulerian=True)
    response = visitor.get("/trackers/", cookie=consent)
    assert_enforced(response, declared)
    assert {SetCookie(line).name for line in response.set_cookies} == {"django_language", "cookies_preferences"}


@pytest.mark.parametrize("status", [302, 404, 500])
def test_every_status_is_filtered(visitor, declared, status):
    response = visitor.get(f"/trackers/{status}/")
    assert response.status == status
    assert_enforced(response, declared)
    assert {SetCookie(line).name for line in response.set_cookies} == {"django_language", "cookies_preferences"}
    if status == 302:
        assert response.headers["Location"] == "/account/"


def test_blocked_cookies_are_counted(start_firewall, visit, site, domain):
    firewall = start_firewall(site)
    visitor = visit(firewall.http, domain)
    visitor.get("/trackers/")
    visitor.echo(cookie="sessionid=s; _ga=1; _pk_id.1.1fff=2; nameless")
    text = visit(firewall.admin, firewall.admin).get("/metrics").text

    blocked = {
        (labels["direction"], labels["cookie"], labels["reason"]): value
        for labels, value in rows(text, "cookie_firewall_cookies_total")
        if labels["decision"] == "block" and labels["mode"] == "enforce" and labels["site"] == domain and value
    }
    assert blocked == {
        ("response", "(undeclared)", "undeclared"): 5,
        ("response", "(undeclared)", "nameless"): 1,
        ("request", "(undeclared)", "undeclared"): 2,
        ("request", "(undeclared)", "nameless"): 1,
    }
