# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collects what check mode says would change, and lists it at the end."""

from __future__ import annotations

DOCUMENTATION = r"""
name: plan
type: aggregate
version_added: 0.1.0
author:
  - The OrthWeb authors (@cellcs)
short_description: List what would be created, changed and removed
description:
  - In check mode, prints at the end of the run what would be made (C(+)), changed (C(~)) and removed (C(-)), with
    counts. AWS resources come with their kind, name and main properties, other tasks with their host and, with
    C(--diff), what differs.
  - Outside of check mode, it only stops C(plan.yml) before its first task.
  - After the playbook C(plan.yml), the exit code is 0 if there is nothing to do, 2 if there is something, and 1 if a
    task failed or a host did not answer.
  - A task that prints with C(ansible.builtin.debug) and has C(changed_when=true) announces something to be made, which
    its module cannot say in check mode. If its C(msg) is a dictionary with C(kind) and C(name), it is listed among
    the AWS resources, with the other keys as properties.
  - Tasks with C(check_mode=false) are not listed, as they have been run.
requirements:
  - Enable it as the last one of C(callbacks_enabled), for it ends the run of C(plan.yml).
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from ansible import constants as C  # noqa: N812
from ansible import context
from ansible.plugins.callback import CallbackBase
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.plan_resources import (
    CHANGE,
    MAKE,
    REMOVE,
    REMOVING_STATES,
    Resource,
    is_aws,
    made_before,
    read,
)
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.plan_text import (
    diff_lines,
    property_lines,
    short,
    task_title,
)

COLOURS = {MAKE: C.COLOR_OK, CHANGE: C.COLOR_CHANGED, REMOVE: C.COLOR_ERROR}
NOTHING_TO_DO = 0
FAILED = 1
SOMETHING_TO_DO = 2


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "cellcs.orthweb.plan"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._check = False
        self._decides = False  # on the exit code
        self._sections: dict[str, list[tuple[str, str, list[str]]]] = {}

    def v2_playbook_on_start(self, playbook: Any) -> None:
        self._check = bool(context.CLIARGS.get("check"))
        self._decides = PurePath(playbook._file_name).name == "plan.yml"
        self.disabled = not self._check
        if self._decides and not self._check:
            # Here, and not in a play alone: with --limit a play on localhost would be passed over.
            self._display.error("Nothing was touched: plan.yml only plans. Run 'make plan', or add --check --diff.")
            raise SystemExit(FAILED)

    def v2_runner_on_ok(self, result: Any) -> None:
        if "results" not in result.result or not result.task.loop:  # the items of a loop have been seen
            self._collect(result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        self._collect(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._print(sorted({**stats.failures, **stats.dark}))
        if self._decides:
            some = any(self._sections.values())
            raise SystemExit(FAILED if stats.failures or stats.dark else SOMETHING_TO_DO if some else NOTHING_TO_DO)

    def _collect(self, result: Any) -> None:
        answer = result.result
        if not answer.get("changed") or result.task.check_mode is False:
            return
        action, name = result.task.resolved_action or result.task.action, result.task.get_name()
        # Core 2.21 no longer tells the module's view of its arguments; those of the task are complete, but not masked.
        arguments = (answer.get("invocation") or {}).get("module_args") or result.task_fields.get("args") or {}
        message = answer.get("msg")
        announced = action in C._ACTION_DEBUG
        if is_aws(action):
            self._add_resource(read(action, arguments, answer, task_title(name)), answer)
        elif announced and isinstance(message, Mapping) and {"kind", "name"} <= set(message):
            shows = {key: value for key, value in message.items() if key not in ("kind", "name")}
            self._add_resource(Resource(MAKE, str(message["kind"]), str(message["name"]), shows), answer)
        elif announced:
            self._add(result.host.get_name(), MAKE, short(message), [])
        else:
            self._add_task(result, name, arguments)

    def _add_resource(self, resource: Resource, answer: Mapping[str, Any]) -> None:
        details = diff_lines(answer.get("diff")) if resource.sign == CHANGE else []
        if resource.sign != REMOVE and not details:
            details = [line for key, value in resource.shows.items() for line in property_lines(key, value)]
        self._add("AWS", resource.sign, f"{resource.label} {resource.name}", details)

    def _add_task(self, result: Any, name: str, arguments: Mapping[str, Any]) -> None:
        answer = result.result
        sign = REMOVE if arguments.get("state") in REMOVING_STATES else CHANGE if made_before(answer) else MAKE
        label = "" if answer.get("censored") else answer.get("_ansible_item_label", "")
        title = f"{task_title(name)} ({short(label)})" if label not in ("", None) else task_title(name)
        self._add(result.host.get_name(), sign, title, diff_lines(answer.get("diff")) if sign == CHANGE else [])

    def _add(self, section: str, sign: str, title: str, details: list[str]) -> None:
        self._sections.setdefault(section, []).append((sign, title, details))

    def _print(self, failed: list[str]) -> None:
        show = self._display.display
        self._display.banner("PLAN")
        for section in sorted(self._sections, key=lambda name: (name != "AWS", name)):
            show(f"{section}:")
            for sign, title, details in self._sections[section]:
                show(f"  {sign} {title}", color=COLOURS[sign])
                for line in details:
                    show(f"      {line}")
        count = Counter(sign for entries in self._sections.values() for sign, title, details in entries)
        if count:
            show(f"Plan: {count[MAKE]} to make, {count[CHANGE]} to change, {count[REMOVE]} to remove.")
        elif not failed:
            show("Nothing to do.")
        if failed:
            show(f"The plan is incomplete: see above what failed on {', '.join(failed)}.", color=C.COLOR_ERROR)
