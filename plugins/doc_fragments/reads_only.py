# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module that changes nothing says of check mode and diff mode."""

from __future__ import annotations


class ModuleDocFragment:
    """``extends_documentation_fragment: cellcs.orthweb.reads_only``"""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Can run in check mode and then does the same, as it changes nothing.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: none
"""
