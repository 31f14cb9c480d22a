"""Plots as SVG, readable on a light and on a dark page: bars and lines, with their units. Each is its title and the SVG."""

from xml.sax.saxutils import escape

from proxies import FIREWALL

WIDTH = 760
LABELS = 250  # width of the column of labels
STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.page { fill: #ffffff; } .title { font-size: 15px; font-weight: 600; } .note { font-size: 12px; fill: #59636e; }
.grid { stroke: #d1d9e0; } .own { fill: #0969da; } .peer { fill: #7d8590; } .light { opacity: 0.55; }
.line { fill: none; stroke-width: 2; } .c0 { stroke: #0969da; } .c1 { stroke: #7d8590; } .c2 { stroke: #bc4c00; }
.c3 { stroke: #1a7f37; } .c4 { stroke: #8250df; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; } .page { fill: #0d1117; } .note { fill: #9198a1; } .grid { stroke: #3d444d; }
.own { fill: #4493f8; } .peer { fill: #8b949e; } .c0 { stroke: #4493f8; } .c1 { stroke: #9198a1; } .c2 { stroke: #f0883e; }
.c3 { stroke: #3fb950; } .c4 { stroke: #ab7df8; }
}"""


def bars(title, unit, rows, parts=(), form="{:.1f}"):
    """Horizontal bars. `rows`: (label, name of the proxy, [a value for each part]); parts of one bar stand end to end."""
    top, step = 62, 30
    most = max(sum(values) for _, _, values in rows) or 1
    scale = (WIDTH - LABELS - 90) / most
    drawn = []
    for place, (label, name, values) in enumerate(rows):
        y, x = top + place * step, LABELS
        drawn.append(text(LABELS - 10, y + 15, label, anchor="end"))
        for part, value in enumerate(values):
            drawn.append(f'<rect class="{"own" if is_own(name) else "peer"}{" light" if part % 2 else ""}" '
                         f'x="{x:.1f}" y="{y}" width="{value * scale:.1f}" height="20"/>')
            x += value * scale
        drawn.append(text(x + 6, y + 15, form.format(sum(values))))
    note = unit if not parts else f"{unit}: {', then lighter '.join(parts)}"
    return title, svg(title, note, top + len(rows) * step + 14, drawn)


def lines(title, unit, columns, rows):
    """A line for each row: (label, [a value for each column]). The scale begins at zero."""
    top, height, left, right = 70, 240, 64, 190
    most = max(value for _, values in rows for value in values) or 1
    width = WIDTH - left - right
    drawn = []
    for part in range(5):
        y = top + height - height * part / 4
        drawn += [f'<line class="grid" x1="{left}" x2="{left + width}" y1="{y:.1f}" y2="{y:.1f}"/>',
                  text(left - 8, y + 4, f"{most * part / 4:.2f}", anchor="end")]
    xs = [left + width * place / (len(columns) - 1) for place in range(len(columns))]
    drawn += [text(x, top + height + 20, column, anchor="middle") for x, column in zip(xs, columns)]
    for place, (label, values) in enumerate(rows):
        points = " ".join(f"{x:.1f},{top + height - height * value / most:.1f}" for x, value in zip(xs, values))
        y = top + 12 + place * 22
        kind, key = f"line c{place % 5}", WIDTH - right + 14
        drawn += [f'<polyline class="{kind}" points="{points}"/>',
                  f'<line class="{kind}" x1="{key}" x2="{key + 20}" y1="{y - 4}" y2="{y - 4}"/>', text(key + 26, y, label)]
    return title, svg(title, unit, top + height + 36, drawn)


def is_own(name):
    return name == FIREWALL


def text(x, y, content, kind="", anchor="start"):
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(str(content))}</text>'


def svg(title, note, height, drawn):
    head = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">',
            f"<style>\n{STYLE}\n</style>", f'<rect class="page" width="{WIDTH}" height="{height}" rx="6"/>',
            text(16, 26, title, "title"), text(16, 46, note, "note")]
    return "\n".join([*head, *drawn, "</svg>", ""])
