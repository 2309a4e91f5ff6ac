// SPDX-License-Identifier: GPL-3.0-or-later
// Elements of the page. What others have written becomes text only, never markup.

export const byId = (id) => document.getElementById(id)

export function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag)
    for (const [name, value] of Object.entries(attributes)) {
        made.setAttribute(name, value)
    }
    made.append(...children)
    return made
}

export function show(id, isShown) {
    byId(id).hidden = !isShown
}
