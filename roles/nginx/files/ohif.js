/** @type {AppTypes.Config} OHIF's configuration, served as /app-config.js. */
window.config = {
    routerBasename: '/',
    extensions: [],
    modes: [],
    customizationService: {},
    showStudyList: true,
    // OHIF is no medical device; whoever uses it is told so, once a year.
    investigationalUseDialog: { option: 'configure', days: 365 },
    defaultDataSourceName: 'archive',
    dataSources: [
        {
            namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
            sourceName: 'archive',
            configuration: {
                friendlyName: 'This archive',
                name: 'archive',
                qidoRoot: `${window.location.origin}/dicom-web`,
                wadoRoot: `${window.location.origin}/dicom-web`,
                wadoUriRoot: `${window.location.origin}/dicom-web`,
                qidoSupportsIncludeField: false,
                supportsWildcard: true,
                supportsFuzzyMatching: false,
                imageRendering: 'wadors',
                thumbnailRendering: 'wadors',
                enableStudyLazyLoad: true,
                omitQuotationForMultipartRequest: true,
                bulkDataURI: { enabled: true },
            },
        },
    ],
}

// OHIF asks for the description of a study in a list of fields, with %2C between them; Orthanc knows a list only by its commas.
const open = XMLHttpRequest.prototype.open
XMLHttpRequest.prototype.open = function (method, url, ...rest) {
    const asked = String(url).replace(/[?&]includefield=[^&]*/, (fields) => fields.replace(/%2C/gi, ','))
    return open.call(this, method, asked, ...rest)
}
