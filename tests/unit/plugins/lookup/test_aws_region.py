# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible.errors import AnsibleLookupError
from ansible_collections.cellcs.orthweb.plugins.lookup import aws_region


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    config = tmp_path / "config"
    config.write_text("[profile clinic]\nregion = eu-west-3\n[profile nowhere]\noutput = json\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    return config


def look() -> list[str]:
    return aws_region.LookupModule().run([])


def test_the_environment_comes_first(profiles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "clinic")
    assert look() == ["eu-west-3"]
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    assert look() == ["us-west-2"]
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    assert look() == ["eu-central-1"]


def test_the_default_profile(profiles: Path) -> None:
    profiles.write_text("[default]\nregion = eu-north-1\n")
    assert look() == ["eu-north-1"]


@pytest.mark.parametrize("profile", [None, "nowhere"])
def test_without_one_the_ways_to_set_it_are_told(
    profiles: Path, monkeypatch: pytest.MonkeyPatch, profile: str | None
) -> None:
    if profile:
        monkeypatch.setenv("AWS_PROFILE", profile)
    with pytest.raises(AnsibleLookupError) as told:
        look()
    for way in ("AWS_REGION", "AWS_DEFAULT_REGION", "aws configure set region", "AWS_PROFILE"):
        assert way in str(told.value)


def test_a_profile_that_is_not_there_is_named(profiles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "clinci")
    with pytest.raises(AnsibleLookupError, match="clinci"):
        look()


def test_without_botocore_the_package_is_named(profiles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_region, "botocore", None)
    with pytest.raises(AnsibleLookupError, match="pip install boto3"):
        look()
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    assert look() == ["eu-central-1"]


def test_it_takes_no_terms(profiles: Path) -> None:
    with pytest.raises(AnsibleLookupError, match="no terms"):
        aws_region.LookupModule().run(["eu-central-1"])
