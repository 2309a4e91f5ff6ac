# SPDX-License-Identifier: GPL-3.0-or-later
"""How old container images are, what is pending for them, and what is known against them.

``advisories`` the table of vulnerabilities with a known fix, and which of them apply
``contents``   what an image says of itself: list of packages, date of its index, what apt would upgrade
``engine``     asks an image for these, with Docker
``survey``     puts them together, remembers what apt answered, and says it to a person
"""
