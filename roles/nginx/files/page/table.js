// SPDX-License-Identifier: GPL-3.0-or-later
// Tables. On a telephone, a row is a block, and each cell says what it is.

import { byId, element } from './dom.js'
import { t } from './texts.js'

// A column has the key of its title, or '' for buttons, and a function that makes a cell's content of what a row is about.
export function fillTable(id, columns, rows) {
    byId(`${id}_head`).replaceChildren(...columns.map(([title]) => (title ? element('th', { scope: 'col' }, t(title)) : element('td'))))
    byId(id).replaceChildren(...rows.map((one) => element('tr', {}, ...columns.map(([title, cell], number) => {
        const attributes = title ? { 'data-title': t(title) } : { class: 'text-md-end' }
        return number ? element('td', attributes, cell(one)) : element('th', { ...attributes, scope: 'row' }, cell(one))
    }))))
}
