"""Site files: the project's own five, and one whose charter has cookies that need consent."""

import json
import re
import time
import tomllib
from pathlib import Path
from urllib.parse import quote

PROJECT = Path(__file__).parents[3]

DOMAINS = [
    "data.osmontrouge.fr",
    "opendata.ha-py.fr",
    "data.ville-soissons.fr",
    "donnees.grandchambery.fr",
    "data.metropole-rouen-normandie.fr",
]

# What each of the five charters declares, and nothing else.
DECLARED = {"sessionid", "csrftoken", "django_language", "cookies_preferences"}

OWN_DOMAIN = "portal.example"

_OWN_SITE = """\
domain   = "{domain}"
upstream = "http://{upstream}"
mode     = "{mode}"
language = "fr"

[consent]
tool    = "opendatasoft"
max_age = "6 months"

[consent.categories]
statistics = ["matomo"]
marketing  = ["ga"]

[[cookie]]
name     = "sessionid"
provider = "Opendatasoft"
service  = "Authentification"
purpose  = "Se souvenir de l'utilisateur d'une page à une autre."
category = "necessary"

[[cookie]]
name     = "csrftoken"
provider = "Opendatasoft"
service  = "API (CSRF)"
purpose  = "Récupérer des données via des appels API"
category = "necessary"

[[cookie]]
name     = "django_language"
provider = "Opendatasoft"
service  = "Sélection de la langue"
purpose  = "Se souvenir de la langue du visiteur"
category = "necessary"

[[cookie]]
name     = "cookies_preferences"
provider = "Opendatasoft"
service  = "Préférences"
purpose  = "Se souvenir du choix du visiteur"
category = "necessary"

[[cookie]]
name     = "_pk_id.*"
provider = "Matomo"
service  = "Mesure d'audience"
purpose  = "Distinguer les visiteurs"
category = "statistics"
consent  = "matomo"
max_age  = "13 months"

[[cookie]]
name     = "_ga"
provider = "Google"
service  = "Publicité"
purpose  = "Suivre les visiteurs"
category = "marketing"
consent  = "ga"
"""


def published(domain, upstream):
    """The project's own file for `domain`, with nothing changed but where its upstream is."""
    text = (PROJECT / "config" / "sites" / f"{domain}.toml").read_text()
    text, changed = re.subn(r"(?m)^upstream\s*=.*$", f'upstream = "http://{upstream}"', text)
    assert changed == 1, f"{domain}.toml has {changed} upstream lines"
    return text


def own(upstream, mode="enforce"):
    """A site with `_pk_id.*` (statistics, consent matomo) and `_ga` (marketing, consent ga)."""
    return _OWN_SITE.format(domain=OWN_DOMAIN, upstream=upstream, mode=mode)


def declarations(text):
    """{cookie name: its declaration as written}."""
    return {cookie["name"]: cookie for cookie in tomllib.loads(text)["cookie"]}


def consent_cookie(*, age_days=0, **answers):
    """The pair that Opendatasoft's banner leaves: consent_cookie(matomo=True, ga=False)."""
    milliseconds = int((time.time() - age_days * 86_400) * 1000)
    choice = {"functional_cookies": True} | answers | {"timestamp": milliseconds}
    return "cookies_preferences=" + quote(json.dumps(choice, separators=(",", ":")), safe="")
