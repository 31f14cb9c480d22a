"""Prometheus' text format, as far as the tests read it."""

import re

_SAMPLE = re.compile(r"(?P<name>[a-zA-Z_:]\w*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def samples(text):
    """{(metric, frozenset of its labels): value}; a row that is there twice is a fault."""
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            match = _SAMPLE.fullmatch(line)
            key = match["name"], frozenset(_LABEL.findall(match["labels"] or ""))
            assert key not in found, f"two rows for {line}"
            found[key] = float(match["value"])
    return found


def rows(text, metric):
    """The rows of one metric: [(labels as a dict, value)]."""
    return [(dict(labels), value) for (name, labels), value in samples(text).items() if name == metric]


def connection_errors(text):
    """{reason: count} of the connections that were refused or cut."""
    found = {}
    for labels, value in rows(text, "cookie_firewall_connection_errors_total"):
        found[labels["reason"]] = found.get(labels["reason"], 0) + value
    return {reason: value for reason, value in found.items() if value}
