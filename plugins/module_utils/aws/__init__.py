# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stack has in an AWS account. :mod:`survey` asks; the other files know one service each."""
