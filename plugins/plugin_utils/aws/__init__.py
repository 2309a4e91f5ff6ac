# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles of AWS decide: names of resources, rules of security groups, and what needs a module at all."""
