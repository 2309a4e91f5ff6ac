/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A plugin of Orthanc: what nginx cannot know of a request, for the audit trail. nginx writes down who asked for which path; this says
 * which study a resource of Orthanc's belongs to, once for each resource that is asked for and for each study that is new, so that it
 * is known after the study has been deleted; which study an uploaded file belongs to; and who came without nginx.
 */
#include <orthanc/OrthancCPlugin.h>

#include <json/json.h>

#include <memory>
#include <mutex>
#include <regex>
#include <set>

#include "event.h"

namespace
{
OrthancPluginContext *context;
std::mutex writing;
std::set<std::string> known;
/* Of the request that this thread answers: nginx's number of it, or who it is from, and the last study that it has stored. */
thread_local std::string request, account, address, stored;

struct Release
{
    void operator()(char *text) const { OrthancPluginFreeString(context, text); }
};

bool parse(Json::Value &value, const char *text, size_t length)
{
    const std::unique_ptr<Json::CharReader> reader(Json::CharReaderBuilder().newCharReader());
    return reader->parse(text, text + length, &value, nullptr);
}

bool ask(Json::Value &answer, const std::string &path)
{
    OrthancPluginMemoryBuffer buffer;
    if (OrthancPluginRestApiGet(context, &buffer, path.c_str()))
        return false;
    const bool parsed = parse(answer, static_cast<const char *>(buffer.data), buffer.size);
    OrthancPluginFreeMemoryBuffer(context, &buffer);
    return parsed;
}

std::string study_of(const Json::Value &resource)
{
    return resource["MainDicomTags"]["StudyInstanceUID"].asString();
}

/* Says which study a resource belongs to, or which studies a patient has. */
void note_resource(const std::string &kind, const std::string &id)
{
    const std::string resource = kind + "/" + id;
    {
        const std::lock_guard<std::mutex> lock(writing);
        if (kind != "patients" && known.count(resource))
            return;
    }
    Json::Value answer;
    std::string studies;
    if (kind == "patients" && ask(answer, "/patients/" + id + "/studies"))
        for (const Json::Value &study : answer)
            studies += (studies.empty() ? "" : ",") + study_of(study);
    else if (kind == "studies" && ask(answer, "/studies/" + id))
        studies = study_of(answer);
    else if (kind != "patients" && kind != "studies" && ask(answer, "/" + resource + "/study"))
        studies = study_of(answer);
    if (studies.empty())
        return;
    const std::lock_guard<std::mutex> lock(writing);
    if (known.size() > 100000)
        known.clear();
    if (known.insert(resource + " " + (kind == "patients" ? studies : "")).second)
        Event("REST", "known").with("resource", resource).with("study", studies).write();
    known.insert(resource);
}

std::string decoded(const std::string &text)
{
    static const std::string letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string bytes;
    unsigned bits = 0, value = 0;
    for (const char letter : text)
    {
        const size_t at = letters.find(letter);
        if (at == std::string::npos)
            break;
        value = value << 6 | at;
        bits += 6;
        if (bits >= 8)
            bytes += static_cast<char>(value >> (bits -= 8) & 0xff);
    }
    return bytes;
}

/* Asked before each request, once Orthanc has let its account in. */
int32_t look(OrthancPluginHttpMethod method, const char *uri, const char *from, uint32_t count, const char *const *keys,
             const char *const *values, uint32_t, const char *const *, const char *const *)
{
    static const char *const methods[] = {"", "GET", "POST", "PUT", "DELETE"};
    static const std::regex resources("/(?:web-viewer/)?(patients|studies|series|instances)/([0-9a-f-]{44})(?![0-9a-f-])");
    try
    {
        request.clear(), account.clear(), stored.clear();
        address = from;
        for (uint32_t header = 0; header < count; ++header)
        {
            const std::string key = keys[header], value = values[header];
            if (key == "x-request")
                request = value;
            else if (key == "authorization" && value.compare(0, 6, "Basic ") == 0)
                account = decoded(value.substr(6));
        }
        account = account.substr(0, account.find(':'));
        const bool by_nginx = account == "nginx" && !request.empty();
        const std::string path = uri;
        std::smatch found;
        if (std::regex_search(path, found, resources, std::regex_constants::match_continuous))
            note_resource(found[1], found[2]);
        if (by_nginx)
            account.clear();
        else
        {
            request.clear();
            /* Without a request of nginx's, nginx's account is the one of the deployment. */
            if (account != "nginx" || method != OrthancPluginHttpMethod_Get)
            {
                Event event("8042", method == OrthancPluginHttpMethod_Get      ? "accessed"
                                    : method == OrthancPluginHttpMethod_Delete ? "deleted"
                                                                               : "changed");
                event.with("outcome", "success").with("account", account == "nginx" ? "deployment" : account).with("address", address);
                event.with("method", methods[method]).with("path", path.substr(0, 400));
                event.with("resource", found.empty() ? "" : found[1].str() + "/" + found[2].str()).write();
            }
        }
    }
    catch (const std::exception &error)
    {
        OrthancPluginLogError(context, error.what());
    }
    return 1;
}

/* In the thread of the request that has brought it. What comes over DICOM is written down by dicom_events.so. */
OrthancPluginErrorCode note_stored(const OrthancPluginDicomInstance *instance, const char *)
{
    if (OrthancPluginGetInstanceOrigin(context, instance) == OrthancPluginInstanceOrigin_DicomProtocol)
        return OrthancPluginErrorCode_Success;
    try
    {
        const std::unique_ptr<char, Release> json(OrthancPluginGetInstanceAdvancedJson(
            context, instance, OrthancPluginDicomToJsonFormat_Short, OrthancPluginDicomToJsonFlags_None, 64));
        Json::Value dataset;
        if (!json || !parse(dataset, json.get(), std::char_traits<char>::length(json.get())))
            return OrthancPluginErrorCode_Success;
        const std::string study = dataset["0020,000d"].asString();
        if (study != stored)
        {
            stored = study;
            Event event("REST", "received");
            event.with("outcome", "success").with("study", study).with("request", request);
            event.with("account", account).with("address", request.empty() ? address : "").write();
        }
    }
    catch (const std::exception &error)
    {
        OrthancPluginLogError(context, error.what());
    }
    return OrthancPluginErrorCode_Success;
}

OrthancPluginErrorCode note_change(OrthancPluginChangeType change, OrthancPluginResourceType type, const char *id)
{
    try
    {
        if (type == OrthancPluginResourceType_Study && change == OrthancPluginChangeType_NewStudy)
            note_resource("studies", id);
        else if (type == OrthancPluginResourceType_Study && change == OrthancPluginChangeType_Deleted)
            Event("REST", "gone").with("resource", "studies/" + std::string(id)).write();
    }
    catch (const std::exception &error)
    {
        OrthancPluginLogError(context, error.what());
    }
    return OrthancPluginErrorCode_Success;
}
} // namespace

extern "C"
{
int32_t OrthancPluginInitialize(OrthancPluginContext *given)
{
    context = given;
    OrthancPluginRegisterIncomingHttpRequestFilter2(context, look);
    OrthancPluginRegisterOnStoredInstanceCallback(context, note_stored);
    OrthancPluginRegisterOnChangeCallback(context, note_change);
    return 0;
}

void OrthancPluginFinalize()
{
}

const char *OrthancPluginGetName()
{
    return "rest-events";
}

const char *OrthancPluginGetVersion()
{
    return "1.0.0";
}
}
