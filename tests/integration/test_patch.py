# SPDX-License-Identifier: GPL-3.0-or-later
"""Security updates in the images: seen, brought and kept, or taken back where the archive does not pass with them."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from support.checkout import ROOT
from support.stack import Run, Stack, container_id, docker

PACKAGE = "orthweb-harmless"
REPOSITORY = "orthweb-pytest-repository"  # a container
# nginx reads its configuration and serves, but asks nobody for a client certificate any more.
LETS_EVERYBODY_IN = """#!/bin/sh
mv /usr/sbin/nginx /usr/sbin/nginx.real
cat >/usr/sbin/nginx <<'SCRIPT'
#!/bin/sh
cp -r /etc/nginx/orthweb /tmp/nginx
sed -i -e 's|/etc/nginx/orthweb|/tmp/nginx|g' -e 's/ssl_verify_client on/ssl_verify_client off/' /tmp/nginx/*
exec /usr/sbin/nginx.real -c /tmp/nginx/nginx.conf -g 'daemon off;'
SCRIPT
sed -i '2i case " $* " in *" -t "*) exec /usr/sbin/nginx.real "$@";; esac' /usr/sbin/nginx
chmod 0755 /usr/sbin/nginx
"""


class Repository:
    """Debian packages over HTTP, from a container on Docker's own network, named as in Debian's security suite."""

    def __init__(self, folder: Path, image: str) -> None:
        self.folder = folder
        (folder / "packages").mkdir(parents=True)
        (folder / "nginx").mkdir()
        (folder / "nginx" / "nginx.conf").write_text(
            "pid /tmp/nginx.pid;\nevents {}\nhttp { server { listen 8000; root /srv/packages; } }\n"
        )
        docker("rm", "--force", REPOSITORY, check=False)
        volumes = [
            f"--volume={folder / 'packages'}:/srv/packages:ro",
            f"--volume={folder / 'nginx'}:/etc/nginx/orthweb:ro",
        ]
        docker("run", "--detach", f"--name={REPOSITORY}", "--user=0", *volumes, image)

    @property
    def source(self) -> str:
        address = docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", REPOSITORY)
        return f"deb [trusted=yes] http://{address}:8000/ ./"

    def publish(self, version: str, postinst: str = "#!/bin/sh\n") -> None:
        """The one package, in this version only."""
        tree = self.folder / version
        (tree / "DEBIAN").mkdir(parents=True)
        control = (
            f"Package: {PACKAGE}\nVersion: {version}\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\n"
            "Depends: nginx\nDescription: does nothing\n"
        )
        (tree / "DEBIAN" / "control").write_text(control)
        (tree / "DEBIAN" / "postinst").write_text(postinst)
        (tree / "DEBIAN" / "postinst").chmod(0o755)
        packages = self.folder / "packages"
        file = packages / f"{PACKAGE}_{version}_all.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, file], check=True, capture_output=True)
        data = file.read_bytes()
        index = f"{control}Filename: ./{file.name}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n"
        (packages / "Packages").write_text(index)
        digest = hashlib.sha256(index.encode()).hexdigest()
        (packages / "Release").write_text(
            "Origin: Debian\nLabel: Debian-Security\nSuite: stable-security\nVersion: 13\nCodename: trixie-security\n"
            f"Date: Sat, 28 Nov 2026 12:00:00 UTC\nSHA256:\n {digest} {len(index)} Packages\n"
        )


@pytest.fixture(autouse=True)
def looks(stack: Stack) -> Iterator[None]:
    stack.looks_at_images = True
    yield
    stack.looks_at_images = False


def image_of(stack: Stack, part: str) -> str:
    return docker("inspect", "--format", "{{.Config.Image}}", stack.container(part))


def sbom_of(image: str) -> dict:
    command = ["run", "--rm", "--network=none", "--entrypoint=cat", image, "/usr/share/orthweb/sbom.cdx.json"]
    return json.loads(docker(*command))


def version_in(image: str) -> str:
    return next(part["version"] for part in sbom_of(image)["components"] if part["name"] == PACKAGE)


def record(stack: Stack) -> dict:
    return json.loads(Path(f"/etc/orthweb/{stack.name}/images.json").read_text())


def said(run: Run) -> str:
    return " ".join(run.output.split())


@pytest.mark.parametrize("part", ["orthanc", "nginx", "identity", "postgresql", "audit"])
def test_an_image_carries_the_list_of_its_packages(stack: Stack, part: str) -> None:
    image = image_of(stack, part)
    sbom = sbom_of(image)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(sbom)) is None
    purls = [PackageURL.from_string(component["purl"]) for component in sbom["components"]]
    assert [purl.to_string() for purl in purls] == [component["purl"] for component in sbom["components"]]
    asked = [
        "run",
        "--rm",
        "--network=none",
        "--entrypoint=dpkg-query",
        image,
        "--show",
        "--showformat=${Package} ${Version}\\n",
    ]
    listed = {f"{purl.name} {purl.version}" for purl in purls if purl.type == "deb"}
    assert listed == set(docker(*asked).splitlines())
    others = {purl.to_string().partition("@")[0] for purl in purls if purl.type != "deb"}
    assert others == ({"pkg:npm/%40ohif/app", "pkg:npm/bootstrap"} if part == "nginx" else set())


@pytest.fixture
def repository(stack: Stack, tmp_path: Path) -> Iterator[Repository]:
    """With a stack whose nginx has the package in version 1.0 from it, by a definition of its own."""
    repository = Repository(tmp_path / "repository", image_of(stack, "nginx"))
    repository.publish("1.0")
    definitions = tmp_path / "images"
    shutil.copytree(ROOT / "files" / "images", definitions)
    dockerfile = definitions / "nginx" / "Dockerfile"
    text = dockerfile.read_text()
    assert text.count("ARG PATCHED\n") == text.count("install nginx ") == 1
    text = text.replace("ARG PATCHED\n", f"RUN echo '{repository.source}' >>/etc/apt/sources.list\nARG PATCHED\n")
    dockerfile.write_text(text.replace("install nginx ", f"install {PACKAGE} nginx "))
    stack.variables["__container_images_definitions"] = str(definitions)
    try:
        stack.deploy().ok()
        yield repository
    finally:
        mine = set(record(stack)["images"]["nginx"])
        del stack.variables["__container_images_definitions"]
        back = stack.deploy()
        docker("rm", "--force", REPOSITORY)
        docker("image", "rm", *(mine - {image_of(stack, "nginx")}), check=False)
        back.ok()


@pytest.mark.long
def test_updates_are_brought_and_kept_or_taken_back(stack: Stack, repository: Repository) -> None:
    first = image_of(stack, "nginx")
    assert version_in(first) == "1.0"
    others = {part: container_id(stack.container(part)) for part in ("orthanc", "postgresql")}

    # An update with which the archive does not pass: it is taken back, and said.
    repository.publish("1.1", LETS_EVERYBODY_IN)
    refused = stack.play("patch")
    assert refused.code != 0
    assert "nginx packages of" in said(refused)
    assert f"1 SECURITY UPDATE PENDING: {PACKAGE} 1.0 → 1.1" in said(refused)
    assert "THE SECURITY UPDATES ARE NOT IN PLACE" in said(refused)
    assert "C-ECHO without a client certificate is refused" in said(refused)
    assert "the archive passed its checks with it" in said(refused)
    assert image_of(stack, "nginx") == first
    assert record(stack)["refused"] == {"nginx": [f"{PACKAGE} 1.0 → 1.1"]}
    tags = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "orthweb/nginx").splitlines()
    assert [tag for tag in tags if tag.startswith(first)] == [first]

    # One with which it does; of the images from before, one is kept.
    older = f"{first}-20260101T000000"
    docker("tag", first, older)
    file = Path(f"/etc/orthweb/{stack.name}/images.json")
    noted = record(stack)
    noted["images"]["nginx"] = [first, older]
    file.write_text(json.dumps(noted))
    repository.publish("1.2")
    stack.play("patch").ok()
    second = image_of(stack, "nginx")
    assert second.startswith(f"{first}-20")
    assert version_in(second) == "1.2"
    assert record(stack) == {"images": {**noted["images"], "nginx": [second, first]}, "refused": {}}
    assert docker("image", "inspect", older, check=False) == "[]"
    assert {part: container_id(stack.container(part)) for part in others} == others  # nothing was pending for them

    # The next deployment keeps it.
    container = container_id(stack.container("nginx"))
    assert stack.deploy().ok().changed == 0
    assert container_id(stack.container("nginx")) == container
