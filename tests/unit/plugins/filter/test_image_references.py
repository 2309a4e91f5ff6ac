# SPDX-License-Identifier: GPL-3.0-or-later
"""By which reference an image is known."""

from __future__ import annotations

from hashlib import sha256

import pytest
from ansible_collections.cellcs.orthweb.plugins.filter.image_references import (
    base_references,
    image_references,
    loaded_images,
)
from ansible_collections.cellcs.orthweb.plugins.filter.registry_advice import OTHERWISE, registry_advice


def test_a_base_has_its_suite_and_digest() -> None:
    digest = sha256(b"a\nb\ntrixie").hexdigest()[:12]
    assert base_references(["trixie", "trixie"], ["a", "b"]) == {"trixie": f"orthweb/base:trixie-{digest}"}


def test_an_image_changes_with_its_base() -> None:
    first, second = (
        image_references({"nginx": ["a"]}, {"nginx": "forky"}, {"forky": base}) for base in ("base:1", "base:2")
    )
    digest = sha256(b"a\nbase:1").hexdigest()[:12]
    assert first == {"nginx": f"orthweb/nginx:forky-{digest}"}
    assert second != first


def test_what_an_archive_held_has_the_newest_first() -> None:
    said = "Loaded image: orthweb/nginx:t-1\nLoaded image: orthweb/nginx:t-1-2027\nLoaded image: other/nginx:x\n"
    assert loaded_images(said, ["nginx", "orthanc"]) == {
        "nginx": ["orthweb/nginx:t-1-2027", "orthweb/nginx:t-1"],
        "orthanc": [],
    }


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("Error: UNAUTHORIZED: authentication required", "orthweb_images_registry_login"),
        ("manifest for x not found: manifest unknown", "{{.RepoDigests}}"),
        ("tls: failed to verify certificate: x509: unknown authority", "orthweb_images_registry_ca"),
        ("dial tcp 192.0.2.1:443: connect: connection refused", "cannot be reached"),
        ("write /var/lib/docker: no space left on device", "disk of this host is full"),
        ("something else", OTHERWISE),
    ],
)
def test_what_to_do_about_a_registry(said: str, advice: str) -> None:
    assert advice in registry_advice(said)
