"""Opening a bundle that may come from anybody: it touches one folder only.

The names that a bundle may hold are known, so that none leads elsewhere; sizes are
bounded before and while a file is unpacked.
"""

from __future__ import annotations

import json
import re
import shutil
import stat
import struct
import zipfile
import zlib
from codecs import IncrementalDecoder, getincrementaldecoder
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from clearinghouse.verify.files import PlainFile, open_plain
from clearinghouse.verify.report import BundleError, Report, plain

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"

#: The forms of bundle that this program knows: all that were ever written and signed.
BUNDLE_FORMS = (2, 3)

#: The files of a bundle and the headings that they must have.
HEADINGS: Mapping[str, str] = {
    "participants.tsv": "partyId country name",
    "tariffs.tsv": (
        "tariffVersionId publisherId tariffId version currency validFrom validUntil "
        "minimumMicro maximumMicro discountPpm vatIncluded pricedBy components"
    ),
    "batches.tsv": (
        "batchId submitterId sequence digest accepted held refused duplicates energyWh "
        "receivedAt root"
    ),
    "sdrs.tsv": (
        "row windowId sdrNo submitterId sdrId cspId csoId batchId recordNo status "
        "sessionId evseKey zone startedAt endedAt startOffsetMinutes energyWh "
        "chargeSeconds idleSeconds parkingSeconds tariffVersionId engineVersion "
        "currency claimedMinor netMinor rules kind refWindowId refSdrNo vatCategory "
        "vatRateBp vatRuleId placeCountry connectors receivedAt intervals"
    ),
    "leaves.tsv": "sdrNo leaf",
    "exclusions.tsv": "sdrNo successorWindowId successorSdrNo",
    "releases.tsv": "sdrNo fromWindowId fromSdrNo",
    "pairs.tsv": (
        "row windowId currency cspId submitterId sdrCount energyWh netMinor root"
    ),
    "settlements.tsv": (
        "currency grossMinor bilateralMinor multilateralMinor sdrCount energyWh"
    ),
    "matrix.tsv": ("currency debtorId creditorId sdrCount energyWh netMinor vatMinor"),
    "positions.tsv": "currency partyId receivableMinor payableMinor netMinor",
    "postings.tsv": ("postingKey debitAccount creditAccount currency amountMinor code"),
    "statements.tsv": (
        "statementId currency partyId netMinor lineCount xmlDigest csvDigest grossMinor"
    ),
    "profiles.tsv": "partyId version validFrom country vatId isTaxableDealer createdAt",
    "vatrules.tsv": (
        "ruleId service seller buyer place dealer validFrom validUntil endsOn endedAt "
        "category rateBp reasonCode priority createdAt"
    ),
    "agreements.tsv": (
        "agreementId visitedId homeId currency validFrom toleranceMinor tolerancePpm "
        "energyWhMax durationSecondsMax elapsedSlackSeconds netCeilingMinor"
    ),
    "judgements.tsv": "sdrNo agreementId ruleVersion matchKind",
    "corrections.tsv": "sdrNo refWindowId refSdrNo disputeId",
    "disputes.tsv": (
        "disputeId windowId sdrNo cspId submitterId currency netMinor carried openedAt "
        "endedAt agreedMinor heldWindowId releasedWindowId"
    ),
    "suspense.tsv": "postingKey debitAccount creditAccount currency amountMinor code",
    "originals.tsv": (
        "windowId sdrNo row pairIndex pairSize pairPath pairRow windowIndex windowSize "
        "windowPath"
    ),
    "series.tsv": "series numbersBefore",
    "documents.tsv": (
        "number kind sellerId buyerId currency isOutside netMinor vatMinor grossMinor "
        "issuedAt dueOn"
    ),
    "documentlines.tsv": (
        "number category rateBp placeCountry ruleId sdrCount energyWh netMinor"
    ),
    "documentvat.tsv": (
        "number category rateBp ruleId reasonCode sdrCount energyWh baseMinor vatMinor"
    ),
    "renderings.tsv": "number format sha256",
    "paymentterms.tsv": (
        "version sellerId buyerId currency validFrom paymentDays concludedAt"
    ),
    "references.tsv": "number preceding",
    "earlierinvoices.tsv": "number windowId sellerId buyerId currency category rateBp",
    "runs.tsv": (
        "runId currency model fees reversesRunId state grossMinor movedMinor proposedAt"
    ),
    "runexclusions.tsv": "runId partyId",
    "runpairs.tsv": (
        "runId windowId currency debtorId creditorId sdrCount amountMinor"
    ),
    "choices.tsv": "choiceId party other fromCurrency toCurrency validFrom createdAt",
    "rates.tsv": "currency day version rateMicro createdAt",
    "runrates.tsv": "runId currency day version",
    "conversions.tsv": "runId currency debtor creditor fromMinor toMinor",
    "feeplans.tsv": (
        "planId partyId currency validFrom side tiers sharePpm minimumMinor "
        "maximumMinor createdAt paymentDays"
    ),
    "runfees.tsv": (
        "runId partyId planId sdrCount turnoverMinor sdrMinor shareMinor netMinor "
        "vatCategory vatRateBp vatRuleId vatMinor"
    ),
    "feedocuments.tsv": (
        "number kind runId partyId currency netMinor vatMinor refersTo issuedAt dueOn"
    ),
    "rundebts.tsv": "runId debtor creditor kind amountMinor",
    "runaccounts.tsv": "runId owner receivableMinor payableMinor feeMinor netMinor",
    "runtransfers.tsv": "runId place endToEndId kind payer payee amountMinor",
    "confirmations.tsv": "endToEndId number amountMinor postedMinor outcome returnRule",
    "runpostings.tsv": (
        "runId postingKey debitAccount creditAccount currency amountMinor code"
    ),
    "chain.tsv": "seq windowId label keyId signature text",
    "keys.tsv": "keyId validFrom publicKey",
}

#: Files that came with a later form than the first of :data:`BUNDLE_FORMS`; in an older
#: one they are read as if they had no line.
ADDED_FILES: Mapping[str, int] = {
    "disputes.tsv": 3,
    "suspense.tsv": 3,
    "paymentterms.tsv": 3,
    "references.tsv": 3,
    "earlierinvoices.tsv": 3,
}

#: Fields that came with a later form, each the last of its file.
ADDED_FIELDS: Mapping[str, tuple[str, int]] = {
    "documents.tsv": ("dueOn", 3),
    "feeplans.tsv": ("paymentDays", 3),
    "feedocuments.tsv": ("dueOn", 3),
    "confirmations.tsv": ("returnRule", 3),
}

#: Bytes of one unpacked file, of all together, and of the manifest. They stop a bundle
#: from filling the disk; ten million SDRs fit.
FILE_BYTES_MAX = 16 << 30
BUNDLE_BYTES_MAX = 32 << 30
MANIFEST_BYTES_MAX = 1 << 20

#: How often a file may be larger than it is packed, above a size where it matters.
RATIO_MAX = 200
RATIO_FROM_BYTES = 1 << 20

#: Bytes of one line, and how many times the fields of its file: longer ones were made
#: to fill the memory.
LINE_BYTES_MAX = 4 << 20
FIELDS_FACTOR_MAX = 4
_FIELDS_FROM = 10_000

#: The number of a window: it fits 64 bits.
_WINDOW_ID = re.compile(r"[0-9]{1,18}", re.ASCII)

_BLOCK_BYTES = 1 << 20
_ENCRYPTED = 0x1
_LOCAL_HEADER = b"PK\x03\x04"
_PACKINGS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})


def fields_of(name: str, form: int) -> list[str]:
    """Return the heading that a file has in a form of bundle."""
    fields = HEADINGS[name].split()
    _, since = ADDED_FIELDS.get(name, ("", 0))
    return fields if form >= since else fields[:-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """A bundle in a folder: its list of files, the very bytes of it, its signature."""

    folder: Path
    manifest: dict[str, Any]
    manifest_bytes: bytes
    signature: str

    @property
    def form(self) -> int:
        """Which of :data:`BUNDLE_FORMS` it has."""
        return int(self.manifest["bundle"])


def unpack(path: Path, folder: Path, report: Report) -> Unpacked:
    """Unpack a bundle into an empty folder and compare it with its list of files.

    Raises :class:`BundleError` for what is no bundle, is broken off, or is built to do
    harm: unknown names, encryption, sizes beyond the bounds.
    """
    try:
        with (
            open_plain(path, BUNDLE_BYTES_MAX) as file,
            zipfile.ZipFile(file) as archive,
        ):
            _require_nothing_else(file, archive)
            members = _members(archive)
            _require_room(members.values(), folder)
            text = _read(archive, members[MANIFEST])
            manifest = _manifest(text)
            _require_whole(members, manifest["bundle"])
            signature = _read(archive, members[SIGNATURE])
            digests = {
                name: _extract(archive, member, folder / name)
                for name, member in members.items()
                if name in HEADINGS
            }
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise BundleError(f"no whole ZIP file: {plain(str(error))}") from error
    except OSError as error:
        raise BundleError(f"it cannot be unpacked: {error.strerror}") from error
    except (ValueError, struct.error, OverflowError, RuntimeError) as error:
        raise BundleError("no whole ZIP file: sizes that fit nowhere") from error
    for name in HEADINGS.keys() - digests.keys():
        nothing = "\t".join(fields_of(name, manifest["bundle"]))
        (folder / name).write_text(f"{nothing}\n", encoding="utf-8")
    _compare(manifest, digests, report)
    return Unpacked(
        folder=folder,
        manifest=manifest,
        manifest_bytes=text,
        signature=signature.decode("ascii", "replace").strip(),
    )


def _require_nothing_else(file: PlainFile, archive: zipfile.ZipFile) -> None:
    """Refuse a file that is a bundle and something else at once."""
    begin = min((one.header_offset for one in archive.infolist()), default=0)
    file.seek(0)
    if begin or file.read(len(_LOCAL_HEADER)) != _LOCAL_HEADER:
        raise BundleError("the file does not begin with what it holds as a ZIP file")
    if archive.comment:
        raise BundleError("the file ends with a comment, which no bundle has")


def _require_room(members: Collection[zipfile.ZipInfo], folder: Path) -> None:
    size = sum(member.file_size for member in members)
    if size > BUNDLE_BYTES_MAX:
        raise BundleError(f"its files would take {size} bytes")
    free = shutil.disk_usage(folder).free
    if size > free:
        raise BundleError(f"its files would take {size} bytes; {free} are free")


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    wanted = {*HEADINGS, MANIFEST, SIGNATURE}
    found: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        name = member.filename
        if name not in wanted:
            raise BundleError(f"no file of a bundle: {name[:80]!r}")
        if name in found:
            raise BundleError(f"{name} is there twice")
        _require_harmless(member)
        found[name] = member
    if MANIFEST not in found:
        raise BundleError(f"missing: {MANIFEST}")
    return found


def _require_harmless(member: zipfile.ZipInfo) -> None:
    """Refuse links, packings that are not allowed, and sizes beyond the bounds."""
    name = member.filename
    if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):
        raise BundleError(f"{name} is no plain file")
    if member.flag_bits & _ENCRYPTED or member.compress_type not in _PACKINGS:
        raise BundleError(f"{name} is packed in a way that is not allowed")
    if member.file_size > FILE_BYTES_MAX:
        raise BundleError(f"{name} would take {member.file_size} bytes")
    if (
        member.file_size > RATIO_FROM_BYTES
        and member.file_size > RATIO_MAX * member.compress_size
    ):
        raise BundleError(f"{name} is packed too tightly to be data")


def _require_whole(members: Mapping[str, zipfile.ZipInfo], form: int) -> None:
    """Refuse a bundle that lacks a file of its form, or has one of a later form."""
    wanted = {name for name in HEADINGS if ADDED_FILES.get(name, 0) <= form}
    missing = sorted((wanted | {SIGNATURE}) - members.keys())
    if missing:
        raise BundleError(f"missing: {', '.join(missing)}")
    added = sorted(members.keys() - wanted - {MANIFEST, SIGNATURE})
    if added:
        raise BundleError(f"no file of a bundle of form {form}: {', '.join(added)}")


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    if member.file_size > MANIFEST_BYTES_MAX:
        raise BundleError(f"{member.filename} would take {member.file_size} bytes")
    return archive.read(member)


def _extract(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path
) -> tuple[int, int, str]:
    """Unpack a file; return its bytes, its lines without heading, its digest."""
    name = member.filename
    hashed, size, lines, fields, tail = sha256(), 0, 0, 0, 0
    decoder = getincrementaldecoder("utf-8")()
    with archive.open(member) as packed, target.open("xb") as file:
        while block := packed.read(_BLOCK_BYTES):
            size += len(block)
            if size > member.file_size:
                raise BundleError(f"{name} is longer than it says")
            first, last = block.find(b"\n"), block.rfind(b"\n")
            if tail + (len(block) if first < 0 else first) > LINE_BYTES_MAX:
                raise BundleError(f"{name} line {lines + 1} is too long")
            tail = tail + len(block) if last < 0 else len(block) - last - 1
            lines += block.count(b"\n")
            fields += block.count(b"\t")
            most = (lines + 1) * FIELDS_FACTOR_MAX * len(HEADINGS[name].split())
            if fields > most + _FIELDS_FROM:
                raise BundleError(f"{name} line {lines + 1} has too many fields")
            _require_text(name, decoder, block)
            hashed.update(block)
            file.write(block)
        _require_text(name, decoder, b"", final=True)
    if size != member.file_size:
        raise BundleError(f"{name} is shorter than it says")
    return size, lines - 1, hashed.hexdigest()


def _require_text(
    name: str, decoder: IncrementalDecoder, block: bytes, *, final: bool = False
) -> None:
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError as error:
        raise BundleError(f"{name} is no text in UTF-8") from error
    if b"\0" in block:
        raise BundleError(f"{name} holds bytes that are no text")


def _manifest(text: bytes) -> dict[str, Any]:
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{MANIFEST} is no JSON") from error
    if not isinstance(manifest, dict):
        raise BundleError(f"{MANIFEST} is no list of files")
    form = manifest.get("bundle")
    if type(form) is not int or form not in BUNDLE_FORMS:
        known = " or ".join(map(str, BUNDLE_FORMS))
        raise BundleError(f"{MANIFEST} is not of form {known}")
    window, files = manifest.get("window"), manifest.get("files")
    if not isinstance(window, dict) or not isinstance(files, list):
        raise BundleError(f"{MANIFEST} lacks the window or the list of files")
    if not _WINDOW_ID.fullmatch(str(window.get("windowId"))):
        raise BundleError(f"{MANIFEST} does not number its window")
    return manifest


def _compare(
    manifest: dict[str, Any], digests: dict[str, tuple[int, int, str]], report: Report
) -> None:
    listed = {
        str(one.get("name")): one for one in manifest["files"] if isinstance(one, dict)
    }
    for name in sorted(listed.keys() - digests.keys()):
        report.add(MANIFEST, 0, "files", "only files of a bundle", name)
    for name, found in digests.items():
        one = listed.get(name)
        if one is None:
            report.add(MANIFEST, 0, "files", name, None)
            continue
        for field, value in zip(("bytes", "lines", "sha256"), found, strict=True):
            if one.get(field) != value:
                report.add(name, 0, field, one.get(field), value)
