# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts that print figures: see README.md. Run them as ``python -m benchmarks.pki``."""
