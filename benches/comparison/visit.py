"""What one visitor sends and one portal answers: the exchange that every proxy has in hand."""

import email.utils
import json
import urllib.parse

SITE = "portal.example"
BODY = "a portal's page ".ljust(1024, ".")
LARGE_BODY = 1024 * 1024
ALLOWED = ["sessionid", "csrftoken"]
DAY = 86400


class Visit:
    """The request that is repeated, and the seven lines that the origin answers it with."""

    def __init__(self, now):
        refusal = {"functional_cookies": True, "matomo": False, "xiti": False, "timestamp": int((now - DAY) * 1000)}
        consent = urllib.parse.quote(json.dumps(refusal, separators=(",", ":")), safe="")
        self.allowed_pairs = ["sessionid=3n7w1c0v5p9xk2q8r4t6y1u3i5o7a9s2",
                              "csrftoken=Vb2Nn4Mm6Kk8Jj0Hh1Gg3Ff5Dd7Ss9Aa",
                              f"cookies_preferences={consent}"]
        self.undeclared_pair = "city_tracker=9b1f0e7d-5c3a-4e28-8f61-0d2c4b6a8e90"
        self.headers = {
            "Host": SITE,
            "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "Accept-Language": "fr,fr-FR;q=0.8,en-US;q=0.5,en;q=0.3",
            "Cookie": "; ".join(self.allowed_pairs + [self.undeclared_pair]),
        }
        self.set_cookies = [
            self.django(now, "sessionid=3n7w1c0v5p9xk2q8r4t6y1u3i5o7a9s2", 14 * DAY, "HttpOnly; "),
            self.django(now, "csrftoken=Vb2Nn4Mm6Kk8Jj0Hh1Gg3Ff5Dd7Ss9Aa", 364 * DAY),
            "_pk_id.1.1fff=5e1c7a9d3b2f4068.1763900000.; Max-Age=33696000; Path=/; SameSite=Lax",
            "_pk_ses.1.1fff=1; Max-Age=1800; Path=/; SameSite=Lax",
            "_ga=GA1.1.1029384756.1763900000; Max-Age=63072000; Path=/",
            "_fbp=fb.1.1763900000000.564738291; Max-Age=7776000; Path=/; SameSite=Lax",
            f"{self.undeclared_pair}; Max-Age=31536000; Path=/; SameSite=None; Secure",
        ]

    @staticmethod
    def django(now, pair, max_age, flags=""):
        expires = email.utils.formatdate(now + max_age, usegmt=True)
        return f"{pair}; expires={expires}; {flags}Max-Age={max_age}; Path=/; SameSite=Lax; Secure"

    def allowed_set_cookies(self):
        return [line for line in self.set_cookies if line.partition("=")[0] in ALLOWED]

    def request(self, path):
        """The request as bytes of HTTP/1.1."""
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in self.headers.items())]
        return "\r\n".join([*lines, "", ""]).encode()
