# SPDX-License-Identifier: GPL-3.0-or-later
"""What an Orthanc is told, so that it knows who is declared and nobody else."""

from __future__ import annotations

from ansible_collections.cellcs.orthweb.plugins.module_utils.orthanc_modalities import differences, plan, requests

CT = {"AET": "CT1", "Host": "nginx", "Port": 28119, "AllowMove": False}
MR = {"AET": "MR1", "Host": "nginx", "Port": 28120, "AllowMove": True}
KEPT = {**CT, "Timeout": 0, "Manufacturer": "Generic"}  # as Orthanc returns it


def test_who_is_known_as_declared_is_left_alone() -> None:
    made = plan({"ct": KEPT}, {"ct": CT})
    assert not made
    assert list(requests(made, {"ct": CT})) == []
    assert differences(made, {"ct": KEPT}, {"ct": CT}) == {"before": {}, "after": {}}


def test_an_orthanc_that_knows_nobody_is_told_all() -> None:
    wanted = {"mr": MR, "ct": CT}
    made = plan({}, wanted)
    assert list(requests(made, wanted)) == [("PUT", "/modalities/ct", CT), ("PUT", "/modalities/mr", MR)]
    assert differences(made, {}, wanted) == {"before": {}, "after": wanted}


def test_who_goes_goes_first() -> None:
    """By hand, somebody has given the title to another one."""
    current = {"by-hand": {**KEPT, "AET": "MR1"}, "ct": {**KEPT, "Port": 1}}
    made = plan(current, {"mr": MR, "ct": CT})
    assert (made.add, made.change, made.remove) == (("mr",), ("ct",), ("by-hand",))
    assert [(method, path) for method, path, _body in requests(made, {"mr": MR, "ct": CT})] == [
        ("DELETE", "/modalities/by-hand"),
        ("PUT", "/modalities/ct"),
        ("PUT", "/modalities/mr"),
    ]
    assert differences(made, current, {"mr": MR, "ct": CT}) == {
        "before": {"by-hand": {**KEPT, "AET": "MR1"}, "ct": {"Port": 1}},
        "after": {"mr": MR, "ct": {"Port": 28119}},
    }
