// SPDX-License-Identifier: GPL-3.0-or-later
// Why something was not done, as a sentence, by the status of the answer.

import { t } from './texts.js'

const PROBLEMS = { 401: 'problem.session', 403: 'problem.role', 429: 'problem.locked' }

export function problemOf(status) {
    return t(PROBLEMS[status] || 'problem.away')
}
