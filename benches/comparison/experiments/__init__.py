"""One module for each experiment, all of the same form:

`NAME` and `TITLE`; `seconds(settings, firewalls)`, what it takes; `run(bench)`, its result, which can be written as JSON; and of
such a result `report` (lines of Markdown), `plots` ({file name: (what it shows, SVG)}) and `targets` (what should be reached).
"""

from experiments import bodies, handshakes, http1, http2, idle, latency, reload, scaling

ALL = {module.NAME: module for module in (http1, http2, handshakes, bodies, latency, idle, scaling, reload)}
