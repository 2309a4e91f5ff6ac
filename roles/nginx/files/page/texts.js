// SPDX-License-Identifier: GPL-3.0-or-later
// What the page says, in the language that was chosen on it, or else in the browser's. One file a language: en.json, de.json, fr.json.

const LANGUAGES = ['en', 'de', 'fr']
const CHOICE = 'orthweb.language'

let texts = {}
let locale = 'en'
const listeners = []

function wanted() {
    const asked = [window.localStorage.getItem(CHOICE) || '', ...navigator.languages].map((tag) => tag.slice(0, 2).toLowerCase())
    return asked.find((language) => LANGUAGES.includes(language)) || 'en'
}

// Numbers and dates as in the browser's own country, if it speaks this language: de-CH, fr-CA.
function localeOf(language) {
    return navigator.languages.find((tag) => tag.slice(0, 2).toLowerCase() === language) || language
}

// The text with this key, with {names} filled in. One that depends on a count is an object with the plural categories of Intl.
export function t(key, values = {}) {
    const text = texts[key]
    const form = typeof text === 'object' ? text[new Intl.PluralRules(locale).select(values.count)] || text.other : text
    return form.replace(/\{(\w+)\}/g, (whole, name) => (typeof values[name] === 'number' ? number(values[name]) : values[name]))
}

export function number(value) {
    return new Intl.NumberFormat(locale).format(value)
}

export function bytes(value) {
    const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte']
    const power = Math.min(Math.floor(Math.log10(Math.max(value, 1)) / 3), units.length - 1)
    const options = { style: 'unit', unit: units[power], unitDisplay: power ? 'short' : 'long', maximumFractionDigits: power ? 1 : 0 }
    return new Intl.NumberFormat(locale, options).format(value / 1000 ** power)
}

// Hours, as days where they are whole ones.
export function duration(hours) {
    const [value, unit] = hours % 24 ? [hours, 'hour'] : [hours / 24, 'day']
    return new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'long' }).format(value)
}

export function day(date) {
    return new Intl.DateTimeFormat(locale, { dateStyle: 'long' }).format(date)
}

export function moment(date) {
    return new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' }).format(date)
}

export function instant(date) {
    return new Intl.DateTimeFormat(locale, { dateStyle: 'short', timeStyle: 'medium' }).format(date)
}

export function list(items) {
    return new Intl.ListFormat(locale, { type: 'conjunction' }).format(items)
}

// Texts that do not change are in the HTML: data-text becomes the content, data-label the name that a screen reader says.
function fillIn() {
    document.documentElement.lang = locale
    for (const element of document.querySelectorAll('[data-text]')) {
        element.textContent = t(element.dataset.text)
    }
    for (const element of document.querySelectorAll('[data-label]')) {
        element.setAttribute('aria-label', t(element.dataset.label))
    }
}

async function load(language) {
    const answer = await fetch(`/archive/page/${language}.json`)
    if (!answer.ok) {
        throw new Error(`/archive/page/${language}.json: ${answer.status}`)
    }
    texts = await answer.json()
    locale = localeOf(language)
    fillIn()
    listeners.forEach((draw) => draw())
}

// What draws texts of its own draws them again in another language.
export function whenLanguageChanges(draw) {
    listeners.push(draw)
}

export async function start() {
    const language = wanted()
    const choice = document.getElementById('language')
    choice.value = language
    choice.addEventListener('change', () => {
        window.localStorage.setItem(CHOICE, choice.value)
        load(choice.value)
    })
    await load(language)
}
