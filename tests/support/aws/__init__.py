# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated AWS account for tests, and a stack's life in it."""
