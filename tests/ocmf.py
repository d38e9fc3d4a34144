"""Meters that sign, for tests: keys on every curve, and records of the format.

The text is put together by hand, so that a test says to the byte what was signed.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CURVES: dict[str, ec.EllipticCurve] = {
    "secp192r1": ec.SECP192R1(),
    "secp256k1": ec.SECP256K1(),
    "secp256r1": ec.SECP256R1(),
    "secp384r1": ec.SECP384R1(),
    "brainpool256r1": ec.BrainpoolP256R1(),
    "brainpool384r1": ec.BrainpoolP384R1(),
}

SERIAL = "METER-0042"


@lru_cache
def private_key(curve: str, number: int = 1) -> ec.EllipticCurvePrivateKey:
    """Return the key of a meter, always the same for a number."""
    return ec.derive_private_key(1_000_003 * number, CURVES[curve])


@dataclass(frozen=True)
class Meter:
    """A meter with its key; ``serial`` is what it calls itself."""

    curve: str = "secp256r1"
    number: int = 1
    serial: str = SERIAL

    @property
    def key(self) -> ec.EllipticCurvePrivateKey:
        """The private key."""
        return private_key(self.curve, self.number)

    @property
    def public_key(self) -> str:
        """SubjectPublicKeyInfo in hexadecimal digits, as most are printed."""
        return self.public_bytes().hex().upper()

    @property
    def public_base64(self) -> str:
        """The same in base64."""
        return base64.b64encode(self.public_bytes()).decode()

    @property
    def point(self) -> str:
        """The bare point, uncompressed, in hexadecimal digits."""
        key = self.key.public_key()
        return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint).hex()

    def public_bytes(self) -> bytes:
        """SubjectPublicKeyInfo."""
        key = self.key.public_key()
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, payload: str, *, encoding: str = "hex") -> str:
        """Return the whole record with the signature over a payload."""
        value = self.key.sign(payload.encode(), ec.ECDSA(SHA256()))
        text = value.hex() if encoding == "hex" else base64.b64encode(value).decode()
        usual = self.curve == "secp256r1" and encoding == "hex"
        named = "" if usual else f'"SA":"ECDSA-{self.curve}-SHA256","SE":"{encoding}",'
        return f'OCMF|{payload}|{{{named}"SD":"{text}"}}'


@dataclass
class Text:
    """The payload of a record on its way to be written."""

    serial: str = SERIAL
    page: str = "T12"
    readings: list[str] = field(default_factory=list)
    person: str = "04A1B2C3D4E5F6"

    def add(
        self, at: datetime, moment: str, register: object, **override: object
    ) -> Text:
        """Add a reading; ``register`` as it is to be written, in kWh."""
        fields: dict[str, object] = {
            "TM": f'"{written(at)} S"',
            "TX": f'"{moment}"',
            "RV": register,
            "RI": '"1-b:1.8.0"',
            "RU": '"kWh"',
            "EF": '""',
            "ST": '"G"',
        } | override
        inside = ",".join(
            f'"{name}":{value}' for name, value in fields.items() if value is not None
        )
        self.readings.append(f"{{{inside}}}")
        return self

    def payload(self) -> str:
        """Return the payload section."""
        return (
            f'{{"FV":"1.0","GI":"Säule 7","GS":"GATE-7","PG":"{self.page}",'
            f'"MV":"Maker","MS":"{self.serial}","IS":true,"IT":"ISO14443",'
            f'"ID":"{self.person}","RD":[{",".join(self.readings)}]}}'
        )


def written(at: datetime) -> str:
    """Return an instant as meters write it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S,") + f"{at.microsecond // 1000:03}+0000"


def session_text(
    started_at: datetime,
    *,
    minutes: int = 60,
    start_wh: int = 1_000_000,
    energy_wh: int = 23_456,
    page: int = 12,
) -> Text:
    """Return the payload of a whole transaction: begin and end."""
    text = Text(page=f"T{page}")
    text.add(started_at, "B", kwh(start_wh))
    text.add(started_at + timedelta(minutes=minutes), "E", kwh(start_wh + energy_wh))
    return text


def kwh(register_wh: int) -> str:
    """Return a register in kWh with all its decimals."""
    return f"{register_wh // 1000}.{register_wh % 1000:03}"
