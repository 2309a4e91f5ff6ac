# SPDX-License-Identifier: GPL-3.0-or-later
"""What is checked before a run: each rule gets what was given and found, and yields a sentence for what is wrong.

``words`` has the sentences that several rules share. ``host``, ``ports``, ``modalities``, ``images``, ``database`` and
``authority`` have the rules, each for its subject; the filter ``preflight_problems`` puts them together.
"""
