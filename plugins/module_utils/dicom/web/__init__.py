# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DICOMweb (PS3.18): ``options`` say which ``archive`` is asked for which files.

``verify``   does it give back what was put in
``search``   is it found by what a radiologist looks for
"""
