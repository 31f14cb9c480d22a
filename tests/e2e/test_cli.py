"""The commands that serve nobody: check and explain."""

import json
import subprocess

import pytest

from harness import sites
from harness.processes import DEADLINE_SECONDS

UPSTREAM = "127.0.0.1:8000"  # these commands connect to nobody


@pytest.fixture
def run(binary):
    def run(*arguments):
        return subprocess.run([str(word) for word in (binary, *arguments)], capture_output=True,
                              text=True, timeout=DEADLINE_SECONDS, stdin=subprocess.DEVNULL)

    return run


def line_of(text, needle):
    return next(number for number, line in enumerate(text.splitlines(), 1) if needle in line)


def test_check_accepts_the_projects_own_sites(run, write_config):
    config = write_config(*(sites.published(domain, UPSTREAM) for domain in sites.DOMAINS))
    result = run("check", "--config", config)
    assert result.returncode == 0, result.stderr


def test_check_names_every_mistake_with_its_place(run, write_config):
    text = sites.own(UPSTREAM).replace('mode     = "enforce"', 'moed     = "enforce"')
    text = text.replace('max_age  = "13 months"', 'max_age  = "13 moons"')
    text += '\n[[cookie]]\nname = "__Host-id"\nprovider = "P"\nservice = "S"\npurpose = "W"\n'
    text += 'category = "necessary"\npath = "/below"\n'
    text += '\n[[cookie]]\nname = "sessionid"  # again\nprovider = "P"\nservice = "S"\npurpose = "W"\n'
    text += 'category = "necessary"\n'
    other = 'domain = "other.example"\nupstream = "gopher://nowhere"\n'

    result = run("check", "--config", write_config(text, other))
    assert result.returncode == 2
    said = result.stdout + result.stderr
    for needle in ["moed", "13 moons", "/below", "# again"]:
        assert f"site-0.toml:{line_of(text, needle)}" in said, f"{needle} is not reported:\n{said}"
    assert f"site-1.toml:{line_of(other, 'gopher')}" in said, said
    assert "mode" in said, "no remedy for the key that is not known"


def test_run_refuses_what_check_refuses(run, write_config):
    config = write_config(sites.own(UPSTREAM).replace("mode ", "moed "))
    result = run("run", "--config", config)
    assert result.returncode == 2
    assert "listening" not in result.stderr


def test_bad_usage_exits_2(run):
    assert run("no-such-command").returncode == 2


@pytest.fixture
def explain(run, write_config):
    """{cookie name: the object that explain prints for it}."""
    config = write_config(sites.own(UPSTREAM))

    def explain(*arguments):
        result = run("explain", "--config", config, "--site", sites.OWN_DOMAIN, "--format", "json", *arguments)
        assert result.returncode == 0, result.stderr
        return [json.loads(line) for line in result.stdout.splitlines()]

    return explain


LINES = ["sessionid=1; Path=/", "_pk_id.1=2; Max-Age=999999999", "_ga=3", "unheard-of=4", "nameless"]


def test_explain_says_why(explain):
    consent = sites.consent_cookie(matomo=True, ga=False)
    said = explain("--cookie", consent, *LINES)
    assert [(row["name"], row["decision"], row["reason"], row["declaration"], row["category"]) for row in said] == [
        ("sessionid", "keep", "exempt", "sessionid", "necessary"),
        ("_pk_id.1", "rewrite", "lifetime", "_pk_id.*", "statistics"),
        ("_ga", "block", "denied", "_ga", "marketing"),
        ("unheard-of", "block", "undeclared", None, None),
        ("", "block", "nameless", None, None),
    ]
    assert [row["result"] for row in said] == [
        "sessionid=1; Path=/", f"_pk_id.1=2; Max-Age={13 * 30 * 86_400}", None, None, None,
    ]


def test_explain_knows_the_time_it_is_told(explain):
    consent = sites.consent_cookie(matomo=True, ga=True)
    [row] = explain("--cookie", consent, "--now", "2099-01-01T00:00:00Z", "_ga=3")
    assert (row["decision"], row["reason"]) == ("block", "unset")


def test_explain_in_words_names_the_reasons(run, write_config):
    config = write_config(sites.own(UPSTREAM))
    result = run("explain", "--config", config, "--site", sites.OWN_DOMAIN, *LINES)
    assert result.returncode == 0, result.stderr
    for reason in ["exempt", "unset", "undeclared", "nameless"]:
        assert reason in result.stdout
