"""Settings of the portal: Django's defaults wherever it has one, its cookie names above all."""

import os
import secrets
from pathlib import Path

STATE = Path(os.environ["PORTAL_STATE"])  # a directory of the test run; nothing is kept

# One worker serves the whole run, so a key of its own is enough.
SECRET_KEY = secrets.token_urlsafe(50)
DEBUG = False
ALLOWED_HOSTS = [
    "data.osmontrouge.fr",
    "opendata.ha-py.fr",
    "data.ville-soissons.fr",
    "donnees.grandchambery.fr",
    "data.metropole-rouen-normandie.fr",
    "portal.example",  # the site of the tests that bring a charter of their own
    "127.0.0.1",
]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
]
MIDDLEWARE = [
    "portal.sent.SentCookies",  # outermost: it sees every cookie that the others set
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
ROOT_URLCONF = "portal.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "templates"],
    }
]
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": STATE / "portal.sqlite3"}
}

LOGIN_REDIRECT_URL = "/account/"
LANGUAGE_CODE = "fr"
LANGUAGES = [("fr", "Français"), ("en", "English")]
USE_TZ = True
