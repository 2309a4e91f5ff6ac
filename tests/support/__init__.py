# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests share: stacks, peers, authorities, accounts. pyproject.toml makes it importable as ``support``."""
