"""Holds the site files, and what `charter import` makes of the pages, to the published charters."""

import subprocess
import sys
import tomllib
from pathlib import Path

COLUMNS = ("provider", "service", "name", "purpose")


def published(page):
    """The rows of a page's table: tab-separated, below its heading."""
    rows = [line.split("\t") for line in page.read_text().splitlines() if line.count("\t") == 3]
    return [dict(zip(COLUMNS, row)) for row in rows[1:] if not row[0].startswith("---")]


def declared(site, columns=COLUMNS):
    return [{column: cookie[column] for column in columns} for cookie in site["cookie"]]


def key(row):
    return row["name"]


def compare(what, wanted, found):
    wanted, found = sorted(wanted, key=key), sorted(found, key=key)
    if len(wanted) != 4 or wanted != found:
        sys.exit(f"{what}:\n  wanted {wanted}\n  found  {found}")


def imported(program, page):
    """What the program writes of a page; nothing may be left over."""
    done = subprocess.run([program, "charter", "import", page], capture_output=True, text=True)
    if done.returncode or done.stderr != "4 declarations, 0 rows kept as comments\n":
        sys.exit(f"charter import {page}: {done.returncode}\n{done.stderr}")
    return tomllib.loads(done.stdout)


def main(charters, sites, program):
    pages = sorted(Path(charters).glob("*.txt"))
    assert pages, f"no charter in {charters}"
    for page in pages:
        path = Path(sites) / f"{page.stem}.toml"
        site = tomllib.loads(path.read_text())
        compare(f"{path} differs from {page}", published(page), declared(site))
        ours = imported(program, page)
        columns = (*COLUMNS, "category")
        compare(f"the import of {page}", declared(site, columns), declared(ours, columns))
        if ours["domain"] != page.stem:
            sys.exit(f"the import of {page} is for {ours['domain']}")
    print(f"{len(pages)} site files, and what is imported, agree with the published charters")


main(*sys.argv[1:])
