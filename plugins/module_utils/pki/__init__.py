# SPDX-License-Identifier: GPL-3.0-or-later
"""A private PKI in one folder, in the order in which a run passes through these files.

``parse``    from parameters to what is declared (``spec``), checked before anything is touched
             (``names``, ``constraints``, ``ownership``: what they are made of; ``parse_ownership``, ``accounts``)
``current``  what is in the folder (``layout``: where each file is; ``files``: reading them; ``read_authorities``:
             the CAs, each a ``stored_authority``; ``facts``: what a certificate says; ``compare_ownership``)
``plan``     what has to be done, and why (``decisions``); a function of the two above and the time
             (``plan_authorities``, ``plan_certificates``, ``plan_lists``; ``standing``: which CAs are still needed)
``apply``    doing it, under a ``lock``, in an order that the next run can always finish (``authority``: the
             cryptography; ``apply_ownership``)
``report``   what the module returns, and its diff
``library``  whether cryptography is there
"""
