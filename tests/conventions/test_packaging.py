"""The package can be installed as it stands, with pinned versions."""

from __future__ import annotations

import configparser
import re
import subprocess
import tomllib

import pytest

import clearinghouse
from clearinghouse.settings import Settings
from tests.conventions.source import PACKAGE, ROOT

PATTERNS = (
    "py.typed",
    "wsdl/*.wsdl",
    "xsd/*.xsd",
    "storage/**/*.mako",
    "verify/*.sql",
)
PIN = re.compile(r"(?P<name>[a-z0-9.-]+)==(?P<version>[0-9a-z.]+)( ; [^#@]+)?")


@pytest.fixture(scope="module", name="setup")
def fixture_setup() -> configparser.ConfigParser:
    setup = configparser.ConfigParser(interpolation=None)
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    return setup


def pins() -> dict[str, str]:
    """Return the pinned version of each package."""
    lines = (ROOT / "deploy" / "constraints.txt").read_text(encoding="utf-8")
    found = {}
    for line in lines.splitlines():
        if line.startswith("#"):
            continue
        match = PIN.fullmatch(line)
        assert match, f"not a plain pin: {line}"
        found[match["name"]] = match["version"]
    return found


def _wanted(block: str) -> set[str]:
    return {
        re.split(r"[\[<>=!~ ]", line)[0].lower()
        for line in block.split("\n")
        if line and not line.startswith("%")
    }


def test_every_requirement_is_pinned(setup: configparser.ConfigParser) -> None:
    wanted = _wanted(setup["options"]["install_requires"])
    for extra in setup["options.extras_require"].values():
        wanted |= _wanted(extra)

    assert wanted <= pins().keys()


def test_package_data_matches_files(setup: configparser.ConfigParser) -> None:
    patterns = setup["options.package_data"]["clearinghouse"].split()
    carried = {path for pattern in patterns for path in PACKAGE.glob(pattern)}

    for pattern in PATTERNS:
        found = set(PACKAGE.glob(pattern))
        assert found
        assert found <= carried


def test_version_is_in_the_changelog() -> None:
    changes = (ROOT / "CHANGELOG.rst").read_text(encoding="utf-8")

    assert re.search(
        rf"^{re.escape(clearinghouse.__version__)} - ", changes, re.MULTILINE
    )


@pytest.mark.parametrize("script", ["run", ".ci/run"])
def test_shell_scripts_are_executable_and_parse(script: str) -> None:
    path = ROOT / script
    shell = path.read_text(encoding="utf-8").partition("\n")[0].rpartition("/")[2]

    assert path.stat().st_mode & 0o111
    subprocess.run([shell.removeprefix("env "), "-n", str(path)], check=True)


def test_sample_settings_are_valid() -> None:
    text = (ROOT / "deploy" / "clearinghouse.toml").read_text(encoding="utf-8")

    settings = Settings(**tomllib.loads(text))

    assert settings.url == "https://roaming.example"


def test_pyproject_holds_only_what_setup_cfg_cannot() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")

    found = tomllib.loads(text)

    assert found.keys() == {"build-system", "tool"}
    assert found["tool"].keys() == {"ruff"}
    assert found["tool"]["ruff"]["lint"]["select"] == ["ALL"]


def test_every_exception_from_a_rule_has_its_reason() -> None:
    for name in ("pyproject.toml", "setup.cfg"):
        text = (ROOT / name).read_text(encoding="utf-8")
        codes = re.findall(r'^ +"[A-Z]+[0-9]*",(.*)$', text, re.MULTILINE)
        assert all(re.match(r" +# \w+", reason) for reason in codes), name


def test_every_silenced_complaint_names_its_rule() -> None:
    # built from pieces: ruff would read the whole word as a directive
    bare = re.compile("# (no" + r"qa(?!: [A-Z]+[0-9]+)|type: ignore(?!\[))")
    places = [
        f"{path.relative_to(ROOT)}:{number}"
        for folder in ("clearinghouse", "tests", "docs")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if bare.search(line)
    ]

    assert not places
