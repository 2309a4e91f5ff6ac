// SPDX-License-Identifier: GPL-3.0-or-later
// The archive's own page. Each role is shown what it may do, and is asked nothing else.

import { start as startAccounts } from './accounts.js'
import { ask, attempt, loginAddress } from './ask.js'
import { start as startAudit } from './audit.js'
import { start as startConfirming } from './confirm.js'
import { start as startConnecting } from './connect.js'
import { byId, show } from './dom.js'
import { start as startModalities } from './modalities.js'
import { roleName } from './roles.js'
import { start as startShares } from './shares.js'
import { start as startStatus } from './status.js'
import { start as startTexts, t, whenLanguageChanges } from './texts.js'
import { start as startUpload } from './upload.js'

const READERS = ['admin', 'radiologist', 'reader']

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
    byId('role').textContent = roleName(me.role)
    document.title = t('page.title', { archive: archive.name })
    byId('name').textContent = archive.name
}

// Whether what is for these roles is for this one. Which roles make share links is a setting.
function isFor(roles, role, archive) {
    return roles.includes(role) || (roles.includes('sharers') && archive.share_roles.includes(role))
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
        if (!isFor(element.dataset.roles.split(' '), me.role, archive)) {
            element.remove()
        }
    }
    present(me, archive)
    whenLanguageChanges(() => present(me, archive))
    show('page', true)
    startStatus(archive, READERS.includes(me.role))
    if (byId('upload')) {
        startUpload()
    }
    startConfirming()
    if (byId('shares')) {
        startShares(READERS.includes(me.role))
    }
    if (me.role === 'admin') {
        startModalities(modalities)
        startAccounts(me.account)
        startAudit()
    }
    startConnecting(archive, modalities)
}

startTheme()
start().catch((error) => {
    show('trouble', true)
    throw error
})
