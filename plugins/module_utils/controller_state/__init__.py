# SPDX-License-Identifier: GPL-3.0-or-later
"""What only the controller has of a stack, as one value that can be kept elsewhere.

:mod:`archive` packs the files, :mod:`folder` reads and replaces them, :mod:`decisions` says which side is newer.
"""
