# SPDX-License-Identifier: GPL-3.0-or-later
"""C-STORE: from files to what became of each.

``paths``    which files there are (``files``: what each of them is)
``send``     all of them, over associations side by side (``groups``: which go over the same one; ``c_store``: one of
             them; ``ledger``: what became of each, as it comes in)
``outcome``  what became of each, and of all (``refusal``: what a status A7xx means; ``blame``: whose fault a broken
             association is)
``journal``  what was acknowledged, so that the next run goes on from there
``progress``, ``report``
             for people, meanwhile and afterwards (``report_page``: the HTML; ``own_file``: what may be overwritten)
"""
