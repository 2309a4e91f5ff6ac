/** @type {AppTypes.Config} OHIF's configuration, served as /app-config.js. */

// nginx writes it into OHIF's page.
const ARCHIVE = document.querySelector('meta[name=application-name]').content
// So does the role of the account, in this file.
const ROLE = '@ROLE@'
const STORES = ['admin', 'radiologist'].includes(ROLE)
// OHIF's segmentation code makes arrays with new Function. In browsers with trusted types, the page's policy sends every string that
// is to become a script through here, and nothing else becomes one.
const NDARRAY = /^\(function anonymous\((TrivialArray|CTOR_LIST,ORDER)?\n\) \{\n('use strict'\n)?function View\w+\(/
window.trustedTypes?.createPolicy('default', {
    createScript: (source) => NDARRAY.test(source) ? source : null,
    createScriptURL: (address) => address, // script-src and worker-src limit the sources
    createHTML: (markup) => markup,
})

// As many as Orthanc returns at most (LimitFindResults).
const STUDIES_SHOWN = 100

/**
 * A name as a person types it. OHIF shows Müller^Anna as "Müller, Anna", so a comma or a space matches whatever separates the
 * parts of a name.
 */
function namePattern(typed) {
    return typed?.trim().replace(/[\s,]+/g, '*')
}

/**
 * A study as QIDO-RS returns it, without what breaks OHIF's list: attributes without a value, a single one of which loses the whole
 * list, and names without an alphabetic form (PS3.18 section F.2.2).
 */
function presentable(study) {
    const attributes = Object.entries(study).filter(([, attribute]) => attribute.Value?.length)
    for (const [, { vr, Value: [value] }] of attributes) {
        if (vr === 'PN' && value) {
            value.Alphabetic ??= value.Ideographic ?? value.Phonetic
        }
    }
    return Object.fromEntries(attributes)
}

async function findStudies(root, parameters) {
    const query = Object.entries(parameters).map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')
    const address = `${root}/studies?${query}`
    const answer = await fetch(address, { headers: { Accept: 'application/dicom+json' } })
    if (answer.status === 401) {
        logIn()
    }
    if (!answer.ok) {
        throw new Error(`The search for studies was answered with ${answer.status}. /archive/ says which part of the archive is down.`)
    }
    return answer.status === 204 ? [] : answer.json()
}

// SOP classes whose instances can be videos.
const MAYBE_VIDEO = [
    '1.2.840.10008.5.1.4.1.1.77.1.1.1', // endoscope
    '1.2.840.10008.5.1.4.1.1.77.1.2.1', // microscope
    '1.2.840.10008.5.1.4.1.1.77.1.4.1', // camera
    '1.2.840.10008.5.1.4.1.1.7', '1.2.840.10008.5.1.4.1.1.7.4', // secondary capture
    '1.2.840.10008.5.1.4.1.1.3.1', // ultrasound
]
const MPEG2 = /^1\.2\.840\.10008\.1\.2\.4\.10[01](\.1)?$/

/** A series' SOP instance UIDs → transfer syntaxes: OHIF plays a video if it knows the syntax, which Orthanc's DICOMweb omits. */
async function transferSyntaxes(seriesInstanceUID) {
    const answer = await fetch('/orthanc/tools/find', {
        method: 'POST',
        body: JSON.stringify({
            Level: 'Instance',
            Query: { SeriesInstanceUID: seriesInstanceUID },
            ResponseContent: ['MainDicomTags', 'Metadata'],
        }),
    })
    const instances = answer.ok ? await answer.json() : []
    return new Map(instances.map((instance) => [instance.MainDicomTags.SOPInstanceUID, instance.Metadata.TransferSyntax]))
}

/** Items of a structured report need not have a name (PS3.3 section C.17.3), but OHIF closes the study if one has none. */
function nameItems(content) {
    for (const item of content['0040A730']?.Value ?? []) {
        item['0040A043'] ??= {
            vr: 'SQ',
            Value: [{ '00080100': { vr: 'SH', Value: ['-'] }, '00080104': { vr: 'LO', Value: item['0040A040']?.Value ?? ['-'] } }],
        }
        nameItems(item)
    }
}

/** The metadata of a series, with what OHIF needs and Orthanc omits. */
async function completeSeries(instances, seriesInstanceUID, warn) {
    instances.forEach(nameItems)
    if (instances.some((instance) => MAYBE_VIDEO.includes(instance['00080016']?.Value?.[0]))) {
        const known = await transferSyntaxes(seriesInstanceUID)
        for (const instance of instances) {
            const syntax = known.get(instance['00080018'].Value[0])
            if (syntax && !instance['00083002']?.Value) {
                instance['00083002'] = { vr: 'UI', Value: [syntax] }
            }
        }
        if ([...known.values()].some((syntax) => MPEG2.test(syntax))) {
            warn(
                'This video cannot be played here',
                'It is MPEG-2, which browsers do not play. Download the study, and play it with another program.',
            )
        }
    }
    return instances
}

/** OHIF's own DICOMweb data source, with another search for studies and complete metadata. */
function createDataSource(configuration, servicesManager, extensionManager) {
    const { createDataSource: create } = extensionManager.getModuleEntry('@ohif/extension-default.dataSourcesModule.dicomweb')
    const source = create(configuration, servicesManager, extensionManager)
    const warn = (title, message) => servicesManager.services.uiNotificationService.show({
        id: title, title, message, type: 'warning', duration: 15000,
    })

    const { studies } = source.query
    studies.search = async (filter) => {
        // A share link is for one study. OHIF also looks for others of the patient.
        const wanted = ROLE === 'share'
            ? { studyInstanceUid: new URLSearchParams(window.location.search).get('StudyInstanceUIDs') }
            : { ...filter, patientName: namePattern(filter.patientName) }
        const parameters = studies.mapParams(wanted, configuration)
        const found = await findStudies(configuration.qidoRoot, parameters)
        if (found.length >= STUDIES_SHOWN) {
            warn(
                `Only ${found.length} studies are shown`,
                'More match, and what you look for may not be among them: search by name, ID, date or modality.',
            )
        }
        return studies.processResults(found.map(presentable))
    }

    if (!STORES) {
        source.store.dicom = async () => warn('Not saved', 'Your account may not store anything in this archive. Download the measurements as CSV.')
    }
    const { initialize } = source
    source.initialize = (route) => {
        initialize(route)
        const client = source.retrieve.getWadoDicomWebClient()
        const retrieve = client.retrieveSeriesMetadata
        client.retrieveSeriesMetadata = async (options) => completeSeries(
            await retrieve.call(client, options), options.seriesInstanceUID, warn,
        )
    }
    return source
}

const TEXT_COLUMNS = ['patient', 'mrn', 'description', 'accession']
const COLUMN_CHANGES = {
    mrn: { label: 'Patient ID', priority: 95 },
    description: { minWidth: 165, headerClassName: 'min-w-[165px]', cellClassName: 'min-w-[165px]' },
}

/**
 * A column of the list of studies. The patient's ID has one, and so a search field, even on a narrow screen, where the description is
 * hidden instead. All that the archive has found is shown: OHIF would filter by the typed text again, and knows neither `*` nor that
 * a name has other forms than the one it shows.
 */
function column(original) {
    return {
        ...original,
        ...(TEXT_COLUMNS.includes(original.id) && { filterFn: () => true }),
        meta: { ...original.meta, ...COLUMN_CHANGES[original.id] },
    }
}

/** Removes what saves measurements, for those who may not: OHIF has no setting for it. */
function hideSaving() {
    for (const button of document.querySelectorAll('button')) {
        if (/^(Create SR|Créer SR|SR aanmaken)$/.test(button.textContent)) {
            button.style.display = 'none'
        }
    }
}
if (!STORES) {
    new MutationObserver(hideSaving).observe(document, { childList: true, subtree: true })
}

/** To the login, if the session has ended, and back to the same view. */
function logIn() {
    if (ROLE === 'share') {
        window.location.assign('/share/')
        return
    }
    window.location.assign(`/auth/?url=${encodeURIComponent(btoa(window.location.href))}`)
}

const archiveExtension = {
    id: 'orthweb',
    getDataSourcesModule: () => [{ name: 'archive', type: 'webApi', createDataSource }],
}

window.config = {
    routerBasename: '/',
    extensions: [archiveExtension],
    modes: [],
    customizationService: {
        // The tour for new users covers the images, and is about OHIF.
        'ohif.tours': { $set: [] },
        // Videos and multi-frame runs show the play button at once.
        autoCineModalities: { $push: ['ES', 'GM', 'XC', 'XA', 'RF'] },
        'workList.columns': { $apply: (columns) => columns.map(column) },
    },
    showStudyList: ROLE !== 'share',
    httpErrorHandler: ({ status }) => status === 401 && logIn(),
    whiteLabeling: {
        // Leads to the page with the account, and with the way out.
        createLogoComponentFn: (React) => React.createElement(
            ROLE === 'share' ? 'span' : 'a', { href: '/archive/', className: 'text-foreground text-lg font-semibold flex items-center gap-2' },
            React.createElement('img', { src: '/archive/icon.svg', alt: '', width: 28, height: 28 }), ARCHIVE,
        ),
    },
    // OHIF is not a medical device; users are told so once a year.
    investigationalUseDialog: { option: 'configure', days: 365 },
    defaultDataSourceName: 'archive',
    dataSources: [
        {
            namespace: 'orthweb.dataSourcesModule.archive',
            sourceName: 'archive',
            configuration: {
                friendlyName: ARCHIVE,
                name: 'archive',
                qidoRoot: `${window.location.origin}/dicom-web`,
                wadoRoot: `${window.location.origin}/dicom-web`,
                wadoUriRoot: `${window.location.origin}/dicom-web`,
                qidoSupportsIncludeField: false,
                queryLimit: STUDIES_SHOWN,
                supportsWildcard: true,
                supportsFuzzyMatching: false,
                imageRendering: 'wadors',
                thumbnailRendering: 'wadors',
                enableStudyLazyLoad: true,
                omitQuotationForMultipartRequest: true,
                bulkDataURI: { enabled: true },
                // A video directly from its address, so that it plays while it loads.
                singlepart: 'video',
            },
        },
    ],
}
