# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to a peer, from its name to an association. Each of these files stands on those before it.

``failures``     what an error on that way means
``tls``          contexts and certificates
``transport``    name, TCP, TLS
``pdu``          what goes over the wire, to bytes and from bytes
``stream``       a connection as PDUs go over it
``association``  A-ASSOCIATE, C-ECHO, C-STORE, A-RELEASE
"""
