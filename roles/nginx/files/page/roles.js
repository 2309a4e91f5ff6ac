// SPDX-License-Identifier: GPL-3.0-or-later
// What roles are called.

import { t } from './texts.js'

const ROLES = {
    admin: 'role.admin', radiologist: 'role.radiologist', reader: 'role.reader', uploader: 'role.uploader', share: 'role.share',
}

export function roleName(role) {
    return ROLES[role] ? t(ROLES[role]) : role
}
