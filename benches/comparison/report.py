"""What is written of a run: the table, the page's part between its markers, the plots, JSON."""

import json

import experiments
from summary import table
from terminal import Failure

BEGIN, END = "<!-- comparison:begin -->", "<!-- comparison:end -->"
PAGE, FIGURES, IMAGES = "performance.md", "performance.json", "img"


def targets(document):
    return [target for name, result in document["experiments"].items() for target in experiments.ALL[name].targets(result)]


def summary(document):
    rows = [[each["what"], each["reach"], each["measured"], "yes" if each["met"] else "**no**"] for each in targets(document)]
    return table(["what", "reach", "measured", "reached"], rows)


def text(document):
    """The tables, for the terminal."""
    parts = [[experiments.ALL[name].TITLE, "", *experiments.ALL[name].report(result)]
             for name, result in document["experiments"].items()]
    return "\n".join(line for part in [*parts, summary(document)] for line in ["", *part])


def markdown(document):
    """The same for the page, with the plots and what it was measured with."""
    lines = ["## Reached or not", "", *summary(document), ""]
    for name, result in document["experiments"].items():
        module = experiments.ALL[name]
        lines += [f"## {module.TITLE[0].upper()}{module.TITLE[1:]}", "", *module.report(result), ""]
        for file, (alternative, _) in module.plots(result).items():
            lines += [f"![{alternative}]({IMAGES}/{file})", ""]
    return lines + ["## Measured with", "", *provenance(document)]


def provenance(document):
    machine, settings = document["machine"], document["settings"]
    rows = [["date", machine["date"]], ["machine", f"{machine['cpu']}, Linux {machine['kernel']}"],
            ["rounds", f"{settings['rounds']} of {settings['seconds']} s"], *document["versions"].items()]
    lines = ["| | |", "|---|---|", *(f"| {what} | {value} |" for what, value in rows)]
    if document["disturbed"]:
        lines += ["", f"In {document['disturbed']} measurements others took more than 5 % of the proxy's CPU."]
    return lines


def around(folder):
    """What stands on the page before and after the markers: somebody's prose, which stays."""
    page = folder / PAGE
    text_ = page.read_text() if page.exists() else f"# What it costs\n\n{BEGIN}\n{END}\n"
    before, begin, rest = text_.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise Failure(f"{page} has no lines {BEGIN} and {END} to write between")
    return before, after


def write(document, folder):
    """Page, figures and plots."""
    before, after = around(folder)
    (folder / IMAGES).mkdir(parents=True, exist_ok=True)
    (folder / PAGE).write_text("\n".join([before + BEGIN, "", *markdown(document), "", END + after]))
    write_json(document, folder / FIGURES)
    for name, result in document["experiments"].items():
        for file, (_, svg) in experiments.ALL[name].plots(result).items():
            (folder / IMAGES / file).write_text(svg)


def write_json(document, path):
    path.write_text(json.dumps(document | {"targets": targets(document)}, indent=2, ensure_ascii=False) + "\n")
