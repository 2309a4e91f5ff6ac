// SPDX-License-Identifier: GPL-3.0-or-later
// Downloads certificate and key of a modality, which a link gives once.

import { send } from './link.js'

const button = document.getElementById('download')

function save({ file, content }) {
    const octets = Uint8Array.from(atob(content), (character) => character.charCodeAt(0))
    const link = document.createElement('a')
    link.href = URL.createObjectURL(new Blob([octets], { type: 'application/x-pkcs12' }))
    link.download = file
    link.click()
}

button.addEventListener('click', async () => {
    button.disabled = true
    const answer = await send('/bundle/download')
    button.disabled = false
    if (answer.ok) {
        save(answer)
        button.hidden = true
        const said = document.getElementById('said')
        said.textContent = said.dataset.done
    }
})
