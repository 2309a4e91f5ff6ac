# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows what is said and what fails, and leaves the rest to the list at the end."""

from __future__ import annotations

DOCUMENTATION = r"""
name: plan_only
type: stdout
version_added: 0.1.0
author:
  - The OrthWeb authors (@cellcs)
short_description: Show messages and failures only
description:
  - The output of C(make plan). Of the tasks, it shows those that failed, in full, and what C(ansible.builtin.debug)
    says, once if several hosts say the same. What would change is left to the callback
    P(cellcs.orthweb.plan#callback).
  - A failure that a C(rescue) handles is not shown, as the rescue says what it means.
  - On a terminal, the task that runs is shown on standard error, in one line.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
requirements:
  - set as stdout in configuration
"""

import shutil
import sys
from typing import Any

from ansible import constants as C  # noqa: N812
from ansible.plugins.callback.default import CallbackModule as Default

# Their message says all there is to say.
SPEAKING = ("ansible.builtin.fail", "ansible.builtin.assert")
CLEAR = "\x1b[K"


class CallbackModule(Default):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "cellcs.orthweb.plan_only"

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def set_options(self, *arguments: Any, **keywords: Any) -> None:
        super().set_options(*arguments, **keywords)
        # The heading of a task is then shown with its first result that is.
        self.set_option("display_ok_hosts", False)
        self.set_option("display_skipped_hosts", False)

    # --- what is shown

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        if ignore_errors or is_rescued(result.task):
            return
        self._progress("")
        if result.task.resolved_action in SPEAKING and not result.task.loop and not result.result.get("censored"):
            self._print_task_banner(result.task)
            self._display.display(f"{self.host_label(result)}: {result.result.get('msg', '')}", color=C.COLOR_ERROR)
        else:
            super().v2_runner_on_failed(result)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        if not is_rescued(result.task):
            self._progress("")
            super().v2_runner_item_on_failed(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._progress("")
        super().v2_runner_on_unreachable(result)

    def v2_runner_on_ok(self, result: Any) -> None:
        if not result.task.loop or "results" not in result.result:
            self._say(result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        self._say(result)

    def _say(self, result: Any) -> None:
        """What a debug task says, unless it announces a change."""
        answer, message = result.result, result.result.get("msg")
        if result.task.resolved_action != "ansible.builtin.debug" or answer.get("changed") or message is None:
            return
        text = "\n".join(map(str, message)) if isinstance(message, list) else str(message)
        if text not in self._said:
            self._said.add(text)
            self._progress("")
            self._display.display(text)
            self._display.display("")

    # --- the line of the task that runs

    def v2_playbook_on_start(self, playbook: Any) -> None:
        self._display.display("Planning. Nothing is changed. ARGS=-v shows every task.", stderr=True)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._play = play
        self._progress(play.get_name())

    def _task_start(self, task: Any, prefix: str | None = None) -> None:
        super()._task_start(task, prefix)
        self._progress(task.get_name())

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._progress("")

    @staticmethod
    def _progress(text: str) -> None:
        """The cursor stays at the beginning, so that what comes next takes the line."""
        if sys.stderr.isatty():
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write(f"{CLEAR}{' '.join(text.split())[:width]}\r")
            sys.stderr.flush()

    # --- what is not

    def v2_on_file_diff(self, result: Any) -> None:
        pass

    def v2_playbook_on_include(self, included_file: Any) -> None:
        pass

    def v2_playbook_on_no_hosts_matched(self) -> None:
        pass

    def v2_playbook_on_no_hosts_remaining(self) -> None:
        pass

    def v2_runner_retry(self, result: Any) -> None:
        pass


def is_rescued(task: Any) -> bool:
    """Whether a rescue takes over if this task fails: it is in the first section of a block that has one."""
    inner, outer = task, task._parent
    while outer is not None:
        if getattr(outer, "rescue", None) and any(each._uuid == inner._uuid for each in outer.block):
            return True
        inner, outer = outer, outer._parent
    return False
