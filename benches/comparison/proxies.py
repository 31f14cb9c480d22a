"""The origin, and the proxies in front of it: each configured for the same job out of `templates/`."""

import dataclasses
import pathlib
import re
import subprocess

import packages
from stage import listens, logged_port, on_free_ports, tail, wait_for
from terminal import Failure
from visit import BODY, LARGE_BODY

HAPROXY_TCP = "haproxy-tcp"
HAPROXY = "haproxy"
HAPROXY_LUA = "haproxy-lua"
NGINX = "nginx"
NGINX_LUA = "nginx-lua"
ENVOY = "envoy"
ENVOY_LUA = "envoy-lua"
FIREWALL = packages.FIREWALL

WHAT = {
    HAPROXY_TCP: "HAProxy in mode tcp: moves bytes",
    HAPROXY: "HAProxy: forwards",
    HAPROXY_LUA: "HAProxy + Lua: filters",
    NGINX: "nginx: forwards",
    NGINX_LUA: "nginx + Lua: filters",
    ENVOY: "Envoy: forwards",
    ENVOY_LUA: "Envoy + Lua: filters",
    FIREWALL: "cookie-firewall: filters",
}


@dataclasses.dataclass
class Place:
    """Where proxies are started, with what, and in front of what."""

    stage: object
    cpus: list
    origin: int
    certificate: object
    envoy: str
    workers: int = 1

    def folder(self, name):
        path = self.stage.directory / name
        path.mkdir(exist_ok=True)
        return path


@dataclasses.dataclass
class Certificate:
    chain: pathlib.Path
    key: pathlib.Path
    both: pathlib.Path  # as HAProxy reads it


@dataclasses.dataclass
class Proxy:
    name: str
    process: subprocess.Popen
    cpus: list
    port: int
    tls_port: int | None = None
    admin_port: int | None = None
    filters: bool = False

    @property
    def what(self):
        return WHAT.get(self.name, f"{self.name}: filters")


def start(place, name):
    """A peer by its name."""
    return PEERS[name](place, name)


def start_origin(stage, cpus, visit):
    lines = "\n".join(f'            add_header Set-Cookie "{line}";' for line in visit.set_cookies)
    stage.write("large", "x" * LARGE_BODY)

    def attempt(port):
        config = stage.render(["origin.conf"], "origin.conf", dir=stage.directory, port=port, set_cookies=lines, body=BODY)
        return stage.start(cpus, "origin", ["nginx", "-e", "stderr", "-p", stage.directory, "-c", config])

    process, [port] = on_free_ports("origin", 1, attempt)
    return process, port


def make_certificate(stage):
    """ECDSA on P-256, as most sites have; for no longer than anybody will measure."""
    chain, key = stage.directory / "chain.pem", stage.directory / "key.pem"
    made = packages.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                         "-keyout", str(key), "-out", str(chain), "-days", "30", "-subj", "/CN=portal.example",
                         "-addext", "subjectAltName=DNS:portal.example"])
    if made.returncode != 0:
        raise Failure(f"openssl makes no certificate:\n{made.stdout}")
    both = stage.write("both.pem", chain.read_text() + key.read_text())
    return Certificate(chain, key, both)


def start_haproxy_tcp(place, name):
    def attempt(port):
        config = place.stage.render(["haproxy-tcp.cfg"], f"{name}.cfg", port=port, origin=place.origin, workers=place.workers)
        return place.stage.start(place.cpus, name, ["haproxy", "-db", "-f", config])

    process, [port] = on_free_ports(name, 1, attempt)
    return Proxy(name, process, place.cpus, port)


def start_haproxy(place, name):
    filters = name == HAPROXY_LUA
    script = place.stage.render(["charter.lua", "haproxy.lua"], f"{name}.lua")
    actions = "    http-request lua.filter_request\n    http-response lua.filter_response"

    def attempt(port, tls_port):
        config = place.stage.render(["haproxy.cfg"], f"{name}.cfg", port=port, tls_port=tls_port, origin=place.origin,
                                    workers=place.workers, pem=place.certificate.both,
                                    load=f"    lua-load {script}" if filters else "", actions=actions if filters else "")
        return place.stage.start(place.cpus, name, ["haproxy", "-db", "-f", config])

    process, [port, tls_port] = on_free_ports(name, 2, attempt)
    return Proxy(name, process, place.cpus, port, tls_port, filters=filters)


def start_nginx(place, name):
    filters = name == NGINX_LUA
    folder = place.folder(name)
    place.stage.render(["charter.lua", "charter-module.lua"], f"{name}/charter.lua")
    request, response = (place.stage.render([f"nginx-{half}.lua"], f"{name}/{half}.lua") for half in ("request", "response"))
    modules = "\n".join(f"load_module {packages.NGINX_MODULES}/{module};" for module in
                        ("ndk_http_module.so", "ngx_http_lua_module.so"))
    package_path = f'    lua_package_path "{folder}/?.lua;;";'
    filter_ = (f"            set_by_lua_file $kept {request};\n"
               "            proxy_set_header Cookie $kept;\n"
               f"            header_filter_by_lua_file {response};")

    def attempt(port, tls_port):
        config = place.stage.render(["nginx.conf"], f"{name}/nginx.conf", port=port, tls_port=tls_port, origin=place.origin,
                                    dir=folder, chain=place.certificate.chain, key=place.certificate.key,
                                    modules=modules if filters else "", package_path=package_path if filters else "",
                                    filter=filter_ if filters else "")
        return place.stage.start(place.cpus, name, ["nginx", "-e", "stderr", "-p", folder, "-c", config])

    process, [port, tls_port] = on_free_ports(name, 2, attempt)
    return Proxy(name, process, place.cpus, port, tls_port, filters=filters)


def start_envoy(place, name):
    filters = name == ENVOY_LUA
    script = place.stage.render(["charter.lua", "envoy.lua"], f"{name}.lua")
    filter_ = f"""\
                  - name: envoy.filters.http.lua
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
                      default_source_code: {{ filename: {script} }}"""

    def attempt(port):
        config = place.stage.render(["envoy.yaml"], f"{name}.yaml", port=port, origin=place.origin,
                                    filter=filter_ if filters else "")
        return place.stage.start(place.cpus, name, [place.envoy, "--concurrency", place.workers, "--disable-hot-restart",
                                                    "--log-level", "error", "-c", config])

    process, [port] = on_free_ports(name, 1, attempt)
    return Proxy(name, process, place.cpus, port, filters=filters)


PEERS = {
    HAPROXY_TCP: start_haproxy_tcp,
    HAPROXY: start_haproxy,
    HAPROXY_LUA: start_haproxy,
    NGINX: start_nginx,
    NGINX_LUA: start_nginx,
    ENVOY: start_envoy,
    ENVOY_LUA: start_envoy,
}


def start_firewall(place, name, binary):
    return wait_for_firewall(name, *spawn_firewall(place, name, binary), place.cpus)


def spawn_firewall(place, name, binary):
    config = place.stage.render(["cookie-firewall.toml"], f"{name}/cookie-firewall.toml", workers=place.workers)
    place.stage.render(["site.toml"], f"{name}/sites/portal.toml", origin=place.origin, chain=place.certificate.chain,
                       key=place.certificate.key)
    return place.stage.start(place.cpus, name, [binary, "run", "--config", config])


def wait_for_firewall(name, process, log, cpus, pause=0.02):
    ports = []

    def is_up():
        ports[:] = [logged_port(log, listener) for listener in ("http", "https", "admin")]
        return process.poll() is not None or all(ports) and all(map(listens, ports))

    if not wait_for(is_up, pause=pause) or process.poll() is not None:
        raise Failure(f"{name} does not start, or does not log the ports it listens on:\n{tail(log)}")
    return Proxy(name, process, cpus, *ports, filters=True)


def versions(bench):
    """What was measured, and with what."""
    programs = {"HAProxy": ["haproxy", "-v"], "nginx": ["nginx", "-v"], "Envoy": [bench.envoy, "--version"],
                "wrk": ["wrk", "-v"], "h2load": ["h2load", "--version"], "OpenSSL": ["openssl", "version"]}
    programs |= {name: [binary, "--version"] for name, binary in bench.binaries}
    return {name: version(command) for name, command in programs.items()}


def version(command):
    """The first thing in what it prints, its own path aside, that looks like one."""
    found = re.search(r"\d+\.\d+[\w.+~-]*", packages.run(command).stdout.replace(command[0], ""))
    return found[0] if found else "unknown"
