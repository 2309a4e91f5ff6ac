# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role aws_survey decides by: each rule gets what was given and answered, and yields what is wrong.

``settings``, ``ranges`` and ``network`` judge what a person gave, ``answers`` what AWS said about it; the filter
``aws_problems`` puts them together. ``explain`` speaks after a failure, ``leftovers`` after a teardown.
"""
