# SPDX-License-Identifier: GPL-3.0-or-later
"""DICOMweb (PS3.18): ``options`` say which ``archive`` is asked for which files.

``verify``   does it give back what was put in
``search``   is it found by what a radiologist looks for
"""
