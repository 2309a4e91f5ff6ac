# SPDX-License-Identifier: GPL-3.0-or-later
"""An association with images that goes on while something is done to the archive."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydicom.uid import generate_uid

from .images import associate, ct_image, is_stored
from .stack import Stack


@dataclass
class Transfers:
    """Images that one association sends, one after the other."""

    acknowledged: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


@contextmanager
def transfers(stack: Stack) -> Iterator[Transfers]:
    association, over, sent = associate(stack), threading.Event(), Transfers()
    assert association.is_established
    study = generate_uid()

    def send() -> None:
        while not over.wait(0.2):
            image = ct_image(study)
            (sent.acknowledged if is_stored(association, image) else sent.failed).append(image.SOPInstanceUID)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield sent
    finally:
        over.set()
        thread.join()
    assert association.is_established, "The association was cut"
    association.release()
