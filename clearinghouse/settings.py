"""Typed settings: the only reader of the environment.

Sources, first wins: arguments, ``CLEARINGHOUSE_*`` environment variables, the
TOML file named by ``CLEARINGHOUSE_CONFIG`` (default ``clearinghouse.toml`` in the
working directory when it exists). Unknown keys in it are refused.
"""

from __future__ import annotations

import os
import re
import tomllib
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from clearinghouse.texts import NAME_LENGTH_MAX, UNSEEN, is_name

if TYPE_CHECKING:
    from collections.abc import Mapping


PREFIX = "CLEARINGHOUSE_"
"""Begins the name of every environment variable that is ours."""
_DSN = re.compile(r"postgres(ql)?(\+psycopg)?://\S*")
_NO_SETTINGS = frozenset({"CONFIG", "VENV"})


class Settings(BaseSettings):
    """All settings and defaults; a field's description is its documentation."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    party_id: str = Field(
        default="CHCLR", description="The clearing house's own party id."
    )
    name: str = Field(
        default="Clearing house", description="The name printed on statements."
    )
    state_dir: Path = Field(
        default=Path("var"),
        description="Where the embedded database, keys and logs live.",
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="DSN of the role clearinghouse_app; absent: embedded PostgreSQL.",
    )
    database_privacy_url: SecretStr | None = Field(
        default=None,
        description="DSN of the role of the privacy schema (clearinghouse_privacy).",
    )
    database_owner_url: SecretStr | None = Field(
        default=None,
        description="DSN of the role that runs migrations (clearinghouse_owner).",
    )
    pg_bindir: Path | None = Field(
        default=None,
        description="Directory of PostgreSQL's programs for the embedded database.",
    )
    database_pool_size: int = Field(
        default=12,
        ge=1,
        le=200,
        description="Connections of one process to the business schema.",
    )
    key_file: Path | None = Field(
        default=None,
        description="File of the key-encryption key; default state_dir/kek.key.",
    )
    operator_password_file: Path | None = Field(
        default=None,
        description="File whose first line is the password of the operator who acts.",
    )
    signing_key_file: Path | None = Field(
        default=None,
        description="File of the key that seals; default state_dir/signing.key.",
    )
    host: str = Field(
        default="127.0.0.1",
        description="IP address the server listens on; 0.0.0.0 or :: for all.",
    )
    port: int = Field(
        default=8063, ge=1, le=65535, description="Port the server listens on."
    )
    public_url: str | None = Field(
        default=None, description="URL in soap:address; default http://host:port."
    )
    workers: int = Field(default=2, ge=1, le=64, description="Server processes.")
    threads: int = Field(
        default=64,
        ge=1,
        le=256,
        description="Threads of one server process: calls that it answers at once.",
    )
    metrics_port: int = Field(
        default=0,
        ge=0,
        le=65534,
        description="Loopback port of the server's /metrics; the worker takes the next"
        " one; 0: none.",
    )
    trusted_proxies: str = Field(
        default="127.0.0.1",
        description="Proxies whose X-Forwarded-For is believed, with commas.",
    )
    tls_certificate: Path | None = Field(
        default=None, description="PEM chain when TLS ends here."
    )
    tls_key: Path | None = Field(
        default=None,
        description="PEM key of tls_certificate, without a passphrase.",
    )
    allow_private_endpoints: bool = Field(
        default=False,
        description="Allow partner endpoints on private addresses (demo, tests).",
    )
    allow_http_endpoints: bool = Field(
        default=False, description="Allow partner endpoints without TLS (demo, tests)."
    )
    bulk_body_bytes_max: int = Field(
        default=268_435_456,
        ge=1_048_576,
        description="Largest SubmitSdrs message, inflated.",
    )
    validate_responses: bool = Field(
        default=False,
        description="Check every answer against the schema (tests, staging).",
    )
    token_seconds: int = Field(
        default=1200,
        ge=60,
        le=1200,
        description="Life of a session token (clause 7.2-expiry).",
    )
    token_chain_seconds: int = Field(
        default=28_800,
        ge=1200,
        description="Longest time a token may be renewed without a login.",
    )
    batch_silence_hours: int = Field(
        default=30,
        ge=1,
        le=8_760,
        description="Hours without a batch of a submitter before an alarm is raised.",
    )
    settlement_model: Literal["BILATERAL", "MULTILATERAL"] = Field(
        default="MULTILATERAL",
        description="Model of settlement runs that name none: one payment per pair"
        " (BILATERAL) or per position.",
    )
    heartbeat_seconds: int = Field(
        default=300, ge=10, description="Heartbeat period told to partners."
    )
    authorize_seconds: float = Field(
        default=2.0, gt=0, le=10, description="Budget of a real-time authorization."
    )
    authorize_partner_seconds: float = Field(
        default=1.4, gt=0, le=10, description="The home CSP's share of that budget."
    )
    remote_start_seconds: float = Field(
        default=10.0,
        gt=0,
        le=60,
        description="Wait for a CSO's answer to a remote start or stop.",
    )
    clock_file: Path | None = Field(
        default=None,
        description="File with seconds to add to the clock (rehearsals only).",
    )
    log_level: str = Field(
        default="INFO",
        pattern="(?i)^(debug|info|warning|error|critical)$",
        description="Least level that is logged: DEBUG, INFO, WARNING or ERROR.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: arguments, environment, TOML file."""
        _ = dotenv_settings, file_secret_settings
        named = os.environ.get(f"{PREFIX}CONFIG")
        path = Path(named or "clearinghouse.toml")
        # /dev/null is no regular file, and how a child is given none.
        if named and (path.is_dir() or not path.exists()):
            raise FileNotFoundError(f"CLEARINGHOUSE_CONFIG: there is no file {named}")
        try:
            file = TomlConfigSettingsSource(settings_cls, toml_file=path)
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"{path.absolute()}: {error}") from error
        return (init_settings, env_settings, file)

    @field_validator("database_url", "database_privacy_url", "database_owner_url")
    @classmethod
    def _no_broken_dsn(cls, value: SecretStr | None) -> SecretStr | None:
        """Refuse what is no DSN; its text may hold a password and is not repeated."""
        if value is not None and not _DSN.fullmatch(value.get_secret_value()):
            raise ValueError("no DSN; write it as postgresql://role:password@host/name")
        return value

    @field_validator("name")
    @classmethod
    def _name_to_be_seen(cls, name: str) -> str:
        """Refuse what the contract takes for no name: it stands on every statement."""
        if not is_name(name):
            raise ValueError(f"give 1 to {NAME_LENGTH_MAX} characters, {UNSEEN}")
        return name

    @field_validator("host")
    @classmethod
    def _address(cls, host: str) -> str:
        """Refuse a name: it may stand for many addresses, and the server takes one."""
        if host == "localhost":
            return "127.0.0.1"
        try:
            return str(ip_address(host))
        except ValueError as error:
            message = "give an IP address of this machine, as 127.0.0.1"
            raise ValueError(message) from error

    @model_validator(mode="after")
    def _no_half_of_a_pair(self) -> Self:
        """Refuse a certificate without its key: the server would speak plain HTTP."""
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together; one is missing")
        return self

    @model_validator(mode="after")
    def _ports_apart(self) -> Self:
        """Refuse a port for two purposes: the second to start would not find it."""
        if self.metrics_port and self.port - self.metrics_port in {0, 1}:
            raise ValueError("metrics_port and the next one must be other than port")
        return self

    @property
    def url(self) -> str:
        """The address partners reach the server at."""
        if self.public_url is not None:
            return self.public_url.rstrip("/")
        scheme = "https" if self.tls_certificate else "http"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}"

    @property
    def key_path(self) -> Path:
        """The file of the key-encryption key."""
        return self.key_file or self.state_dir / "kek.key"

    @property
    def signing_key_path(self) -> Path:
        """The file of the key that signs receipts, seals and statements."""
        return self.signing_key_file or self.state_dir / "signing.key"


def environment_for(settings: Settings) -> Mapping[str, str]:
    """Return the environment variables that give a child process these settings."""
    values: dict[str, str] = {}
    for name in settings.model_fields_set:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        if value is not None:
            values[f"{PREFIX}{name.upper()}"] = str(value)
    return values


def unknown_variables() -> list[str]:
    """Return the environment variables that look like ours and are no setting.

    A file with an unknown key is refused; here a slip of the pen would go unseen.
    """
    known = _NO_SETTINGS | {name.upper() for name in Settings.model_fields}
    return sorted(
        name
        for name in os.environ
        if name.upper().startswith(PREFIX)
        and name.upper().removeprefix(PREFIX) not in known
    )
