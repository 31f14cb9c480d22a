"""The portal alone. A fault in the stage would look like one in the play, so this looks at the stage first."""

import pytest

from harness import sites
from harness.processes import Portal

TRACKERS = ["_pk_id.1.1fff", "_pk_ses.1.1fff", "_ga", "AMCV_tracker", "latin1_tracker"]


@pytest.fixture(params=[*sites.DOMAINS, sites.OWN_DOMAIN])
def direct(visit, portal, request):
    return visit(portal.address, request.param)


def test_sets_what_it_says_it_sets(direct):
    response = direct.get("/trackers/")
    assert response.set_cookies == response.sent_by_portal
    assert {*TRACKERS, "", "django_language", "cookies_preferences"} == direct.jar.keys()
    assert any("\xe9" in line for line in response.set_cookies)


def test_signs_visitors_in(direct):
    token = direct.csrf_token("/login/")
    fields = {"csrfmiddlewaretoken": token, "username": Portal.USER, "password": Portal.PASSWORD}
    assert direct.post("/login/", fields).status == 302
    assert direct.get("/account/").text == f"signed in as {Portal.USER}"


def test_refuses_a_form_without_its_token(direct):
    direct.csrf_token("/form/")
    assert direct.post("/form/", {"message": "hello"}).status == 403


def test_echoes_the_cookie_header_as_it_came(direct):
    cookie = "$Version=1; a=1 ;b; =c; caf\xe9=\xe9"
    assert direct.echo(cookie=cookie)["cookie"] == cookie
    assert direct.echo()["cookie"] is None
