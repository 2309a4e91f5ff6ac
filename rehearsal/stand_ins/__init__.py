# SPDX-License-Identifier: GPL-3.0-or-later
"""What is really there behind the records of the API: hosts, databases and a registry, each a container."""
