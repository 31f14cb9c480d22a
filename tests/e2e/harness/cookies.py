"""Set-Cookie lines as a user agent reads them, and what a declaration of the charter makes of one."""

import re
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

DAY = 86_400
UNIT_SECONDS = {
    "second": 1, "minute": 60, "hour": 3_600,
    "day": DAY, "week": 7 * DAY, "month": 30 * DAY, "year": 365 * DAY,
}

# How far the clocks of two steps of one test may be apart.
CLOCK_SLACK_SECONDS = 60


class SetCookie:
    """One line: `name`, `value` and `attributes`, pairs of (lower-case name, value) in their order."""

    def __init__(self, line):
        pair, *attributes = line.split(";")
        name, equals, value = pair.partition("=")
        self.name, self.value = (name.strip(" \t"), value.strip(" \t")) if equals else ("", pair.strip(" \t"))
        self.attributes = [_attribute(text) for text in attributes]

    def attribute(self, name):
        """The value of the last attribute of that name, which is the one that counts; None without one."""
        return dict(self.attributes).get(name)

    def lifetime(self):
        """Seconds from now as a user agent counts them (Max-Age wins over Expires); None for a session cookie."""
        if (max_age := self.attribute("max-age")) is not None:
            return int(max_age)
        if (expires := self.attribute("expires")) is not None:
            return (_date(expires) - datetime.now(timezone.utc)).total_seconds()
        return None

    def expires_itself(self):
        lifetime = self.lifetime()
        return lifetime is not None and lifetime <= 0


def _attribute(text):
    name, _, value = text.partition("=")
    return name.strip(" \t").lower(), value.strip(" \t")


def _date(text):
    date = parsedate_to_datetime(text)
    return date if date.tzinfo else date.replace(tzinfo=timezone.utc)


def seconds(duration):
    """The seconds of "13 months", as the charter counts them."""
    number, unit = re.fullmatch(r"(\d+) (\w+?)s?", duration).groups()
    return int(number) * UNIT_SECONDS[unit]


def assert_as_declared(received, sent, declaration):
    """`received` is what the firewall makes of the line `sent`: the same bytes but for what `declaration` asks."""
    was, now = SetCookie(sent), SetCookie(received)
    wanted = _wanted(was, declaration)
    if wanted == _facts(was):
        assert received == sent, "nothing was to be changed, and the bytes differ"
        return
    assert (now.name, now.value) == (was.name, was.value)
    assert _facts(now) == wanted
    _assert_dates_agree(now)


# Attributes that a declaration can change, all others stay as they are.
_EDITABLE = ("max-age", "expires", "secure", "httponly", "samesite", "domain", "path")


def _facts(cookie):
    """What a user agent would store of a line, apart from name and value."""
    same_site = cookie.attribute("samesite")
    return {
        "max-age": cookie.attribute("max-age"),
        "session": cookie.lifetime() is None,
        "secure": cookie.attribute("secure") is not None,
        "httponly": cookie.attribute("httponly") is not None,
        "samesite": same_site and same_site.lower(),
        "domain": cookie.attribute("domain"),
        "path": cookie.attribute("path"),
        "others": [pair for pair in cookie.attributes if pair[0] not in _EDITABLE],
    }


def _wanted(cookie, declaration):
    facts = _facts(cookie)
    if "secure" in declaration:
        facts["secure"] = declaration["secure"]
    if "http_only" in declaration:
        facts["httponly"] = declaration["http_only"]
    if "same_site" in declaration:
        facts["samesite"] = declaration["same_site"].lower()
    if declaration.get("domain") == "host-only":
        facts["domain"] = None
    if "path" in declaration:
        facts["path"] = declaration["path"]
    return facts | _wanted_lifetime(cookie, declaration.get("max_age"))


def _wanted_lifetime(cookie, cap):
    lifetime = cookie.lifetime()
    if cap is None or lifetime is None:
        return {}
    if cap == "session":
        return {"max-age": None, "session": True}
    return {"max-age": str(seconds(cap))} if lifetime > seconds(cap) else {}


def _assert_dates_agree(cookie):
    """An Expires that is left beside a Max-Age may not outlive it: old user agents read the one, new ones the other."""
    expires, max_age = cookie.attribute("expires"), cookie.attribute("max-age")
    if expires is not None and max_age is not None:
        left = (_date(expires) - datetime.now(timezone.utc)).total_seconds()
        assert left <= int(max_age) + CLOCK_SLACK_SECONDS, f"Expires {expires} beside Max-Age {max_age}"
