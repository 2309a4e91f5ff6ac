# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's keys, each with its certificate, as nginx reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

NOT_YET = "(not made yet)"


def server_keys(
    pairs: Sequence[object], keys: Sequence[str] | None, certificates: Sequence[str] | None, name: str = "server"
) -> list[dict[str, str]]:
    """Files for ``config_folder``.

    :param pairs: key and certificate of each, of which only the number counts
    :param keys: text of each key; none before the PKI is made, in check mode
    :param certificates: text of each certificate, in the same order
    :param name: of the files, before the number
    """
    known = list(zip(keys or (), certificates or (), strict=True))
    texts = known or [(NOT_YET, NOT_YET)] * len(pairs)
    return [
        {"name": f"{name}-{number}.pem", "secret_content": f"{key}\n{certificate}\n"}
        for number, (key, certificate) in enumerate(texts, start=1)
    ]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"server_keys": server_keys}
