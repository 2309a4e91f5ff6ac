// SPDX-License-Identifier: GPL-3.0-or-later
// The archive's own page. Each role is shown what it may do, and is asked nothing else.

import { ask, attempt, loginAddress } from './ask.js'
import { start as startConnecting } from './connect.js'
import { byId, show } from './dom.js'
import { start as startModalities } from './modalities.js'
import { start as startStatus } from './status.js'
import { start as startTexts, t, whenLanguageChanges } from './texts.js'
import { start as startUpload } from './upload.js'

const ROLES = { admin: 'role.admin', radiologist: 'role.radiologist', reader: 'role.reader', uploader: 'role.uploader' }

function startTheme() {
    const choice = byId('theme')
    choice.value = window.localStorage.getItem('orthweb.theme') || ''
    choice.addEventListener('change', () => {
        if (choice.value) {
            window.localStorage.setItem('orthweb.theme', choice.value)
        } else {
            window.localStorage.removeItem('orthweb.theme')
        }
        window.dispatchEvent(new Event('themechosen'))
    })
}

function present(me, archive) {
    byId('account').textContent = me.account
    byId('role').textContent = ROLES[me.role] ? t(ROLES[me.role]) : me.role
    document.title = t('page.title', { archive: archive.name })
    byId('name').textContent = archive.name
}

async function start() {
    await startTexts()
    const asked = await attempt(() => ask('/archive/me'))
    if (asked.status === 401) {
        window.location.assign(loginAddress())
        return
    }
    const me = asked.value
    const archive = await ask('/archive/archive.json')
    const modalities = me.role === 'admin' ? await ask('/archive/modalities.json') : []
    for (const element of document.querySelectorAll('[data-roles]')) {
        if (!element.dataset.roles.split(' ').includes(me.role)) {
            element.remove()
        }
    }
    present(me, archive)
    whenLanguageChanges(() => present(me, archive))
    show('page', true)
    startStatus(archive, me.role !== 'uploader')
    if (byId('upload')) {
        startUpload()
    }
    if (me.role === 'admin') {
        startModalities(modalities)
    }
    startConnecting(archive, modalities)
}

startTheme()
start().catch((error) => {
    show('trouble', true)
    throw error
})
