"""A visitor: http.client with a cookie jar of ten lines, so that nothing tidies up what goes over the wire."""

import http.client
import json
import re
from dataclasses import dataclass
from urllib.parse import urlencode

from harness.cookies import SetCookie
from harness.processes import DEADLINE_SECONDS


@dataclass
class Response:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def set_cookies(self):
        """The Set-Cookie lines in their order, a character a byte."""
        return self.headers.get_all("Set-Cookie") or []

    @property
    def sent_by_portal(self):
        """The Set-Cookie lines that Django put into this very response."""
        return json.loads(self.headers["Portal-Sent-Cookies"])

    @property
    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)


class Visitor:
    """One connection, kept alive, to `address` for the site `host`."""

    def __init__(self, address, host):
        self.host = host
        self.jar = {}
        self.history = []
        self.connection = http.client.HTTPConnection(address, timeout=DEADLINE_SECONDS)

    def close(self):
        self.connection.close()

    def request(self, method, path, body=None, headers=(), cookie=None):
        """One exchange. `cookie` is sent instead of the jar; a list of them is sent as several Cookie lines."""
        self.send(method, path, body, headers, cookie)
        return self.receive()

    def send(self, method, path, body=None, headers=(), cookie=None):
        self.connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        self.connection.putheader("Host", self.host)
        for line in self._cookie_lines(cookie):
            self.connection.putheader("Cookie", line)
        for name, value in headers:
            self.connection.putheader(name, value)
        if isinstance(body, bytes):
            self.connection.putheader("Content-Length", str(len(body)))
            self.connection.endheaders(body)
        elif body is not None:  # pieces, whose number nobody knows
            self.connection.putheader("Transfer-Encoding", "chunked")
            self.connection.endheaders(body, encode_chunked=True)
        else:
            self.connection.endheaders()

    def _cookie_lines(self, cookie):
        if cookie is None:
            jar = "; ".join(f"{name}={value}" for name, value in self.jar.items())
            return [jar] if jar else []
        return [cookie] if isinstance(cookie, str) else cookie

    def receive(self):
        answer = self.connection.getresponse()
        response = Response(answer.status, answer.headers, answer.read())
        self._remember(response)
        return response

    def _remember(self, response):
        self.history.append(response)
        for line in response.set_cookies:
            cookie = SetCookie(line)
            if cookie.expires_itself():
                self.jar.pop(cookie.name, None)
            else:
                self.jar[cookie.name] = cookie.value

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, fields, **options):
        body = urlencode(fields).encode()
        headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Origin", f"http://{self.host}")]
        return self.request("POST", path, body, headers, **options)

    def echo(self, **options):
        """What of a request reaches Django."""
        response = self.get("/echo/", **options)
        assert response.status == 200, response.text
        return response.json()

    def csrf_token(self, path):
        """The token in the form at `path`."""
        page = self.get(path)
        assert page.status == 200, page.text
        return re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text).group(1)
