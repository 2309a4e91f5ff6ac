// SPDX-License-Identifier: GPL-3.0-or-later
// Dark or light, before anything is drawn: as chosen on the archive's page, or else as the browser is set. Paper is light.
(() => {
    const dark = window.matchMedia('(prefers-color-scheme: dark)')
    const paper = window.matchMedia('print')

    function apply() {
        const chosen = window.localStorage.getItem('orthweb.theme') || (dark.matches ? 'dark' : 'light')
        document.documentElement.dataset.bsTheme = paper.matches ? 'light' : chosen
    }

    apply()
    dark.addEventListener('change', apply)
    paper.addEventListener('change', apply)
    window.addEventListener('storage', apply) // chosen in another tab
    window.addEventListener('themechosen', apply)
})()
