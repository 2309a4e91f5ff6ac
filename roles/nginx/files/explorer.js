// SPDX-License-Identifier: GPL-3.0-or-later
// What nginx adds to Orthanc Explorer.

// What this account may not do is not shown: nginx would refuse it. nginx puts the role here.
const ROLE = '@ROLE@'
const ADMINS_ONLY = [
    'a[href="#upload"]', 'a[href="#query-retrieve"]',
    'ul:has(a[id$="-delete"])', // with "Send to DICOM modality" and "Anonymize"
    'div:has(> #protection)',
    '#job fieldset',
]
if (ROLE !== 'admin') {
    const style = document.createElement('style')
    style.textContent = `${ADMINS_ONLY.join(', ')} { display: none !important }`
    document.head.append(style)
}

// On the page of a study: one click opens it in OHIF.
$('#study').live('pagebeforecreate', function () {
    $('<a>')
        .attr({ 'data-role': 'button', 'data-icon': 'search', 'data-theme': 'e', href: '#', id: 'study-ohif' })
        .text('Open in OHIF')
        .insertBefore($('#study-delete').parent().parent())
        .click(function (event) {
            event.preventDefault()
            $.getJSON('../studies/' + $.mobile.pageData.uuid, function (study) {
                window.location.assign('/viewer?StudyInstanceUIDs=' + study.MainDicomTags.StudyInstanceUID)
            })
        })
})
