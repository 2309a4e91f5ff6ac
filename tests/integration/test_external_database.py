# SPDX-License-Identifier: GPL-3.0-or-later
"""A stack on a PostgreSQL that somebody else runs, with a certificate that somebody else issued."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.authority import Authority
from support.checkout import PLAYBOOK, ROOT
from support.external_database import ExternalDatabase
from support.process import output_of, run
from support.stack import Run, Stack, docker

INVENTORY = """
all: {hosts: {localhost: {ansible_connection: local, ansible_python_interpreter: "{{ ansible_playbook_python }}"}}}
imaging: {hosts: {localhost: {}}}
database: {}
"""


@dataclass
class Hospital:
    """The stack, its inventory, and the database and the certificate that it was given."""

    stack: Stack
    database: ExternalDatabase
    inventory: Path
    authority: Authority = field(init=False)

    def __post_init__(self) -> None:
        self.authority = Authority(self.inventory.parent / "certificate", "The hospital's web CA")
        self.authority.issue("localhost")

    @property
    def certificate(self) -> dict[str, str]:
        """``orthweb_server_certificate`` as a person writes it."""
        folder = self.authority.folder
        return {
            "certificate": str(folder / "server.crt"),
            "private_key": str(folder / "server.key"),
            "ca_certificate": str(self.authority.file),
        }

    def play(self, playbook: str, *arguments: str, **changes: object) -> Run:
        given = {
            "orthweb_database": self.database.given(**changes),
            "orthanc_database_networks": [self.database.name],
            "identity_database_networks": [self.database.name],
            "orthweb_server_certificate": self.certificate,
        }
        return self.stack.play(playbook, "-i", str(self.inventory), *arguments, **given)

    def deploy(self, *arguments: str, **changes: object) -> Run:
        return self.play("deploy", *arguments, **changes)

    def account(self, *arguments: str, extra: dict[str, str] | None = None, **changes: object) -> Run:
        """The role alone, which is faster."""
        given = self.database.given(**changes)
        play = self.inventory.parent / "account.yml"
        roles = [{"role": "cellcs.orthweb.database_account"}]
        play.write_text(json.dumps([{"hosts": "imaging", "become": True, "gather_facts": False, "roles": roles}]))
        values = {
            "orthweb_host_directory": str(self.inventory.parent / "host"),
            "orthweb_database": given,
            "credentials_secrets": {"database_password": given["password"]},
            **(extra or {}),
        }
        command = [PLAYBOOK, "-i", self.inventory, play, "-e", json.dumps(values), *arguments]
        done = run(*command, folder=ROOT, environment=self.stack.environment, merged=True, seconds=300)
        return Run(done.returncode, " ".join(done.stdout.split()))

    def psql(self, statement: str) -> str:
        """As Orthanc's user, from the host, with what the role left there."""
        program = Path("/etc/orthweb") / self.stack.name / "database" / "psql"
        return output_of(program, "--no-psqlrc", "-At", "-c", statement).strip()


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    folder = tmp_path_factory.mktemp("hospital")
    (folder / "inventory").mkdir()
    (folder / "inventory" / "hosts.yml").write_text(INVENTORY)
    (folder / "inventory" / "group_vars").symlink_to(ROOT / "inventory" / "local" / "group_vars")
    database = ExternalDatabase("orthweb-pytest-hospital", folder / "database")
    database.folder.mkdir()
    stack = Stack("orthweb-pytest-given", folder / "state", dicom_port=24612, portal_port=24613, orthanc_port=18080)
    stack.state_root.mkdir()
    hospital = Hospital(stack, database, folder / "inventory")
    try:
        database.start()
        yield hospital
    finally:
        if stack.folder.exists():  # else a test has taken it away
            hospital.play("teardown", "-e", f"orthweb_confirm_teardown={stack.name}")
        database.stop()


@pytest.fixture(scope="module")
def deployed(hospital: Hospital) -> Hospital:
    """Acceptance is a part of it: images go in and out, and their rows are found in that database."""
    hospital.deploy().ok()
    return hospital


def test_the_second_run_changes_nothing(deployed: Hospital) -> None:
    run = deployed.play("configure").ok()
    assert run.changed == 0, run.output


def test_orthanc_has_a_user_and_a_database_of_its_own(deployed: Hospital) -> None:
    sql = deployed.database.sql
    assert deployed.psql("SELECT current_user, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == "orthanc-user|t"
    assert sql("SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = 'orthanc-user'") == "f|f|f"
    assert sql("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'archive'") == "orthanc-user"
    users = "SELECT DISTINCT usename, ssl FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE datname = 'archive'"
    assert sql(users) == "orthanc-user|t"
    assert sql("SELECT extname FROM pg_extension WHERE extname = 'pg_trgm'", "archive") == "pg_trgm"
    # The admin can make databases and see into none of ours; nobody else gets in either.
    assert sql("SELECT has_database_privilege('dba', 'archive', 'CONNECT')") == "f"
    assert sql("SELECT pg_has_role('dba', 'orthanc-user', 'USAGE')") == "f"


def shown_at(port: int, authority: Authority, client: tuple[Path, Path] | None = None) -> str:
    """The serial number of the certificate that openssl sees and verifies there; empty if it is not trusted."""
    own = ["-cert", str(client[0]), "-key", str(client[1])] if client else []
    verify = ["-CAfile", str(authority.file), "-verify_return_error", "-verify_hostname", "localhost"]
    command = ["openssl", "s_client", "-connect", f"localhost:{port}", *verify, *own]
    done = run(*command)
    if "Verify return code: 0 (ok)" not in done.stdout:
        return ""
    read = ["openssl", "x509", "-noout", "-serial"]
    return output_of(*read, stdin=done.stdout).strip()


def test_the_existing_certificate_is_shown(deployed: Hospital, tmp_path: Path) -> None:
    read = ["openssl", "x509", "-noout", "-serial", "-in", deployed.certificate["certificate"]]
    serial = output_of(*read).strip()
    pki = deployed.stack.pki
    client = pki / "client-workstation.crt", pki / "client-workstation.key"
    for port in (deployed.stack.dicom_port, deployed.stack.orthanc_port):
        assert shown_at(port, deployed.authority, client) == serial
        assert shown_at(port, Authority(tmp_path / "foreign"), client) == ""
    assert not list(pki.glob("server-*")) and not list(pki.glob("orthanc-*"))


def test_nothing_of_the_embedded_database_is_there(deployed: Hospital) -> None:
    name = deployed.stack.name
    assert docker("ps", "--all", "--quiet", "--filter", f"name={name}-postgresql") == ""
    assert docker("network", "ls", "--quiet", "--filter", f"name={name}-database") == ""
    assert not list(deployed.stack.pki.glob("postgresql-*"))


def test_passwords_stay_where_they_belong(deployed: Hospital) -> None:
    given = deployed.database.given()
    deployed.database.sql("""ALTER ROLE "orthanc-user" PASSWORD 'drifted'""")
    run = deployed.account("-vvv", "--diff").ok()
    assert run.changed
    log = deployed.database.log()
    assert "LOG:  statement: SELECT EXISTS" in log, "The server logs statements: this looks at something"
    # Their ends: quotes and backslashes are written in another way in statements and in JSON.
    for secret in (str(given["password"]).rpartition("-")[2], str(given["admin_password"]).rpartition("-")[2]):
        assert secret not in run.output
        assert secret not in log
        kept = [path for path in deployed.stack.folder.rglob("*.json") if secret in path.read_text()]
        assert kept == []
    host = Path("/etc/orthweb") / deployed.stack.name / "database"
    assert (host / "pgpass").stat().st_mode & 0o777 == 0o600
    assert (host / "pgpass").read_text().strip().endswith(":orthanc-user:" + str(given["password"]).replace(":", "\\:"))
    assert "hT4wZs9c" not in "".join(path.read_text() for path in host.iterdir())
    assert not list(Path("/run").glob("orthweb-pgpass.*"))


def test_a_password_that_drifted_is_mended(deployed: Hospital) -> None:
    deployed.account().ok()
    deployed.database.sql("""ALTER ROLE "orthanc-user" PASSWORD 'drifted'""")
    assert "Would create the user orthanc-user" in deployed.account("--check").ok().output
    assert deployed.account().ok().changed
    assert deployed.psql("SELECT 1") == "1"
    assert deployed.account().ok().changed == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"port": 5433}, "It cannot be reached from this host"),
        ({"host": "nowhere.invalid"}, "This host cannot resolve its name"),
        ({"user": "another", "admin_password": "wrong"}, "It refused this user's password: check admin_user"),
        ({"user": "another", "admin_user": "", "admin_password": ""}, 'CREATE ROLE "another" LOGIN'),
        ({"name": "missing", "admin_user": ""}, 'CREATE DATABASE "missing" OWNER'),
        ({"user": "dba"}, "is incomplete"),
        ({"host": ""}, "is incomplete"),
    ],
)
def test_what_cannot_work_is_said(hospital: Hospital, changes: dict[str, object], said: str) -> None:
    before = hospital.database.sql("SELECT rolname, rolpassword FROM pg_authid ORDER BY 1")
    run = hospital.account(**changes)
    assert run.code != 0
    assert said in run.output, run.output
    assert hospital.database.sql("SELECT rolname, rolpassword FROM pg_authid ORDER BY 1") == before


def test_check_mode_where_nothing_exists_yet(hospital: Hospital, tmp_path: Path) -> None:
    """Neither the client's files on the host nor, as with RDS that would be made, the server."""
    host = {"orthweb_host_directory": str(tmp_path / "host")}
    assert "Would look for the database archive" in hospital.account("--check", extra=host).ok().output
    said = hospital.account("--check", extra=host, host="", ca_certificate="/nonexistent/ca.pem").ok().output
    assert "on a server that does not exist yet" in said
    assert not (tmp_path / "host").exists()


def test_a_certificate_of_another_ca_or_name_is_refused(hospital: Hospital, tmp_path: Path) -> None:
    run = hospital.account(ca_certificate=str(Authority(tmp_path).file))
    assert run.code != 0
    assert "Its certificate was not issued by the CA in orthweb_database.ca_certificate" in run.output
    try:
        hospital.database.show(hospital.database.authority, "192.0.2.1", "other.example")
        hospital.database.reload()
        run = hospital.account()
        assert run.code != 0
        assert "Its certificate is for another name" in run.output
    finally:
        hospital.database.show(hospital.database.authority)
        hospital.database.reload()


def test_a_database_that_belongs_to_somebody_else_is_left_alone(hospital: Hospital) -> None:
    hospital.database.sql("CREATE DATABASE theirs")
    run = hospital.account(name="theirs")
    assert run.code != 0
    assert 'cannot create tables in it: the owner of the database is "postgres"' in run.output, run.output
    assert (
        hospital.database.sql("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'theirs'") == "postgres"
    )


def test_user_and_database_that_were_made_by_hand_do_without_an_admin(hospital: Hospital) -> None:
    hospital.database.sql("CREATE ROLE byhand LOGIN PASSWORD 'by hand'")
    hospital.database.sql("CREATE DATABASE byhand OWNER byhand")
    given = {"name": "byhand", "user": "byhand", "password": "by hand", "admin_user": "", "admin_password": ""}
    hospital.account(**given).ok()
    assert hospital.account(**given).ok().changed == 0
    assert hospital.database.sql("SELECT datacl IS NULL FROM pg_database WHERE datname = 'byhand'") == "t"


def test_teardown_leaves_the_given_database_alone(deployed: Hospital) -> None:
    shutil.rmtree(deployed.inventory.parent / "host", ignore_errors=True)
    given = {path: path.read_bytes() for path in deployed.authority.folder.iterdir()}
    deployed.play("teardown", "-e", f"orthweb_confirm_teardown={deployed.stack.name}").ok()
    assert {path: path.read_bytes() for path in deployed.authority.folder.iterdir()} == given
    tables = "SELECT count(*) > 10 FROM information_schema.tables WHERE table_schema = 'public'"
    assert deployed.database.sql(tables, "archive") == "t"
    assert deployed.database.sql("SELECT count(*) FROM pg_roles WHERE rolname = 'orthanc-user'") == "1"
    assert not (Path("/etc/orthweb") / deployed.stack.name).exists()
