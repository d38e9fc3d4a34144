"""The tool chains: what they need, and how each makes and runs its client."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

CLIENTS = Path(__file__).parent / "clients"
BUILD = Path(__file__).parent / "build"
SERVICES = ("access", "authorization", "sdr")

BUILD_SECONDS_MAX = 600
"""Longest run of a generator or compiler."""
RUN_SECONDS_MAX = 60
"""Longest run of a client."""

_GSOAP_IMPORTS = Path("/usr/share/gsoap/import")
_JAXWS_JAR = Path("/usr/share/java/jaxws-rt.jar")

Command = list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool chain: ``make`` turns WSDLs into a client and returns its command."""

    name: str
    needs: tuple[str, ...]
    packages: str
    make: Callable[[Path, Sequence[str]], Command]

    def client(self, url: str) -> Command:
        """Return the command of the client, made from the server's own WSDLs.

        Skips the test when the tool is not on this machine.
        """
        missing = [need for need in self.needs if not _is_there(need)]
        if missing:
            pytest.skip(f"{missing} not found; install {self.packages}")
        folder = BUILD / self.name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(CLIENTS / self.name, folder)
        wsdls = [f"{url}/services/{service}?wsdl" for service in SERVICES]
        return self.make(folder, wsdls)


def run(command: Command, given: Mapping[str, object]) -> dict[str, str]:
    """Run a client and return what it said, as ``name=value`` lines."""
    words = [f"{name}={value}" for name, value in given.items()]
    done = _run([*command, *words], seconds=RUN_SECONDS_MAX)
    return dict(line.split("=", 1) for line in done.splitlines() if "=" in line)


def _run(command: Command, *, folder: Path | None = None, seconds: int) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"
    return done.stdout


def _is_there(need: str) -> bool:
    return (
        Path(need).exists() if need.startswith("/") else shutil.which(need) is not None
    )


def _make_zeep(folder: Path, wsdls: Sequence[str]) -> Command:
    _ = wsdls
    return [sys.executable, str(folder / "client.py")]


def _make_php(folder: Path, wsdls: Sequence[str]) -> Command:
    _ = wsdls
    modules = _run(["php", "-m"], seconds=RUN_SECONDS_MAX).split()
    if "soap" not in modules:
        pytest.skip("PHP has no module soap; install php-soap")
    return ["php", str(folder / "client.php")]


def _make_node(folder: Path, wsdls: Sequence[str]) -> Command:
    _ = wsdls
    install = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock"]
    _run(install, folder=folder, seconds=BUILD_SECONDS_MAX)
    return ["node", str(folder / "client.js")]


def _make_gsoap(folder: Path, wsdls: Sequence[str]) -> Command:
    steps = [
        ["wsdl2h", "-t", "typemap.dat", "-o", "service.h", *wsdls],
        ["soapcpp2", "-j", "-C", f"-I{_GSOAP_IMPORTS}", "service.h"],
    ]
    for step in steps:
        _run(step, folder=folder, seconds=BUILD_SECONDS_MAX)
    sources = sorted(path.name for path in folder.glob("*.cpp"))
    compiled = ["g++", "-O0", "-o", "client", *sources, "-lgsoap++"]
    _run(compiled, folder=folder, seconds=BUILD_SECONDS_MAX)
    return [str(folder / "client")]


def _make_jaxws(folder: Path, wsdls: Sequence[str]) -> Command:
    for wsdl in wsdls:
        # Without the flag the header is no parameter of the methods.
        generate = ["wsimport", "-quiet", "-XadditionalHeaders", "-keep", "-Xnocompile"]
        _run([*generate, "-s", ".", wsdl], folder=folder, seconds=BUILD_SECONDS_MAX)
    # All of them: the files package-info hold the namespaces, and nothing names them.
    sources = [str(path) for path in sorted(folder.rglob("*.java"))]
    classes = folder / "classes"
    classes.mkdir()
    compiled = ["javac", "-nowarn", "-d", str(classes), "-cp", str(_JAXWS_JAR)]
    _run([*compiled, *sources], seconds=BUILD_SECONDS_MAX)
    return ["java", "-cp", f"{_JAXWS_JAR}:{classes}", "Client"]


TOOLS = (
    Tool(name="zeep", needs=(), packages=".[endpoint]", make=_make_zeep),
    Tool(name="php", needs=("php",), packages="php-cli php-soap", make=_make_php),
    Tool(name="node", needs=("node", "npm"), packages="nodejs npm", make=_make_node),
    Tool(
        name="gsoap",
        needs=("wsdl2h", "soapcpp2", "g++", str(_GSOAP_IMPORTS)),
        packages="gsoap libgsoap-dev g++",
        make=_make_gsoap,
    ),
    Tool(
        name="jaxws",
        needs=("wsimport", "javac", "java", str(_JAXWS_JAR)),
        packages="jaxws libjaxws-java openjdk-17-jdk-headless",
        make=_make_jaxws,
    ),
)
