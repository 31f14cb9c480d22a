"""Cookies that need consent: before it is given, while it stands, and after it is refused."""

import pytest

from harness import sites
from harness.cookies import SetCookie, assert_as_declared
from harness.metrics import rows
from harness.sites import consent_cookie

PK_ID, GA = "_pk_id.1.1fff", "_ga"
THIRTEEN_MONTHS = 13 * 30 * 86_400


def lines(response):
    """{name: line} of what reached the visitor and is not a deletion."""
    cookies = {SetCookie(line).name: line for line in response.set_cookies}
    return {name: line for name, line in cookies.items() if not SetCookie(line).expires_itself()}


def sent(response, name):
    return next(line for line in response.sent_by_portal if SetCookie(line).name == name)


def trackers_in(cookie_header):
    return {pair.split("=")[0] for pair in (cookie_header or "").split("; ")} & {PK_ID, GA}


def consent_states(admin):
    found = rows(admin.get("/metrics").text, "cookie_firewall_consent_total")
    return {labels["state"] for labels, value in found if value}


@pytest.mark.parametrize("state, answer", [
    ("unset", None),
    ("expired", consent_cookie(matomo=True, ga=True, age_days=200)),
    ("malformed", "cookies_preferences=%7B%22matomo%22"),
    ("conflict", consent_cookie(matomo=True, ga=True) + "; " + consent_cookie(matomo=False, ga=True)),
], ids=["unset", "expired", "malformed", "conflict"])
def test_without_an_answer_that_counts_nothing_passes(visitor, admin, state, answer):
    cookie = "; ".join(filter(None, [f"{PK_ID}=1; {GA}=2", answer]))
    response = visitor.get("/trackers/", cookie=cookie)
    assert lines(response).keys() == {"django_language", "cookies_preferences"}
    assert trackers_in(visitor.echo(cookie=cookie)["cookie"]) == set()
    assert consent_states(admin) == {state}


def test_silence_deletes_nothing(visitor):
    response = visitor.get("/echo/", cookie=f"{PK_ID}=1; {GA}=2")
    assert response.set_cookies == []


def test_consent_lets_one_tracker_pass_and_not_the_other(visitor, admin):
    answer = consent_cookie(matomo=True, ga=False)
    response = visitor.get("/trackers/", cookie=answer)
    assert lines(response).keys() == {PK_ID, "django_language", "cookies_preferences"}

    pk_id = lines(response)[PK_ID]
    assert_as_declared(pk_id, sent(response, PK_ID), {"max_age": "13 months"})
    assert SetCookie(pk_id).lifetime() == THIRTEEN_MONTHS

    assert visitor.echo(cookie=f"{GA}=2; {PK_ID}=1; {answer}")["cookie"] == f"{PK_ID}=1; {answer}"
    assert consent_states(admin) == {"partial"}


def test_a_line_with_consent_and_nothing_to_cut_keeps_its_bytes(visitor):
    response = visitor.get("/trackers/", cookie=consent_cookie(matomo=True, ga=True))
    assert lines(response)[GA] == sent(response, GA)


def test_kept_lines_keep_their_bytes_and_order(visitor):
    response = visitor.get("/trackers/")
    assert response.set_cookies == [sent(response, "django_language"), sent(response, "cookies_preferences")]
    assert "X-Unknown=caf\xe9" in response.set_cookies[1]


def test_refusal_withholds_in_both_directions(visitor, admin):
    granted = consent_cookie(matomo=True, ga=True)
    assert lines(visitor.get("/trackers/", cookie=granted)).keys() >= {PK_ID, GA}

    refused = consent_cookie(functional_cookies=False, matomo=False, ga=False)
    cookie = f"{PK_ID}=1; {refused}; {GA}=2"
    assert lines(visitor.get("/trackers/", cookie=cookie)).keys() == {"django_language", "cookies_preferences"}
    assert visitor.echo(cookie=cookie)["cookie"] == refused
    assert consent_states(admin) == {"granted", "denied"}


def test_the_portals_own_deletions_pass_without_their_values(visitor):
    response = visitor.get("/trackers/delete/")
    received = [SetCookie(line) for line in response.set_cookies]
    original = [SetCookie(line) for line in response.sent_by_portal]
    assert [cookie.name for cookie in received] == [PK_ID, GA, "AMCV_tracker"]
    for now, was in zip(received, original):
        assert now.value == ""
        assert now.expires_itself()
        assert now.attributes == was.attributes
    assert response.set_cookies[1] == "_ga=; Max-Age=0; Path=/; X-Unknown=kept"


def test_report_mode_changes_nothing_and_counts(start_firewall, portal, visit):
    firewall = start_firewall(sites.own(portal.address, mode="report"))
    visitor, admin = visit(firewall.http), visit(firewall.admin, firewall.admin)

    response = visitor.get("/trackers/")
    assert response.set_cookies == response.sent_by_portal
    cookie = f"$Version=1; nameless; {PK_ID}=1 ;{GA}=2; caf\xe9=\xe9; {consent_cookie(matomo=False, ga=False)}"
    response = visitor.get("/echo/", cookie=cookie)
    assert response.json()["cookie"] == cookie
    assert response.set_cookies == []

    text = admin.get("/metrics").text
    counted = [labels for labels, value in rows(text, "cookie_firewall_cookies_total") if value]
    assert {labels["mode"] for labels in counted} == {"report"}
    would_have_been_blocked = {
        (labels["direction"], labels["cookie"], labels["reason"])
        for labels in counted if labels["decision"] == "block"
    }
    assert would_have_been_blocked >= {
        ("response", "_pk_id.*", "unset"), ("response", "_ga", "unset"), ("response", "(undeclared)", "nameless"),
        ("request", "_pk_id.*", "denied"), ("request", "_ga", "denied"), ("request", "(undeclared)", "nameless"),
    }
