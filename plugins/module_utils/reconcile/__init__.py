# SPDX-License-Identifier: GPL-3.0-or-later
"""The index of an archive against the bytes that it keeps: what is missing, orphaned, damaged or misplaced.

``compare`` decides, and asks nobody; ``areas`` reads and removes, for each kind of storage area; ``run`` puts them
together, and keeps since when orphans are known to be there.
"""
