"""The doctor and the settings: what is wrong, and what to do, in words."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from typer.testing import CliRunner

from clearinghouse import settings
from clearinghouse.cli import doctor
from clearinghouse.cli.verbs import application
from clearinghouse.contract.catalogue import Contract
from clearinghouse.contract.errors import ContractError
from clearinghouse.storage import schema
from clearinghouse.storage.vault import Vault
from tests.running.program import Program, own_port

if TYPE_CHECKING:
    from typer.testing import Result

    from tests.fixtures.database import Site


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the verbs run in a folder without a file of settings, on a free port."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLEARINGHOUSE_STATE_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("CLEARINGHOUSE_PORT", str(own_port()))
    return tmp_path


@pytest.fixture
def on_site(place: Path, site: Site, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the verbs find the test's database."""
    _use(site, monkeypatch)
    return place


def _use(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEARINGHOUSE_DATABASE_URL", site.business_url)
    monkeypatch.setenv("CLEARINGHOUSE_DATABASE_PRIVACY_URL", site.privacy_url)
    monkeypatch.setenv("CLEARINGHOUSE_DATABASE_OWNER_URL", site.owner_url)


def run(*words: str) -> Result:
    return CliRunner().invoke(application, list(words))


def found(result: Result) -> dict[str, Any]:
    """Return the findings by what was looked at; the worse of two wins."""
    rows = sorted(json.loads(result.stdout), key=lambda row: row["state"] != "ok")
    return {row["what"]: row for row in rows}


def test_doctor_finds_nothing_wrong_with_a_sound_house(on_site: Path) -> None:
    looked = run("--json", "doctor")

    assert looked.exit_code == 0, looked.output
    assert {row["state"] for row in found(looked).values()} == {"ok"}
    assert found(looked)["database"]["found"] == f"up to date ({schema.head()})"
    assert not (on_site / "var").exists()  # it looks, and makes nothing


def test_doctor_says_how_settlement_runs_pay(
    on_site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = found(run("--json", "doctor"))["settlement runs"]["found"]
    monkeypatch.setenv("CLEARINGHOUSE_SETTLEMENT_MODEL", "BILATERAL")

    looked = found(run("--json", "doctor"))["settlement runs"]["found"]
    monkeypatch.setenv("CLEARINGHOUSE_SETTLEMENT_MODEL", "NET")
    wrong = run("--json", "doctor")

    assert usual.startswith("MULTILATERAL: one payment per position")
    assert looked.startswith("BILATERAL: one payment per pair")
    assert wrong.exit_code != 0
    assert "settlement_model" in wrong.output.lower() + wrong.stderr.lower()
    assert on_site.exists()


def test_doctor_before_the_first_start_finds_nothing_wrong(place: Path) -> None:
    looked = run("--json", "doctor")

    assert looked.exit_code == 0, looked.output
    assert "first start" in found(looked)["database"]["found"]
    assert not (place / "var").exists()


def test_doctor_speaks_in_lines_that_can_be_copied(
    on_site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEARINGHOUSE_DATABSE_URL", "postgresql://slip")

    looked = run("doctor")

    assert looked.exit_code == 1
    assert "WRONG settings" in looked.output
    assert "CLEARINGHOUSE_DATABSE_URL" in looked.output
    assert "clearinghouse config explain" in looked.output
    assert "slip" not in looked.output
    assert on_site.exists()


def test_doctor_names_the_step_for_a_database_without_tables(
    place: Path, empty_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    _use(empty_site, monkeypatch)

    looked = found(run("--json", "doctor"))["database"]

    assert "no tables" in looked["found"]
    assert "clearinghouse database upgrade" in looked["do"]
    assert place.exists()


def test_doctor_says_that_a_database_does_not_answer(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"postgresql://somebody:hidden@127.0.0.1:{own_port(2)}/clearinghouse"
    monkeypatch.setenv("CLEARINGHOUSE_DATABASE_URL", url)

    looked = run("--json", "doctor")

    assert looked.exit_code == 1
    assert "database_url" in found(looked)["database"]["do"]
    assert "hidden" not in looked.output
    assert place.exists()


def test_doctor_finds_the_key_of_another_database(on_site: Path, vault: Vault) -> None:
    vault.seal("a secret", purpose="a test")  # under the key that this database knows
    key = on_site / "var" / "kek.key"
    key.parent.mkdir()
    key.touch(0o600)
    key.write_bytes(b"1" * 32)

    looked = found(run("--json", "doctor"))

    assert looked["key file"]["state"] == "ok"
    assert "not the key of this database" in looked["vault"]["do"]


@pytest.mark.parametrize(
    ("content", "mode", "advice"),
    [(b"1" * 31, 0o600, "32 bytes"), (b"1" * 32, 0o640, "chmod 600")],
)
def test_doctor_finds_a_key_file_that_is_no_good(
    on_site: Path, content: bytes, mode: int, advice: str
) -> None:
    key = on_site / "var" / "kek.key"
    key.parent.mkdir()
    key.write_bytes(content)
    key.chmod(mode)

    looked = run("--json", "doctor")

    assert looked.exit_code == 1
    assert advice in found(looked)["key file"]["do"]


def test_doctor_finds_a_state_directory_that_is_a_file(place: Path) -> None:
    (place / "var").write_text("I am a file", encoding="utf-8")

    looked = found(run("--json", "doctor"))

    assert "state_dir" in looked["state"]["do"]


def test_doctor_finds_taken_ports(
    on_site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        monkeypatch.setenv("CLEARINGHOUSE_PORT", str(one.getsockname()[1]))
        monkeypatch.setenv("CLEARINGHOUSE_METRICS_PORT", str(two.getsockname()[1]))
        told = run("doctor").output

    assert "set port to a free one" in told
    assert "set metrics_port to a free one" in told
    assert on_site.exists()


def test_doctor_finds_little_disk(
    on_site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "FREE_BYTES_MIN", 2**62)

    looked = found(run("--json", "doctor"))

    assert "free some disk" in looked["disk"]["do"]
    assert on_site.exists()


def test_doctor_finds_a_broken_contract(
    on_site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> Contract:
        raise ContractError("xsd/sdr.xsd", "the file is missing")

    monkeypatch.setattr(Contract, "load", broken)

    looked = found(run("--json", "doctor"))

    assert "xsd/sdr.xsd" in looked["contract"]["do"]
    assert on_site.exists()


@pytest.fixture
def pair(place: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Set a certificate for a partner's name, and its key."""
    leaf = trustme.CA().issue_cert("roaming.example")
    certificate, key = place / "chain.pem", place / "key.pem"
    certificate.write_bytes(leaf.cert_chain_pems[0].bytes())
    key.write_bytes(leaf.private_key_pem.bytes())
    monkeypatch.setenv("CLEARINGHOUSE_TLS_CERTIFICATE", str(certificate))
    monkeypatch.setenv("CLEARINGHOUSE_TLS_KEY", str(key))
    return certificate, key


def _sealed(key: bytes) -> bytes:
    return load_pem_private_key(key, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"a passphrase"),
    )


@pytest.mark.parametrize("what", ["another key", "sealed", "rubbish", "none"])
def test_certificate_without_a_fitting_key_is_found_and_not_served(
    on_site: Path, pair: tuple[Path, Path], what: str
) -> None:
    _, key = pair
    match what:
        case "another key":
            other = trustme.CA().issue_cert("roaming.example")
            key.write_bytes(other.private_key_pem.bytes())
        case "sealed":
            key.write_bytes(_sealed(key.read_bytes()))
        case "rubbish":
            key.write_bytes(b"rubbish")
        case _:
            key.unlink()

    looked, served = run("--json", "doctor"), run("serve")

    assert "PEM pair" in found(looked)["TLS"]["do"]
    assert served.exit_code == 1
    assert "PEM pair" in served.output
    assert on_site.exists()


@pytest.mark.usefixtures("pair")
def test_half_of_a_pair_is_a_wrong_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLEARINGHOUSE_TLS_KEY")

    for verb in ("serve", "worker", "doctor"):
        refused = run(verb)

        assert refused.exit_code == 3  # a server would have spoken plain HTTP
        assert "tls_certificate and tls_key go together" in refused.output


@pytest.mark.slow
def test_doctor_knows_its_own_server_behind_tls(
    state_dir: Path, pair: tuple[Path, Path]
) -> None:
    certificate, key = pair
    names = {
        "CLEARINGHOUSE_TLS_CERTIFICATE": str(certificate),
        "CLEARINGHOUSE_TLS_KEY": str(key),
    }
    server = Program(state_dir, "serve", settings=names, port=own_port()).start()
    server.until_says("Started worker-1")
    looked = subprocess.run(
        [sys.executable, "-m", "clearinghouse", "--json", "doctor"],
        env=server.surroundings,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=120,
    )
    code = server.stop()

    rows = {row["what"]: row for row in json.loads(looked.stdout)}
    assert rows["server"]["found"] == f"runs at https://127.0.0.1:{server.port}"
    assert rows["server"]["state"] == "ok"
    assert code == 0


def test_settings_are_explained_even_when_they_are_wrong(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEARINGHOUSE_PORT", "none")

    explained = run("--json", "config", "explain")

    assert explained.exit_code == 0
    rows = {row["setting"]: row for row in json.loads(explained.stdout)}
    assert rows.keys() == settings.Settings.model_fields.keys()
    assert rows["port"]["variable"] == "CLEARINGHOUSE_PORT"
    assert rows["port"]["default"] == "8063"
    assert all(row["meaning"].endswith(".") for row in rows.values())
    assert place.exists()


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("CLEARINGHOUSE_CONFIG", "nowhere.toml", "there is no file nowhere.toml"),
        ("CLEARINGHOUSE_CONFIG", "/", "there is no file /"),
        ("CLEARINGHOUSE_LOG_LEVEL", "LOUD", "log_level"),
        ("CLEARINGHOUSE_METRICS_PORT", "8063", "metrics_port"),
        ("CLEARINGHOUSE_METRICS_PORT", "8062", "metrics_port"),
        ("CLEARINGHOUSE_WORKERS", "0", "workers"),
        ("CLEARINGHOUSE_HOST", "roaming.example", "IP address"),
    ],
)
def test_wrong_setting_is_told_with_the_way_out(
    place: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, told: str
) -> None:
    monkeypatch.setenv("CLEARINGHOUSE_PORT", "8063")
    monkeypatch.setenv(variable, value)

    refused = run("config", "show")

    assert refused.exit_code == 3
    assert told in refused.output
    assert "clearinghouse config explain" in refused.output
    assert place.exists()


def test_no_file_of_settings_at_all_may_be_named(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "clearinghouse.toml").write_text("name = 'Here'\n", encoding="utf-8")
    monkeypatch.setenv("CLEARINGHOUSE_CONFIG", os.devnull)

    shown = run("--json", "config", "show")

    assert shown.exit_code == 0, shown.output
    assert "Here" not in shown.stdout


@pytest.mark.parametrize("level", ["debug", "Info", "WARNING", "error"])
def test_log_level_is_taken_in_any_case(
    place: Path, monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    monkeypatch.setenv("CLEARINGHOUSE_LOG_LEVEL", level)

    assert run("config", "show").exit_code == 0
    assert place.exists()


def test_file_of_settings_is_read_and_its_slips_are_refused(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = place / "house.toml"
    monkeypatch.setenv("CLEARINGHOUSE_CONFIG", str(file))
    file.write_text("name = 'Alpine'\n", encoding="utf-8")
    shown = run("--json", "config", "show")
    file.write_text("nmae = 'Alpine'\n", encoding="utf-8")
    refused = run("config", "show")
    file.write_text("name = \n", encoding="utf-8")
    broken = run("config", "show")

    rows = {row["setting"]: row for row in json.loads(shown.stdout)}
    assert (rows["name"]["value"], rows["name"]["set"]) == ("Alpine", True)
    assert (refused.exit_code, broken.exit_code) == (3, 3)
    assert "nmae" in refused.output


def test_port_on_the_command_line_is_looked_at_like_any_setting(place: Path) -> None:
    refused = run("serve", "--port", "99999")

    assert refused.exit_code == 3
    assert "port" in refused.output
    assert place.exists()


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("::1", "http://[::1]:8063"),
        ("localhost", "http://127.0.0.1:8063"),
        ("127.0.0.2", "http://127.0.0.2:8063"),
    ],
)
def test_address_of_the_server_is_one_that_can_be_called(host: str, url: str) -> None:
    assert settings.Settings(host=host, port=8063).url == url


def test_newer_database_is_well_for_the_older_program(
    on_site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "head", lambda: "2000_01_01_01_pre")

    database = found(run("--json", "doctor"))["database"]

    assert database["state"] == "ok"
    assert "newer" in database["found"]
    assert on_site.exists()


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_doctor_names_what_is_wrong_in_the_settings(
    place: Path, monkeypatch: pytest.MonkeyPatch, form: tuple[str, ...]
) -> None:
    file = place / "house.toml"
    file.write_text("name = \n", encoding="utf-8")
    monkeypatch.setenv("CLEARINGHOUSE_CONFIG", str(file))

    told = run(*form, "doctor")

    assert told.exit_code == 3
    assert str(file) in told.stdout
    if form:
        assert found(told)["settings"]["state"] == "WRONG"


@pytest.mark.parametrize("words", [("doctor",), ("participant", "list")])
def test_what_is_no_dsn_is_refused_without_its_text(
    place: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CLEARINGHOUSE_DATABASE_URL", "ch:hidden@host")

    refused = run(*words)

    assert refused.exit_code == 3
    assert "database_url" in refused.output
    assert "postgresql://" in refused.output
    assert "hidden" not in refused.output
    assert place.exists()


def test_file_that_the_doctor_cannot_look_at_is_a_finding(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = place / ("x" * 300)
    monkeypatch.setenv("CLEARINGHOUSE_STATE_DIR", str(endless))

    told = run("--json", "doctor")

    assert told.exit_code == 1
    assert any("too long" in row["found"] for row in json.loads(told.stdout))
