# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rehearsal has instead of an AWS account: see README.md."""
