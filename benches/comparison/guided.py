"""The firewall as it is measured: built by what it was seen to spend its time with (profile-guided optimisation).

    a build that counts  ──►  visitors of all kinds, some seconds of each  ──►  a build by these counts

The result is the same program: what runs for every request lies together in it, laid out for the way that is taken.
"""

import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import time

import load
import machine
import packages
import proxies
from experiments import reload
from stage import Stage
from terminal import Failure, say
from visit import Visit

SECONDS = 3  # of each kind of traffic
SITES, DECLARATIONS = 1000, 20


def build():
    """The path of the program. What is there already from the same sources is not made again."""
    merger = profdata()
    folder = target_directory() / "guided"
    say("building the firewall that counts what it does (1 of 2)")
    counting = cargo_build(folder / "counting", f"-Cprofile-generate={folder / 'counts'}")
    # By its content: cargo would not see that a profile of the same name is another.
    profile = folder / f"{hashlib.sha256(pathlib.Path(counting).read_bytes()).hexdigest()[:16]}.profdata"
    if not profile.exists():
        say("visiting it")
        shutil.rmtree(folder / "counts", ignore_errors=True)
        train(counting)
        merge(merger, folder / "counts", profile)
    say("building the firewall by what was counted (2 of 2)")
    return cargo_build(folder / "built", f"-Cprofile-use={profile}")


def cargo_build(folder, flag):
    """With a target named, so that the flag is for the program alone and not for what helps to build it."""
    return packages.cargo_build("--release", "--target", host(), "--target-dir", folder,
                                env=os.environ | {"CARGO_ENCODED_RUSTFLAGS": flag})


def train(binary):
    """What a portal sees: visitors who refused, accepted, or said nothing yet, over every transport, and files; and a start with
    many sites."""
    cpus = machine.two_cpus()
    with Stage() as stage:
        visits = [visitor(answer) for answer in (False, True, None)]
        _, origin = proxies.start_origin(stage, cpus[1:], visits[0])
        place = proxies.Place(stage, cpus[:1], origin, proxies.make_certificate(stage), envoy="")
        reload.write_sites(stage.directory / packages.FIREWALL / "sites", origin, SITES, DECLARATIONS)
        firewall = proxies.start_firewall(place, packages.FIREWALL, binary)
        for visit in visits:
            load.wrk(firewall, visit, cpus[1:], SECONDS, connections=32)
            load.h2load_closed(firewall, visit, cpus[1:], SECONDS, connections=8, streams=8)
        load.h2load_connecting(firewall, visits[0], cpus[1:], count=100 * SECONDS, each_second=100)
        load.wrk(firewall, visits[0], cpus[1:], SECONDS, connections=8, path="/large")
        # It writes its counts when it ends by itself.
        firewall.process.terminate()
        if firewall.process.wait(30) != 0:
            raise Failure("the program that counts does not end well")


def visitor(answer):
    """One who refused, accepted, or has not been asked."""
    visit = Visit(time.time())
    pairs = visit.headers["Cookie"].split("; ")
    if answer is None:
        pairs = [pair for pair in pairs if not pair.startswith("cookies_preferences=")]
    elif answer:
        pairs = [pair.replace("false", "true") for pair in pairs]
    visit.headers["Cookie"] = "; ".join(pairs)
    return visit


def merge(merger, counts, profile):
    answer = packages.run([merger, "merge", "--output", str(profile), str(counts)])
    if answer.returncode != 0:
        raise Failure(f"{merger} cannot read what was counted (is it of rustc's LLVM?):\n{answer.stdout.strip()[-2000:]}")


def profdata():
    """llvm-profdata that reads what this rustc's programs write."""
    major = re.search(r"^LLVM version: (\d+)", rustc("-vV"), re.MULTILINE)[1]
    sysroot = pathlib.Path(rustc("--print", "sysroot").strip())
    package = f"llvm-{major}"
    names = [os.environ.get("LLVM_PROFDATA", ""), str(sysroot / f"lib/rustlib/{host()}/bin/llvm-profdata"), f"llvm-profdata-{major}"]

    def there():
        return next(filter(None, map(shutil.which, names)), None)

    if not there() and os.geteuid() == 0 and shutil.which("apt-get"):
        say(f"installing with apt-get: {package}")
        packages.apt_get("update")
        packages.apt_get("install", "--yes", "--no-install-recommends", package)
    if not there():
        raise Failure(f"llvm-profdata is missing: rustup component add llvm-tools, or Debian's package {package}")
    return there()


def host():
    return re.search(r"^host: (.*)$", rustc("-vV"), re.MULTILINE)[1]


def rustc(*arguments):
    return packages.run(["rustc", *arguments], cwd=packages.HERE).stdout


def target_directory():
    command = ["cargo", "metadata", "--no-deps", "--format-version", "1"]
    return pathlib.Path(json.loads(subprocess.run(command, cwd=packages.HERE, stdout=subprocess.PIPE, check=True).stdout)["target_directory"])
