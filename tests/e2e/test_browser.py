"""A visitor's browser: what is in its cookie jar before a choice, after it, and after it is withdrawn."""

from pathlib import Path

import pytest

from harness.chromium import Chromium
from harness.sites import OWN_DOMAIN

SITE = f"https://{OWN_DOMAIN}"
PAGE = f"{SITE}/.well-known/cookie-firewall/"
PK_ID, GA = "_pk_id.1.1fff", "_ga"
TRACKERS = {PK_ID, "_pk_ses.1.1fff", GA, "AMCV_tracker", "latin1_tracker"}
SCREENSHOTS = Path(__file__).parent / ".results"


@pytest.fixture
def browser(tls_firewall, tmp_path):
    browser = Chromium(tmp_path / "profile", OWN_DOMAIN, tls_firewall.https)
    yield browser
    browser.close()


def choose(browser, choice, *categories):
    """Opens the page, ticks these categories and no others, and presses the button."""
    browser.goto(f"{PAGE}?lang=en")
    for box in browser.run("[...document.querySelectorAll('input[name=category]')].map(box => box.value)"):
        browser.run(f"document.querySelector('input[value=\"{box}\"]').checked = {str(box in categories).lower()}")
    browser.click(f"button[value={choice}]")
    assert browser.run("document.querySelector('[role=status]') !== null"), browser.text()


def trackers(browser):
    return browser.jar().keys() & TRACKERS


def test_a_visit_leaves_no_tracker_before_a_choice_nor_after_a_refusal(browser):
    browser.goto(f"{SITE}/trackers/")
    assert trackers(browser) == set()
    assert "django_language" in browser.jar(), "what is necessary is kept"
    choose(browser, "refuse")
    consent = browser.jar()["cookies_preferences"]
    assert consent["domain"] == OWN_DOMAIN and consent["secure"] and consent["sameSite"] == "Lax"
    browser.goto(f"{SITE}/trackers/")
    assert trackers(browser) == set()


def test_what_is_accepted_is_kept_and_the_rest_is_not(browser):
    choose(browser, "save", "statistics")
    browser.goto(f"{SITE}/trackers/")
    assert trackers(browser) == {PK_ID}
    choose(browser, "accept")
    browser.goto(f"{SITE}/trackers/")
    assert trackers(browser) == {PK_ID, GA}


def test_withdrawing_clears_the_jar(browser):
    choose(browser, "accept")
    browser.goto(f"{SITE}/trackers/")
    # And one that no script could remove.
    browser.set_cookie(name="_pk_id.2", value="x", domain=f".{OWN_DOMAIN}", path="/", httpOnly=True, secure=True)
    assert trackers(browser) == {PK_ID, GA}
    choose(browser, "refuse")
    # By the page that says so: the portal may not be visited again.
    assert browser.jar().keys() & {PK_ID, GA, "_pk_id.2"} == set()
    assert "cookies_preferences" in browser.jar()


@pytest.mark.parametrize("language, title", [("fr", "cookies"), ("en", "ookie")])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 320])
def test_the_page_is_accessible(browser, language, title, dark, width):
    browser.emulate(width=width, dark=dark)
    browser.goto(f"{PAGE}?lang={language}")
    assert title in browser.run("document.title")
    assert browser.violations() == {}
    # At 320 pixels, nothing but the table scrolls to the side (WCAG 2.2, 1.4.10).
    assert browser.run("document.documentElement.scrollWidth") <= width
    browser.screenshot(SCREENSHOTS / f"page-{language}-{'dark' if dark else 'light'}-{width}.png")


def test_the_page_works_by_keyboard(browser):
    browser.goto(f"{PAGE}?lang=en")
    focusable = browser.run(
        "[...document.querySelectorAll('a[href],button,input:not([type=hidden]),[tabindex=\"0\"]')]"
        ".filter(e => e.tabIndex >= 0).length")
    order = []
    for _ in range(focusable):
        browser.tab()
        order.append(browser.run("document.activeElement.outerHTML.slice(0, 80)"))
    assert len(set(order)) == focusable, order
    assert "skip" in order[0]
