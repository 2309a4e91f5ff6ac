// SPDX-License-Identifier: GPL-3.0-or-later
// Whose address it is, where requests of an address are counted.

// An IPv6 client can send from any address of its /64 (RFC 6177).
function networkOf(address) {
    if (!address.includes(':') || address.includes('.')) {
        return address
    }
    const halves = address.split('::').map((half) => half.split(':').filter((group) => group))
    const before = halves[0], behind = halves[1] || []
    return before.concat(Array(Math.max(0, 8 - before.length - behind.length)).fill('0'), behind).slice(0, 4).join(':')
}

export default networkOf
