# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit trail: reading it, and showing what was read. docs/audit.md describes an event."""
