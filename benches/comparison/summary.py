"""From rounds to figures: medians, ratios of one round, Markdown."""

import statistics

from proxies import FIREWALL, WHAT


def median(result, name, key):
    return statistics.median(each[key] for each in result["rounds"][name])


def spread(result, name, key):
    values = [each[key] for each in result["rounds"][name]]
    return min(values), max(values)


def ratio(result, name, base, key):
    """Round by round, so that a slow minute of the machine is in both halves of a ratio."""
    pairs = zip(result["rounds"][name], result["rounds"][base])
    return statistics.median(each[key] / other[key] for each, other in pairs)


def at_most(result, what, limit, base, key):
    value = ratio(result, FIREWALL, base, key)
    return target(what, f"≤ {limit} × {label(base)}", f"{value:.2f} ×", value <= limit)


def at_least(result, what, limit, base, key):
    value = ratio(result, FIREWALL, base, key)
    return target(what, f"≥ {limit} × {label(base)}", f"{value:.2f} ×", value >= limit)


def target(what, reach, measured, met):
    return {"what": what, "reach": reach, "measured": measured, "met": met}


def label(name):
    """As it stands in a sentence: without what it does, where that goes without saying."""
    return WHAT[name].removesuffix(": filters").removesuffix(": forwards").removesuffix(": moves bytes")


def table(headers, rows):
    """The first column is words, the others are figures."""
    separators = ["---"] + ["--:"] * (len(headers) - 1)
    return [f"| {' | '.join(map(str, row))} |" for row in [headers, separators, *rows]]


def by_proxy(result, headers, row):
    """A table with a row for each proxy: what it does, and `row(name)`."""
    return table(["proxy", *headers], [[what, *row(name)] for name, what in result["proxies"].items()])


def number(value):
    return f"{value:,.0f}"
