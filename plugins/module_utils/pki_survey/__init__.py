# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in a folder of certificates, ours or not, in the order in which a run passes through these files.

``files``     opens the files, whatever they are
``contents``  reads what is in them (``der``: a look before opening; ``items``: what may be found)
``links``     finds out what belongs to what
``report``    what the module returns
"""
