# SPDX-License-Identifier: GPL-3.0-or-later
"""What is checked before a run: each rule gets what was given and found, and yields a sentence for what is wrong.

``words`` has the sentences that several rules share; each other file has the rules for its subject. The filter
``preflight_problems`` puts them together, and what an AWS account is asked has its rules in ``aws_checks``.
"""
