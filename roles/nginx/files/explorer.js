// SPDX-License-Identifier: GPL-3.0-or-later
// A button that nginx adds to Orthanc Explorer's page of a study: one click opens the study in OHIF.
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
