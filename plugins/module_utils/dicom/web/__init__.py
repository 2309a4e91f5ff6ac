# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DICOMweb: ``archive`` asks for what was sent and compares, ``search`` looks for it as a radiologist does."""
