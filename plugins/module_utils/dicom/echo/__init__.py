# SPDX-License-Identifier: GPL-3.0-or-later
"""C-ECHO: ``probe`` checks one peer, ``peers`` many side by side."""
