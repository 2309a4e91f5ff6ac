# SPDX-License-Identifier: GPL-3.0-or-later
"""PKIs made by the module outside any single test, and what other people's tools say of them."""

from __future__ import annotations

import contextlib
import io
import ipaddress
import json
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from unittest.mock import patch

from ansible.module_utils.testing import patch_module_args
from ansible_collections.cellcs.orthweb.plugins.modules import pki as module

from .process import run, said_by

OK = "OK"
# The CA certificates of a folder that are not roots, in place and of former generations.
INTERMEDIATES = "**/ca-intermediate*.crt"


def run_pki(
    path: Path,
    *certificates: Mapping[str, Any],
    at: datetime | None = None,
    check: bool = False,
    may_fail: bool = False,
    **params: Any,
) -> dict[str, Any]:
    """Run the module on a folder, ``at`` a moment that it takes for now. Keys are ECDSA where nothing else is said."""
    moment = at or datetime.now(UTC)

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return moment

    args = {
        "path": str(path),
        "ca": {"common_name": "Test CA", "organization": "Test Clinic"},
        "certificates": [{"key_type": "ecdsa-p256", **entry} for entry in certificates],
        "_ansible_check_mode": check,
        "_ansible_diff": True,
        **params,
    }
    said = io.StringIO()
    with patch.object(module, "datetime", Clock), patch_module_args(args), contextlib.redirect_stdout(said):
        try:
            module.main()
        except SystemExit as ended:
            assert may_fail or not ended.code, said.getvalue()
    return json.loads(said.getvalue())


def issue_by_hand(
    issuer: tuple[Path, Path], folder: Path, stem: str, subject: str, *extensions: str
) -> tuple[Path, Path]:
    """What the module would never issue: a key and a certificate that openssl makes with a CA's key.

    Both the issuer and the result are a key and a certificate. The chain is written, too.
    """
    key, request, settings = (folder / f"{stem}.{suffix}" for suffix in ("key", "csr", "cnf"))
    certificate, chain = folder / f"{stem}.crt", folder / f"{stem}.chain.crt"
    settings.write_text("\n".join([*extensions, "subjectKeyIdentifier=hash", "authorityKeyIdentifier=keyid"]))
    said_by("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
    said_by("openssl", "req", "-new", "-key", key, "-subj", subject, "-out", request)
    sign = ["openssl", "x509", "-req", "-in", request, "-days", "30", "-extfile", settings, "-out", certificate]
    said_by(*sign, "-CAkey", issuer[0], "-CA", issuer[1])
    above = issuer[1].with_name(f"{issuer[1].stem}.chain.crt")
    chain.write_text(certificate.read_text() + (above.read_text() if above.exists() else ""))
    return key, certificate


class Usage(StrEnum):
    SERVER = "server"
    CLIENT = "client"


class Refusal(StrEnum):
    """Why a witness is to refuse a certificate."""

    CONSTRAINTS = "name constraints"
    EXPIRED = "expired"
    FOREIGN = "foreign"
    NAME = "name"
    PATH_LENGTH = "path length"
    PURPOSE = "purpose"
    REVOKED = "revoked"


@dataclass(frozen=True)
class Case:
    """A leaf (the stem of its files) of ``folder``, judged by the CA and the CRL of ``trusted``."""

    folder: Path
    leaf: str
    usage: Usage
    trusted: Path
    name: str | None = None  # the DNS name or IP address that the peer expects
    crl: bool = True

    @property
    def chain(self) -> Path:
        return self.folder / f"{self.leaf}.chain.crt"

    @property
    def bundle(self) -> Path:
        return self.trusted / "ca-bundle.crt"

    @property
    def revocations(self) -> Path:
        return self.trusted / "crl.pem"


class Witness:
    """A tool that judges certificates. ``words`` are those of its own with which it refuses."""

    words: Mapping[Refusal, str]

    def verdict(self, case: Case) -> str:
        """``OK``, or what the tool says against the certificate."""
        raise NotImplementedError

    def assert_accepts(self, case: Case) -> None:
        said = self.verdict(case)
        assert said == OK, f"{case}: {said}"

    def assert_refuses(self, case: Case, why: Refusal) -> None:
        said = self.verdict(case)
        assert re.search(self.words[why], said), f"{case}: {said}"


class OpenSsl(Witness):
    """``openssl verify``, RFC 5280 to the letter."""

    words = {
        Refusal.CONSTRAINTS: "permitted subtree violation|excluded subtree violation",
        Refusal.PATH_LENGTH: "path length constraint exceeded",
        Refusal.EXPIRED: "certificate has expired",
        Refusal.FOREIGN: "unable to get local issuer certificate",
        Refusal.NAME: "hostname mismatch|IP address mismatch",
        Refusal.PURPOSE: "unsuitable certificate purpose|unsupported certificate purpose",
        Refusal.REVOKED: "certificate revoked",
    }

    def verdict(self, case: Case) -> str:
        command = ["openssl", "verify", "-x509_strict", "-CAfile", case.bundle, "-untrusted", case.chain]
        command += ["-purpose", f"ssl{case.usage}"]
        if case.crl:
            command += ["-crl_check_all", "-CRLfile", case.revocations]
        if case.name:
            command += ["-verify_ip" if is_ip(case.name) else "-verify_hostname", case.name]
        return _verdict([*command, case.chain], accepted=f"{case.chain}: OK")


class Certtool(Witness):
    """GnuTLS."""

    words = {
        Refusal.CONSTRAINTS: "Chain verification output: .*violates the signer's constraints",
        Refusal.PATH_LENGTH: "Chain verification output: .*violates the signer's constraints",
        Refusal.EXPIRED: "Chain verification output: .*expired certificate",
        Refusal.FOREIGN: "Chain verification output: .*issuer is unknown",
        Refusal.NAME: "Chain verification output: .*name in the certificate does not match",
        Refusal.PURPOSE: "Chain verification output: .*does not match the intended purpose",
        Refusal.REVOKED: "Chain verification output: .*is revoked",
    }
    purposes = {Usage.SERVER: "1.3.6.1.5.5.7.3.1", Usage.CLIENT: "1.3.6.1.5.5.7.3.2"}

    def verdict(self, case: Case) -> str:
        command = ["certtool", "--verify", "--verify-profile", "medium", "--load-ca-certificate", case.bundle]
        command += ["--infile", case.chain, "--verify-purpose", self.purposes[case.usage]]
        if case.crl:
            command += ["--load-crl", case.revocations]
        if case.name:
            command += ["--verify-hostname", case.name]
        return _verdict(command, accepted="Chain verification output: Verified. The certificate is trusted.")


@dataclass
class Nss(Witness):
    """A browser engine's library. Its tools on files do not check names; ``tstclnt``, a TLS client, does."""

    scratch: Path
    words = {
        Refusal.CONSTRAINTS: "not permitted to issue a certificate with this name",
        Refusal.PATH_LENGTH: "Certificate path length constraint is invalid",
        Refusal.EXPIRED: "Peer's Certificate has expired",
        Refusal.FOREIGN: "Peer's Certificate issuer is not recognized",
        Refusal.PURPOSE: "Certificate type not approved for application",
        Refusal.REVOKED: "Peer's Certificate has been revoked",
    }
    _databases: dict[tuple[bytes, bytes], Path] = field(default_factory=dict)

    def database(self, case: Case) -> Path:
        """A database of NSS that trusts the case's CA for servers and clients, with its CRL if that is to count."""
        crls = case.revocations if case.crl else None
        key = (case.bundle.read_bytes(), crls.read_bytes() if crls else b"")
        if key not in self._databases:
            folder = Path(tempfile.mkdtemp(dir=self.scratch))
            self._databases[key] = nss_database(folder, case.bundle, crls, sorted(case.trusted.glob(INTERMEDIATES)))
        return self._databases[key]


class Vfychain(Nss):
    """NSS's libpkix, with the revocation list demanded.

    Where it finds a CA of the right name that cannot have issued the leaf, for its key or its name constraints, it
    says -8157 and no more.
    """

    words = {**Nss.words, Refusal.FOREIGN: "ERROR -8157", Refusal.CONSTRAINTS: "ERROR -8157"}

    def verdict(self, case: Case) -> str:
        command = [
            "vfychain",
            "-d",
            f"sql:{self.database(case)}",
            "-pp",
            "-u",
            str([*reversed(Usage)].index(case.usage)),
        ]
        if case.crl:
            command += ["-g", "leaf", "-m", "crl", "-s", "failIfNoInfo"]
        for certificate in split_pem(case.chain):
            command += ["-a", _file(self.scratch, certificate)]
        return _verdict(command, accepted="Chain is good!")


class Certutil(Nss):
    """NSS's own verification, as ``certutil -V`` does it for a certificate in the database."""

    def verdict(self, case: Case) -> str:
        usage = {Usage.SERVER: "V", Usage.CLIENT: "C"}[case.usage]
        verify = ["certutil", "-V", "-d", f"sql:{self.judged(case)}", "-n", "link-0", "-u", usage, "-e"]
        return _verdict(verify, accepted="certificate is valid")

    def judged(self, case: Case) -> Path:
        """A copy of the database with the certificates of the chain, and of no other."""
        key = (bytes(self.database(case)), case.chain.read_bytes())
        if key not in self._databases:
            folder = Path(tempfile.mkdtemp(dir=self.scratch))
            shutil.copytree(self.database(case), folder, dirs_exist_ok=True)
            for number, certificate in enumerate(split_pem(case.chain)):
                add = ["certutil", "-A", "-d", f"sql:{folder}", "-n", f"link-{number}", "-t", ",,", "-a"]
                said_by(*add, stdin=certificate)
            self._databases[key] = folder
        return self._databases[key]


def nss_database(folder: Path, bundle: Path, crls: Path | None = None, intermediates: Sequence[Path] = ()) -> Path:
    """Make a database of NSS in ``folder`` that trusts the certificates of ``bundle`` for servers and clients.

    The intermediates are there without being trusted, since NSS takes no CRL of a CA that it does not know.
    """
    folder.mkdir(exist_ok=True)
    where = ["-d", f"sql:{folder}"]
    said_by("certutil", "-N", *where, "--empty-password")
    for number, certificate in enumerate(split_pem(bundle)):
        said_by("certutil", "-A", *where, "-n", f"ca-{number}", "-t", "CT,C,C", "-a", stdin=certificate)
    for file in intermediates:
        said_by("certutil", "-A", *where, "-n", str(file), "-t", ",,", "-a", "-i", file)
    for crl in split_pem(crls) if crls else ():
        der = folder / "crl.der"
        said_by("openssl", "crl", "-outform", "DER", "-out", der, stdin=crl)
        said_by("crlutil", "-I", *where, "-i", der, "-t", "1")
    return folder


def split_pem(path: Path) -> list[str]:
    return re.findall(r"-----BEGIN [^-]+-----.*?-----END [^-]+-----\n", path.read_text(), re.DOTALL)


def is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _file(folder: Path, text: str) -> Path:
    with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as stream:
        stream.write(text)
    return Path(stream.name)


def _verdict(command: Sequence[str | Path], accepted: str) -> str:
    """A tool accepts by its exit code and in words; one without the other is neither."""
    done = run(*command)
    said = done.stdout + done.stderr
    assert (done.returncode == 0) is (accepted in said), f"{command} ended with {done.returncode}: {said}"
    return OK if done.returncode == 0 else said


def verdicts_by_openssl(
    folder: Path, certificates: Sequence[Path], at: datetime, untrusted: Path | None = None
) -> dict[Path, set[str]]:
    """What ``openssl verify`` says against each certificate, with a folder's CAs and CRLs, in one process."""
    command = ["openssl", "verify", "-x509_strict", "-crl_check_all", "-attime", f"{at.timestamp():.0f}"]
    command += ["-CAfile", str(folder / "ca-bundle.crt"), "-CRLfile", str(folder / "crl.pem")]
    command += ["-untrusted", str(untrusted)] if untrusted else []
    done = run(*command, *certificates)
    against = {
        certificate: set[str]() for certificate in certificates if f"{certificate}: OK" in done.stdout.splitlines()
    }
    problems: set[str] = set()
    for line in done.stderr.splitlines():
        if problem := re.match(r"error \d+ at \d+ depth lookup: (.*)", line):
            problems.add(problem[1])
        elif certificate := re.match(r"error (.*): verification failed", line):
            against[Path(certificate[1])], problems = problems, set()
    assert set(against) == set(certificates), done
    return against
