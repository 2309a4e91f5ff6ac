/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Writes down what peers do over DICOM: C-STORE, C-FIND, C-GET and C-MOVE, with the AE title, the study and what came of it. Orthanc's
 * scripts and plugins are not told of C-GET, nor of what was found. This library, which is preloaded into Orthanc alone, stands in front
 * of the functions of DCMTK with which Orthanc answers. Identifiers have patients' names: of them, nothing but level and study is read.
 */
#include <dlfcn.h>

#include <dcmtk/config/osconfig.h>

#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmnet/assoc.h>
#include <dcmtk/dcmnet/dimse.h>

#include <map>
#include <mutex>

#include "event.h"

namespace
{
/* DCMTK's own function of the same name and type as one of ours. */
template <typename Function> Function original(Function ours)
{
    Dl_info found;
    return reinterpret_cast<Function>(
        dladdr(reinterpret_cast<void *>(ours), &found) ? dlsym(RTLD_NEXT, found.dli_sname) : nullptr);
}

struct Stored
{
    long instances = 0, failures = 0;
};

std::mutex watching;
long associations = 0;
/* Of each association that is open: a name for it, and what it has stored of each study. */
std::map<const T_ASC_Association *, std::pair<std::string, std::map<std::string, Stored>>> open_ones;

std::string value_of(DcmDataset *dataset, const DcmTagKey &tag)
{
    OFString value;
    if (dataset && dataset->findAndGetOFStringArray(tag, value).good())
        return value.c_str();
    return "";
}

std::string hexadecimal(unsigned status)
{
    char text[8];
    std::snprintf(text, sizeof text, "%04X", status & 0xffff);
    return text;
}

/* B000 to BFFF are warnings: it was stored. */
const char *outcome_of(unsigned status)
{
    return status == STATUS_Success || (status & 0xf000) == 0xb000 ? "success" : "failure";
}

Event event_of(T_ASC_Association *association, const char *action)
{
    char calling[32] = "", called[32] = "";
    ASC_getAPTitles(association->params, calling, sizeof calling, called, sizeof called, nullptr, 0);
    const std::lock_guard<std::mutex> lock(watching);
    auto &watched = open_ones[association];
    if (watched.first.empty())
        watched.first = std::to_string(std::time(nullptr)) + "-" + std::to_string(++associations);
    return Event("DICOM", action).with("aet", calling).with("called", called).with("request", watched.first);
}

/* What a callback of Orthanc's is called with, and what was asked. */
template <typename Callback> struct Asked
{
    Callback callback;
    void *data;
    T_ASC_Association *association;
    std::string level, study, destination;
    long answers = 0;
    unsigned status = STATUS_Success;

    void read(DcmDataset *identifiers)
    {
        level = value_of(identifiers, DCM_QueryRetrieveLevel);
        study = value_of(identifiers, DCM_StudyInstanceUID);
    }

    void write(const char *action, const OFCondition &condition) const
    {
        Event event = event_of(association, action);
        event.with("outcome", condition.bad() ? "failure" : outcome_of(status)).with("status", hexadecimal(status));
        event.with("level", level).with("study", study).with("instances", answers);
        if (!destination.empty())
            event.with("destination", destination);
        event.write();
    }
};

using Find = Asked<DIMSE_FindProviderCallback>;
using Get = Asked<DIMSE_GetProviderCallback>;
using Move = Asked<DIMSE_MoveProviderCallback>;
using Store = Asked<DIMSE_StoreProviderCallback>;

void on_find(void *data, OFBool cancelled, T_DIMSE_C_FindRQ *request, DcmDataset *identifiers, int count, T_DIMSE_C_FindRSP *response,
             DcmDataset **answer, DcmDataset **detail)
{
    Find &asked = *static_cast<Find *>(data);
    if (count == 1)
        asked.read(identifiers);
    asked.callback(asked.data, cancelled, request, identifiers, count, response, answer, detail);
    if (DICOM_PENDING_STATUS(response->DimseStatus))
        ++asked.answers;
    else
        asked.status = response->DimseStatus;
}

/* Both count what they have sent. */
template <typename Kind, typename Request, typename Response>
void on_retrieve(void *data, OFBool cancelled, Request *request, DcmDataset *identifiers, int count, Response *response,
                 DcmDataset **detail, DcmDataset **answer)
{
    Kind &asked = *static_cast<Kind *>(data);
    if (count == 1)
        asked.read(identifiers);
    asked.callback(asked.data, cancelled, request, identifiers, count, response, detail, answer);
    asked.answers = response->NumberOfCompletedSubOperations;
    if (!DICOM_PENDING_STATUS(response->DimseStatus))
        asked.status = response->DimseStatus;
}

/* The first instance of a study is written at once: an association may last for hours. */
void note_stored(T_ASC_Association *association, const std::string &study, unsigned status)
{
    Event event = event_of(association, "stored");
    bool first;
    {
        const std::lock_guard<std::mutex> lock(watching);
        Stored &stored = open_ones[association].second[study];
        first = !stored.instances++;
        stored.failures += outcome_of(status)[0] == 'f';
    }
    if (first)
        event.with("outcome", outcome_of(status)).with("status", hexadecimal(status)).with("study", study).with("instances", 1).write();
}

void on_store(void *data, T_DIMSE_StoreProgress *progress, T_DIMSE_C_StoreRQ *request, char *name, DcmDataset **dataset,
              T_DIMSE_C_StoreRSP *response, DcmDataset **detail)
{
    Store &asked = *static_cast<Store *>(data);
    const bool end = progress->state == DIMSE_StoreEnd;
    if (end) /* before Orthanc has it, which may change it */
        asked.study = dataset ? value_of(*dataset, DCM_StudyInstanceUID) : "";
    asked.callback(asked.data, progress, request, name, dataset, response, detail);
    if (end)
        note_stored(asked.association, asked.study, response->DimseStatus);
}

void note_end(T_ASC_Association *association)
{
    std::map<std::string, Stored> studies;
    {
        const std::lock_guard<std::mutex> lock(watching);
        const auto found = open_ones.find(association);
        if (found == open_ones.end())
            return;
        studies = found->second.second;
    }
    for (const auto &study : studies)
        if (study.second.instances > 1)
            event_of(association, "stored")
                .with("outcome", study.second.failures ? "failure" : "success")
                .with("study", study.first)
                .with("instances", study.second.instances)
                .with("failures", study.second.failures)
                .write();
    const std::lock_guard<std::mutex> lock(watching);
    open_ones.erase(association);
}
} // namespace

OFCondition DIMSE_storeProvider(T_ASC_Association *association, T_ASC_PresentationContextID context, T_DIMSE_C_StoreRQ *request,
                                const char *file, int header, DcmDataset **dataset, DIMSE_StoreProviderCallback callback, void *data,
                                T_DIMSE_BlockingMode blocking, int timeout)
{
    static const auto theirs = original(&DIMSE_storeProvider);
    Store asked{callback, data, association};
    return theirs(association, context, request, file, header, dataset, callback ? on_store : nullptr, &asked, blocking, timeout);
}

OFCondition DIMSE_findProvider(T_ASC_Association *association, T_ASC_PresentationContextID context, T_DIMSE_C_FindRQ *request,
                               DIMSE_FindProviderCallback callback, void *data, T_DIMSE_BlockingMode blocking, int timeout)
{
    static const auto theirs = original(&DIMSE_findProvider);
    Find asked{callback, data, association};
    const OFCondition condition = theirs(association, context, request, on_find, &asked, blocking, timeout);
    asked.write("searched", condition);
    return condition;
}

OFCondition DIMSE_getProvider(T_ASC_Association *association, T_ASC_PresentationContextID context, T_DIMSE_C_GetRQ *request,
                              DIMSE_GetProviderCallback callback, void *data, T_DIMSE_BlockingMode blocking, int timeout)
{
    static const auto theirs = original(&DIMSE_getProvider);
    Get asked{callback, data, association};
    const OFCondition condition = theirs(association, context, request, on_retrieve<Get, T_DIMSE_C_GetRQ, T_DIMSE_C_GetRSP>, &asked,
                                         blocking, timeout);
    asked.write("retrieved", condition);
    return condition;
}

OFCondition DIMSE_moveProvider(T_ASC_Association *association, T_ASC_PresentationContextID context, T_DIMSE_C_MoveRQ *request,
                               DIMSE_MoveProviderCallback callback, void *data, T_DIMSE_BlockingMode blocking, int timeout)
{
    static const auto theirs = original(&DIMSE_moveProvider);
    Move asked{callback, data, association};
    asked.destination = request->MoveDestination;
    const OFCondition condition = theirs(association, context, request, on_retrieve<Move, T_DIMSE_C_MoveRQ, T_DIMSE_C_MoveRSP>, &asked,
                                         blocking, timeout);
    asked.write("exported", condition);
    return condition;
}

OFCondition ASC_destroyAssociation(T_ASC_Association **association)
{
    static const auto theirs = original(&ASC_destroyAssociation);
    if (association && *association)
        note_end(*association);
    return theirs(association);
}
