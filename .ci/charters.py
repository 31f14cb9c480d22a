"""Holds the site files to the charters that the portals publish: same cookies, same words."""

import sys
import tomllib
from pathlib import Path

COLUMNS = ("provider", "service", "name", "purpose")


def published(page):
    """The rows of a page's table: tab-separated, below its heading."""
    rows = [line.split("\t") for line in page.read_text().splitlines() if line.count("\t") == 3]
    return [dict(zip(COLUMNS, row)) for row in rows[1:] if not row[0].startswith("---")]


def declared(site):
    cookies = tomllib.loads(site.read_text())["cookie"]
    return [{column: cookie[column] for column in COLUMNS} for cookie in cookies]


def key(row):
    return row["name"]


def main(charters, sites):
    pages = sorted(Path(charters).glob("*.txt"))
    assert pages, f"no charter in {charters}"
    for page in pages:
        site = Path(sites) / f"{page.stem}.toml"
        wanted, found = sorted(published(page), key=key), sorted(declared(site), key=key)
        if len(wanted) != 4 or wanted != found:
            sys.exit(f"{site} differs from {page}:\n  published {wanted}\n  declared  {found}")
    print(f"{len(pages)} site files agree with the published charters")


main(*sys.argv[1:])
