/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A plugin of Orthanc: a SOP instance that arrives again with other contents does not replace what the archive has (PS3.5 section 9
 * gives one UID to one instance), and is written down. With OverwriteInstances at IfChanged, Orthanc discards an identical copy before
 * it asks here; what is asked here is new, or differs. Lua's filter cannot do this: it overruns its stack on nested sequences.
 */
#include <orthanc/OrthancCPlugin.h>

#include <json/json.h>

#include <ctime>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>

namespace
{
const char *const record = "/var/lib/orthanc/conflicting-instances.jsonl"; // outlives the container
const int keep = 1, discard = 0, fail = -1;                                // what a filter answers

OrthancPluginContext *context;
std::mutex writing;
float discarded = 0;

struct Release
{
    void operator()(char *text) const { OrthancPluginFreeString(context, text); }
};
using Text = std::unique_ptr<char, Release>;

std::string text_of(const char *text)
{
    return text ? text : "";
}

void write_down(const OrthancPluginDicomInstance *instance, const std::string &uid, const char *kept)
{
    char now[sizeof "2026-01-01T00:00:00Z"];
    const std::time_t seconds = std::time(nullptr);
    std::tm utc;
    std::strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &utc));
    const Text syntax(OrthancPluginGetInstanceTransferSyntaxUid(context, instance));

    Json::Value line;
    line["time"] = now;
    line["sop_instance_uid"] = uid;
    line["kept"] = "/instances/" + std::string(kept);
    line["calling_aet"] = text_of(OrthancPluginGetInstanceRemoteAet(context, instance));
    line["over"] = OrthancPluginGetInstanceOrigin(context, instance) == OrthancPluginInstanceOrigin_DicomProtocol ? "DICOM" : "HTTP";
    line["transfer_syntax"] = text_of(syntax.get());
    Json::StreamWriterBuilder format;
    format["indentation"] = "";
    const std::string said = Json::writeString(format, line);

    OrthancPluginLogWarning(context, ("Conflicting SOP instance discarded: " + said).c_str());
    const std::lock_guard<std::mutex> lock(writing);
    OrthancPluginSetMetricsValue(context, "conflicting_instances", ++discarded, OrthancPluginMetricsType_Default);
    if (!(std::ofstream(record, std::ios::app) << said << '\n'))
        OrthancPluginLogError(context, (std::string("Cannot write to ") + record).c_str());
}

int32_t filter(const OrthancPluginDicomInstance *instance)
{
    try
    {
        /* No values but short ones, and no binary ones: this is for the UID alone. */
        const Text json(OrthancPluginGetInstanceAdvancedJson(context, instance, OrthancPluginDicomToJsonFormat_Short,
                                                             OrthancPluginDicomToJsonFlags_None, 64));
        Json::Value dataset;
        const std::unique_ptr<Json::CharReader> reader(Json::CharReaderBuilder().newCharReader());
        if (!json || !reader->parse(json.get(), json.get() + std::char_traits<char>::length(json.get()), &dataset, nullptr))
            return fail;
        const std::string uid = dataset["0008,0018"].asString();
        const Text kept(OrthancPluginLookupInstance(context, uid.c_str()));
        if (!kept)
            return keep;
        write_down(instance, uid, kept.get());
        return discard;
    }
    catch (const std::exception &error)
    {
        OrthancPluginLogError(context, error.what());
        return fail;
    }
}
} // namespace

extern "C"
{
int32_t OrthancPluginInitialize(OrthancPluginContext *given)
{
    context = given;
    OrthancPluginRegisterIncomingDicomInstanceFilter(context, filter);
    OrthancPluginSetMetricsValue(context, "conflicting_instances", 0, OrthancPluginMetricsType_Default);
    return 0;
}

void OrthancPluginFinalize()
{
}

const char *OrthancPluginGetName()
{
    return "conflicting-instances";
}

const char *OrthancPluginGetVersion()
{
    return "1.0.0";
}
}
