"""Which Set-Cookie lines left Django, told beside the lines themselves.

Session ids and tokens differ from response to response, so what the firewall did to a line can only be seen by
comparing it with the very line that Django sent. A response header carries a copy of them, as a JSON list.
"""

import json
from http.cookies import Morsel

HEADER = "Portal-Sent-Cookies"


class SentCookies:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        lines = [morsel.OutputString() for morsel in response.cookies.values()]
        response[HEADER] = json.dumps(lines)  # ASCII only: bytes above 0x7F become escapes
        return response


class RawMorsel(Morsel):
    """A Set-Cookie line that http.cookies would not write: nameless, or with bytes above 0x7F."""

    def __init__(self, line):
        super().__init__()
        self.line = line

    def OutputString(self, attrs=None):  # the name is http.cookies'
        return self.line


def set_raw_cookie(response, line):
    """Adds `line` to the response as it stands; WSGI sends its characters as Latin-1 bytes."""
    # Past SimpleCookie.__setitem__, which would check and quote. The key only keeps the lines apart.
    dict.__setitem__(response.cookies, f"raw-{len(response.cookies)}", RawMorsel(line))
