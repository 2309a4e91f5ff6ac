// SPDX-License-Identifier: GPL-3.0-or-later
// Asks before something is ended that cannot be begun again.

import { byId } from './dom.js'

// Whether the question was answered with the button that says what is done. Escape is a no.
export function confirmed(question, action) {
    const dialog = byId('confirm')
    byId('confirm_question').textContent = question
    byId('confirm_yes').textContent = action
    dialog.returnValue = ''
    dialog.showModal()
    return new Promise((resolve) => {
        dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true })
    })
}

export function start() {
    byId('confirm_yes').addEventListener('click', () => byId('confirm').close('yes'))
    byId('confirm_no').addEventListener('click', () => byId('confirm').close())
}
