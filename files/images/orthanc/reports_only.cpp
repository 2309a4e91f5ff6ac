/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A plugin of Orthanc: a request with `Orthweb-Stores: reports`, which nginx adds for accounts with the role radiologist, stores structured
 * reports, presentation states and key object selections, and nothing else. What an object is decides the SOP class in its dataset, as
 * Orthanc reads it, by whichever route it comes: DICOMweb hands on what it receives inside Orthanc, without saying for whom, but on the
 * thread that serves the request.
 */
#include <orthanc/OrthancCPlugin.h>

#include <json/json.h>

#include <cstring>
#include <exception>
#include <memory>
#include <string>

namespace
{
/* What a filter answers. STOW-RS says of an object that is discarded that it was stored, and of one that failed that it was not. */
const int keep = 1, fail = -1;

/* PS3.4 annexes B.5 and GG.3: all structured reports, among them key object selections, and all presentation states. */
const char *const classes[] = {"1.2.840.10008.5.1.4.1.1.88.", "1.2.840.10008.5.1.4.1.1.11."};

OrthancPluginContext *context;
thread_local bool reports_only = false;

struct Release
{
    void operator()(char *text) const { OrthancPluginFreeString(context, text); }
};

/* Asked on the thread that then serves the request. */
int32_t look_at_request(OrthancPluginHttpMethod, const char *, const char *, uint32_t headers, const char *const *names,
                        const char *const *values, uint32_t, const char *const *, const char *const *)
{
    reports_only = false;
    for (uint32_t i = 0; i < headers; ++i)
        if (std::strcmp(names[i], "orthweb-stores") == 0 && std::strcmp(values[i], "reports") == 0)
            reports_only = true;
    return keep;
}

bool is_report(const std::string &sop_class)
{
    for (const std::string beginning : classes)
        if (sop_class.compare(0, beginning.size(), beginning) == 0 &&
            sop_class.find_first_not_of("0123456789.") == std::string::npos)
            return true;
    return false;
}

int32_t filter(const OrthancPluginDicomInstance *instance)
{
    if (!reports_only)
        return keep;
    try
    {
        const std::unique_ptr<char, Release> json(OrthancPluginGetInstanceAdvancedJson(
            context, instance, OrthancPluginDicomToJsonFormat_Short, OrthancPluginDicomToJsonFlags_None, 64));
        Json::Value dataset;
        const std::unique_ptr<Json::CharReader> reader(Json::CharReaderBuilder().newCharReader());
        if (json && reader->parse(json.get(), json.get() + std::strlen(json.get()), &dataset, nullptr) &&
            is_report(dataset["0008,0016"].asString()))
            return keep;
    }
    catch (const std::exception &error)
    {
        OrthancPluginLogError(context, error.what());
    }
    OrthancPluginLogWarning(context, "Not stored: a radiologist stores reports, presentation states and key objects only");
    return fail;
}
} // namespace

extern "C"
{
int32_t OrthancPluginInitialize(OrthancPluginContext *given)
{
    context = given;
    OrthancPluginRegisterIncomingHttpRequestFilter2(context, look_at_request);
    OrthancPluginRegisterIncomingDicomInstanceFilter(context, filter);
    return 0;
}

void OrthancPluginFinalize()
{
}

const char *OrthancPluginGetName()
{
    return "reports-only";
}

const char *OrthancPluginGetVersion()
{
    return "1.0.0";
}
}
