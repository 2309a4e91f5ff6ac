# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing the copy in the account up to date with the controller's folder, and the folder with the copy."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

from ..controller_state import archive, decisions, folder
from .controller_copy import AccountCopy, Copy, Standing
from .resource import STACK_TAG

ADOPT = "make adopt INVENTORY=inventory/aws"


class RefusedError(Exception):
    """What must not be done; the text says why, and what to do instead."""


class Sync:
    """Each of :meth:`present`, :meth:`adopted` and :meth:`absent` returns what the module answers.

    :param region: that of the copy
    :param check: look and refuse, and change nothing
    :param replace: whether the copy may take the place of a folder that has something else
    """

    def __init__(self, copy: AccountCopy, path: Path, *, region: str, check: bool, replace: bool) -> None:
        self.copy, self.path, self.region, self.check, self.may_replace = copy, path, region, check, replace

    # --- what the copy is

    def standing(self) -> Standing | None:
        there = self.copy.standing()
        wanted = self.copy.tags.get(STACK_TAG)
        if there and wanted and there.tags.get(STACK_TAG) != wanted:
            raise RefusedError(
                f'The secret "{self.copy.name}" does not have the tag {STACK_TAG}={wanted}, so it is not the copy of '
                "this stack's folder. Nothing was changed. Choose another orthweb_stack."
            )
        return there

    def current(self) -> Copy:
        try:
            return self.copy.current()
        except archive.ArchiveError as error:
            raise RefusedError(self.spoilt(error)) from error

    def files(self, current: Copy) -> dict[str, archive.Entry]:
        try:
            return self.copy.files(current)
        except archive.ArchiveError as error:
            raise RefusedError(self.spoilt(error)) from error

    def spoilt(self, error: Exception) -> str:
        name = self.copy.name
        return (
            f'The secret "{name}" does not hold a copy of a controller\'s folder: {error}. It was changed by hand. '
            "Nothing was changed. If this controller has the folder, delete the copy and deploy: aws secretsmanager "
            f"delete-secret --secret-id {name} --force-delete-without-recovery. If none has it, move the label "
            "AWSCURRENT back to the version that has AWSPREVIOUS: aws secretsmanager update-secret-version-stage."
        )

    # --- states

    def present(self) -> dict[str, Any]:
        local, there = folder.read(self.path), self.standing()
        if not local:
            if there:
                raise RefusedError(
                    f"{self.path} is not on this controller, and the account has a copy of it: the stack was deployed "
                    f"from another controller. Nothing was changed. Run {ADOPT}, which brings it here."
                )
            # Before the first deployment. In check mode, what is not done yet would be there by now.
            return self.answer("none", changed=self.check)
        packed, seen = archive.pack(local), folder.read_seen(self.path, self.region)
        if not there:
            version = "" if self.check else self.copy.write(packed, "")
            return self.written("make", packed, version, sorted(local))
        if there.going and self.check:
            return self.answer("update", changed=True, sha256=packed.sha256)
        if there.going:
            self.copy.restore()
        current = self.current()
        if current.header.sha256 != packed.sha256:
            if seen.version != current.version:
                raise RefusedError(self.conflict(current, local))
            whole = self.files_if_whole(current)
            if lost := decisions.lost(local, whole):
                raise RefusedError(
                    f"{self.path} lacks {', '.join(lost)}, and its copy in the account has it. The copy was not "
                    f"changed. Run {ADOPT} ARGS='-e orthweb_adopt_replace=true', which puts the copy in the folder's "
                    "place and keeps the folder beside it, then this command again."
                )
            names = decisions.differences(local, whole)
            version = "" if self.check else self.copy.write(packed, current.version)
            return self.written("update", packed, version, names, current)
        if self.copy.lacks_a_part(current):
            version = "" if self.check else self.copy.write(packed, current.version)
            return self.written("update", packed, version, [], current)
        answer = self.written("keep", packed, current.version, [], current)
        return answer | {"changed": answer["changed"] or there.going}

    def files_if_whole(self, current: Copy) -> dict[str, archive.Entry]:
        with contextlib.suppress(archive.ArchiveError):
            return self.copy.files(current)
        return {}

    def conflict(self, current: Copy, local: archive.Tree) -> str:
        names = decisions.named(decisions.differences(local, self.files_if_whole(current)))
        return (
            f'Another controller has written the copy of {self.path} in the account (secret "{self.copy.name}", '
            f"{current.written}), and this controller has not seen that version; they differ in {names}. The copy was "
            f"not changed. Run {ADOPT} first, which brings it here, then this command again."
        )

    def written(
        self, action: str, packed: archive.Packed, version: str, names: list[str], before: Copy | None = None
    ) -> dict[str, Any]:
        settings = action == "keep" and bool(self.copy.differing())
        if not self.check:
            if action != "make":
                self.copy.settle()
            folder.write_seen(self.path, folder.Seen(version, packed.sha256), self.region)
        changed = action != "keep" or settings
        return self.answer(
            "update" if settings else action, changed=changed, sha256=packed.sha256, names=names, before=before
        )

    def adopted(self) -> dict[str, Any]:
        there = self.standing()
        if not there:
            raise RefusedError(
                f'There is no copy of the controller\'s folder in this region (secret "{self.copy.name}"). Nothing was '
                "changed. Check the region and the stack's name (ORTHWEB_STACK). If the copy was switched off, bring "
                f"{self.path} from the controller that deployed."
            )
        if there.going and self.check:
            return self.answer("adopt", changed=True)
        if there.going:
            self.copy.restore()
        current = self.current()
        tree, local = self.files(current), folder.read(self.path)
        now, seen = archive.pack(local).sha256 if local else "", folder.read_seen(self.path, self.region)
        found = folder.Seen(current.version, current.header.sha256)
        if now == found.sha256:
            if not self.check:
                folder.write_seen(self.path, found, self.region)
            return self.answer("keep", changed=False, sha256=now, before=current)
        lost = [] if now == seen.sha256 else decisions.only_here(local, tree)
        if lost and not self.may_replace:
            raise RefusedError(
                f"{self.path} has files that the copy in the account does not have, or has otherwise: "
                f"{decisions.named(lost)}. Nothing was changed. To have the account's in their place, add ARGS='-e "
                f"orthweb_adopt_replace=true'; the folder of now is then kept beside it, as {self.path.name}.before-…."
            )
        kept_as = self.path.with_name(f"{self.path.name}.before-{time.strftime('%Y%m%d%H%M%S', time.gmtime())}")
        if not self.check:
            folder.replace(self.path, tree, found, self.region, kept_as if lost else None)
        names = [name for name in decisions.differences(local, tree) if name in tree]
        return self.answer(
            "adopt",
            changed=True,
            sha256=found.sha256,
            names=names,
            before=current,
            kept_as=str(kept_as) if lost else "",
        )

    def absent(self) -> dict[str, Any]:
        there = self.standing()
        if there and not self.check:
            self.copy.remove()
        return self.answer("remove" if there else "none", changed=bool(there))

    def answer(
        self,
        action: str,
        *,
        changed: bool,
        sha256: str = "",
        names: list[str] | None = None,
        before: Copy | None = None,
        kept_as: str = "",
    ) -> dict[str, Any]:
        files = names or []
        return {
            "changed": changed,
            "action": action,
            "sha256": sha256,
            "files": files,
            "kept_as": kept_as,
            "before": {"version": before.version if before else ""},
            "diff": {"before": "", "after": "".join(f"{action} {name}\n" for name in files)},
        }
