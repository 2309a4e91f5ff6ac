# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A private PKI in one folder, in the order in which a run passes through these files.

``spec``     what is declared, checked before anything is touched (``names``: subject alternative names)
``current``  what is in the folder (``layout``: where each file is; ``facts``: what a certificate says)
``plan``     what has to be done, and why; a pure function of the two above and the time
``apply``    doing it, under a lock, in an order that the next run can always finish (``authority``: the cryptography)
``report``   what the module returns, and its diff
"""
