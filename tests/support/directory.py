# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory of people: Debian's slapd, on this machine, at an address that containers reach."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .authority import Authority
from .process import wait_until_listening

PROGRAM = "/usr/sbin/slapd"
BASE = "dc=clinic,dc=example"
BIND_DN, BIND_PASSWORD = f"cn=orthweb,{BASE}", "Bind;with a semicolon,1"
PASSWORD = "Ein Passwort: ä 1"
CONFIG = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/pid
TLSCACertificateFile {certificate}
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
security tls=128
database mdb
suffix "{base}"
rootdn "{bind_dn}"
rootpw "{bind_password}"
directory {folder}/data
maxsize 16777216
access to attrs=userPassword by anonymous auth by * none
access to * by * read
"""
# Groups by their members. The readers' group is a member of another one.
PEOPLE = ("lars", "greta", "nora", "leo", "rahel", "raul")
GROUPS = {
    "pacs-radiologists": ["uid=rahel,ou=people", "uid=raul,ou=people"],
    "pacs-readers": ["uid=lars,ou=people", "uid=leo,ou=people"],
    "radiology": ["cn=residents,ou=groups"],
    "residents": ["uid=greta,ou=people"],
}


def _entries() -> str:
    def entry(dn: str, *lines: str) -> str:
        return "\n".join([f"dn: {dn}{BASE}", *lines, ""])

    def person(uid: str) -> str:
        own = [f"uid: {uid}", f"cn: {uid}", f"sn: {uid}", f"mail: {uid}@clinic.example", f"userPassword: {PASSWORD}"]
        return entry(f"uid={uid},ou=people,", "objectClass: inetOrgPerson", *own)

    def group(name: str, members: list[str]) -> str:
        return entry(
            f"cn={name},ou=groups,",
            "objectClass: groupOfNames",
            f"cn: {name}",
            *(f"member: {member},{BASE}" for member in members),
        )

    units = [entry(f"ou={unit},", "objectClass: organizationalUnit", f"ou: {unit}") for unit in ("people", "groups")]
    top = entry("", "objectClass: dcObject", "objectClass: organization", "o: clinic", "dc: clinic")
    return "\n".join([top, *units, *map(person, PEOPLE), *(group(*one) for one in GROUPS.items())])


@dataclass
class Directory:
    address: str
    port: int
    folder: Path

    def __post_init__(self) -> None:
        self.authority = Authority(self.folder / "pki", "The directory's CA")
        self.show(self.authority, self.address)
        (self.folder / "data").mkdir()
        (self.folder / "entries.ldif").write_text(_entries())

    def show(self, authority: Authority, name: str) -> None:
        """From the next start on, this is what its certificate says."""
        certificate, key = authority.issue(name, stem="shown")
        told = {"folder": self.folder, "base": BASE, "bind_dn": BIND_DN, "bind_password": BIND_PASSWORD}
        (self.folder / "slapd.conf").write_text(CONFIG.format(**told, certificate=certificate, key=key))

    def start(self) -> None:
        # Where AppArmor is on, what runs from the package's path reads nothing outside of its own folders.
        program = self.folder / "slapd"
        if not program.exists():
            shutil.copy(PROGRAM, program)
            self._run("-T", "add", "-l", str(self.folder / "entries.ldif"))
        self.log = (self.folder / "log").open("a")
        command = [str(program), "-f", str(self.folder / "slapd.conf"), "-h", self.url, "-d", "0"]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        wait_until_listening(self.address, self.port, self.folder / "log")

    def take_out(self, group: str, name: str) -> None:
        """While it is stopped: take somebody out of a group."""
        change = self.folder / "change.ldif"
        change.write_text(
            f"dn: cn={group},ou=groups,{BASE}\nchangetype: modify\n"
            f"delete: member\nmember: uid={name},ou=people,{BASE}\n"
        )
        self._run("-T", "modify", "-l", str(change))

    def _run(self, *arguments: str) -> None:
        """A tool of slapd's, which is the same program."""
        command = [str(self.folder / "slapd"), *arguments[:2], "-f", str(self.folder / "slapd.conf"), *arguments[2:]]
        subprocess.run(command, check=True, capture_output=True)

    @property
    def url(self) -> str:
        return f"ldaps://{self.address}:{self.port}"

    def given(self, **changes: object) -> dict[str, object]:
        """Its entry in ``orthweb_login_providers``, as a person writes it."""
        return {
            "name": "clinic",
            "kind": "ldap",
            "title": "Clinic",
            "servers": [f"{self.address}:{self.port}"],
            "ca_certificate": str(self.authority.file),
            "bind_dn": BIND_DN,
            "bind_password": BIND_PASSWORD,
            "people_base": f"ou=people,{BASE}",
            "group_base": f"ou=groups,{BASE}",
            "roles": {
                "reader": ["pacs-readers", "radiology"],
                "radiologist": ["pacs-radiologists"],
                "admin": ["pacs-admins"],
            },
            **changes,
        }

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)
        self.log.close()
