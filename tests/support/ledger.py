# SPDX-License-Identifier: GPL-3.0-or-later
"""What the archive has acknowledged, kept here, and read back after a part of it was killed in between."""

from __future__ import annotations

import threading
import time

from pydicom.uid import generate_uid
from pynetdicom.association import Association

from .images import associate, ct_image, fetch, is_stored
from .stack import Stack, docker, wait_until_healthy

IMAGES = 150


def kill_while_images_arrive(stack: Stack, part: str) -> None:
    """Kill a container while images arrive; each that was acknowledged must be there afterwards, byte for byte."""
    container = stack.container(part)

    def kill() -> None:
        time.sleep(1)
        docker("kill", "--signal", "KILL", container)
        docker("start", container)

    killer = threading.Thread(target=kill)
    killer.start()
    study, acknowledged = generate_uid(), {}
    association = associate(stack)
    for _unused in range(IMAGES):
        if not association.is_established:
            time.sleep(0.5)
            association = associate(stack)
            continue
        image = ct_image(study)
        if is_stored(association, image):
            acknowledged[image.SOPInstanceUID] = image.PixelData
        if not killer.is_alive() and len(acknowledged) > 20:
            break
    killer.join()
    association.release() if association.is_established else None
    for each in ("postgresql", "orthanc", "nginx"):
        wait_until_healthy(stack.container(each))

    assert acknowledged, "Nothing was acknowledged: this run proves nothing"
    for uid, pixels in acknowledged.items():
        assert fetch(stack, uid).PixelData == pixels
    # And the next association works again.
    association = associate(stack)
    assert is_stored(association, ct_image(study))
    association.release()


class Modality(threading.Thread):
    """Sends one image after the other until it is told to end, and connects again where it was cut.

    What was not acknowledged, it sends again.

    :ivar images: how many it sends over an association; 0 for as long as it lasts
    """

    def __init__(self, stack: Stack, study: str, pause: float = 0.5, images: int = 0) -> None:
        super().__init__()
        self.stack, self.study, self.pause, self.images = stack, study, pause, images
        self.end = threading.Event()
        self.acknowledged: dict[str, bytes] = {}
        self.times: list[float] = []
        self.refused: list[int] = []  # what the archive said instead of success
        self.associations = self.cut = 0

    def run(self) -> None:
        image, association, left = ct_image(self.study), None, self.images
        while not self.end.wait(self.pause):
            if association and not association.is_established:
                association, self.cut = None, self.cut + 1
            if not association:
                association, left = self.connect(), self.images
                continue
            try:
                answer = association.send_c_store(image)
            except (RuntimeError, ValueError):  # the association is gone
                continue
            if "Status" not in answer:
                continue
            if answer.Status != 0x0000:
                self.refused.append(answer.Status)
                continue
            self.acknowledged[image.SOPInstanceUID] = image.PixelData
            self.times.append(time.monotonic())
            image, left = ct_image(self.study), left - 1
            if left == 0:
                association.release()
                association = None
        if association and association.is_established:
            association.release()

    def connect(self) -> Association | None:
        association = associate(self.stack)
        self.associations += association.is_established
        return association if association.is_established else None

    @property
    def longest_gap(self) -> float:
        """s between two images that were acknowledged."""
        return max(later - earlier for earlier, later in zip(self.times, self.times[1:], strict=False))
