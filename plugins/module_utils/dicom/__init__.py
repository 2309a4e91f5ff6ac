# SPDX-License-Identifier: GPL-3.0-or-later
"""DICOM as its client: a peer is checked, images are sent to it, and asked for again over DICOMweb.

In layers, none of which imports from one that is listed below it:

``names``, ``peer``, ``failure``, ``words``, ``libraries``
             what all others share: what is declared, how failures are named, the standard's numbers in words
``net``      the way to a peer, from its name to an association, and what each error on it means
``echo``     C-ECHO: is a peer alive, or are many
``store``    C-STORE: files, what becomes of each, and what is written down about it
``web``      DICOMweb: is an image found, and given back as it was
``samples``  images to try all this with
"""
