/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Orthanc's plugins for PostgreSQL keep their connections open, and find out that one is dead only when they use it: after a restart of the
 * server, a C-STORE was refused (A700) for each of them, although the server was back. This is a plugin that loads one of these (PLUGIN)
 * and stands between it and Orthanc. Where the plugin answers that the database is unavailable, it has closed the connection by
 * then; asked once more, it opens a new one, for which it waits as long as it is configured to.
 *
 * Asked again is only what cannot be done twice. In the index, the start of a transaction, before which nothing has happened. In the storage
 * area, each call, which is a transaction of its own: to read changes nothing, to remove twice is to remove once, and a UUID is
 * created once (primary key). If the server's answer to a commit is lost, the second attempt finds that UUID and fails: the image
 * is refused, as it was before, and the sender keeps it; what is left in the storage area is for `make reconcile`.
 *
 * Nothing is created while the disk has too little room (room.h).
 */
#include <orthanc/OrthancCPlugin.h>

#include "room.h"

#include <dlfcn.h>
#include <json/json.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

namespace
{
OrthancPluginContext *orthanc;                 // whom this plugin calls
OrthancPluginContext ours;                     // whom the plugin behind it calls
unsigned connections = 1;                      // of the index; the storage area has one
OrthancPluginCallDatabaseBackendV4 index_call; // the plugin's
_OrthancPluginRegisterStorageArea2 storage;
std::unique_ptr<Room> room;

template <typename Function> Function *theirs(const char *name)
{
    static void *const library = dlopen(PLUGIN, RTLD_NOW | RTLD_LOCAL);
    void *const found = library ? dlsym(library, name) : nullptr;
    if (!found)
    {
        std::fprintf(stderr, "Cannot load %s: %s\n", PLUGIN, dlerror());
        std::_Exit(1); // not by a signal, after which supervise.sh would start Orthanc again at once
    }
    return reinterpret_cast<Function *>(found);
}

/* In the worst case, each connection is dead. */
template <typename Call> OrthancPluginErrorCode until_connected(unsigned dead, const Call &call)
{
    OrthancPluginErrorCode said = call();
    for (; said == OrthancPluginErrorCode_DatabaseUnavailable && dead > 0; --dead)
    {
        OrthancPluginLogWarning(orthanc, "The connection to PostgreSQL was lost: trying again with a new one");
        said = call();
    }
    return said;
}

/* A message of Protocol Buffers, of which no more than two fields are read: generated code for all of them takes a minute to compile. */
class Message
{
public:
    Message(const void *data, uint64_t size) : at(static_cast<const uint8_t *>(data)), end(at + size) {}

    uint64_t number(unsigned wanted) const { return field(wanted).value; }

    Message message(unsigned wanted) const
    {
        const Field found = field(wanted);
        return Message(found.content, found.value);
    }

private:
    struct Field
    {
        unsigned number;
        uint64_t value; // or the length of the content
        const uint8_t *content;
    };

    /* As proto3 has it, a field that is not there is 0, or an empty message. */
    Field field(unsigned wanted) const
    {
        for (const uint8_t *next = at; next < end;)
        {
            const Field found = read(next);
            if (found.number == wanted)
                return found;
        }
        return {wanted, 0, end};
    }

    Field read(const uint8_t *&next) const
    {
        const uint64_t key = varint(next);
        Field found = {static_cast<unsigned>(key >> 3), 0, next};
        const unsigned type = key & 7;
        if (type == 0 || type == 2)
            found.value = varint(next);
        found.content = next;
        const uint64_t length = type == 1 ? 8 : type == 2 ? found.value : type == 5 ? 4 : 0;
        if (length > static_cast<uint64_t>(end - next))
            return {0, 0, next = end};
        next += length;
        return found;
    }

    uint64_t varint(const uint8_t *&next) const
    {
        uint64_t value = 0;
        for (unsigned shift = 0; next < end && shift < 64; shift += 7)
        {
            value |= static_cast<uint64_t>(*next & 0x7f) << shift;
            if (!(*next++ & 0x80))
                break;
        }
        return value;
    }

    const uint8_t *at, *end;
};

/* By OrthancDatabasePlugin.proto: REQUEST_DATABASE is 0, and OPERATION_START_TRANSACTION is 4. */
bool starts_transaction(const void *request, uint64_t size)
{
    const Message asked(request, size);
    return asked.number(1) == 0 && asked.message(2).number(2) == 4;
}

OrthancPluginErrorCode call_index(OrthancPluginMemoryBuffer64 *response, void *backend, const void *request, uint64_t size)
{
    const auto call = [=] { return index_call(response, backend, request, size); };
    return until_connected(starts_transaction(request, size) ? connections : 0, call);
}

OrthancPluginErrorCode create(const char *uuid, const void *content, int64_t size, OrthancPluginContentType type)
{
    if (room->is_short(orthanc))
        return OrthancPluginErrorCode_FullStorage;
    return until_connected(1, [=] { return storage.create(uuid, content, size, type); });
}

OrthancPluginErrorCode read_whole(OrthancPluginMemoryBuffer64 *target, const char *uuid, OrthancPluginContentType type)
{
    return until_connected(1,
                           [=]
                           {
                               orthanc->Free(target->data); // of an attempt whose commit failed
                               target->data = nullptr;
                               target->size = 0;
                               return storage.readWhole(target, uuid, type);
                           });
}

OrthancPluginErrorCode read_range(OrthancPluginMemoryBuffer64 *target, const char *uuid, OrthancPluginContentType type, uint64_t start)
{
    return until_connected(1, [=] { return storage.readRange(target, uuid, type, start); });
}

OrthancPluginErrorCode remove(const char *uuid, OrthancPluginContentType type)
{
    return until_connected(1, [=] { return storage.remove(uuid, type); });
}

Json::Value configured()
{
    const std::unique_ptr<char, decltype(orthanc->Free)> text(OrthancPluginGetConfiguration(orthanc), orthanc->Free);
    Json::Value configuration;
    const std::unique_ptr<Json::CharReader> reader(Json::CharReaderBuilder().newCharReader());
    if (!text || !reader->parse(text.get(), text.get() + std::char_traits<char>::length(text.get()), &configuration, nullptr))
        return Json::objectValue;
    return configuration;
}

/* What the plugin asks of Orthanc goes through here; its callbacks are registered with ours around them. */
OrthancPluginErrorCode invoke(OrthancPluginContext *, _OrthancPluginService service, const void *parameters)
{
    if (service == _OrthancPluginService_RegisterDatabaseBackendV4)
    {
        auto registered = *static_cast<const _OrthancPluginRegisterDatabaseBackendV4 *>(parameters);
        index_call = registered.operations;
        registered.operations = call_index;
        return orthanc->InvokeService(orthanc, service, &registered);
    }
    if (service == _OrthancPluginService_RegisterStorageArea2)
    {
        storage = *static_cast<const _OrthancPluginRegisterStorageArea2 *>(parameters);
        const _OrthancPluginRegisterStorageArea2 registered = {create, read_whole, storage.readRange ? read_range : nullptr, remove};
        return orthanc->InvokeService(orthanc, service, &registered);
    }
    return orthanc->InvokeService(orthanc, service, parameters);
}
} // namespace

extern "C"
{
ORTHANC_PLUGINS_API int32_t OrthancPluginInitialize(OrthancPluginContext *given)
{
    orthanc = given;
    ours = *given;
    ours.InvokeService = invoke;
    const Json::Value configuration = configured();
    connections = configuration["PostgreSQL"].get("IndexConnectionsCount", 1).asUInt();
    room = std::make_unique<Room>(configuration["Room"]);
    return theirs<int32_t(OrthancPluginContext *)>("OrthancPluginInitialize")(&ours);
}

ORTHANC_PLUGINS_API void OrthancPluginFinalize()
{
    theirs<void()>("OrthancPluginFinalize")();
}

ORTHANC_PLUGINS_API const char *OrthancPluginGetName()
{
    return theirs<const char *()>("OrthancPluginGetName")();
}

ORTHANC_PLUGINS_API const char *OrthancPluginGetVersion()
{
    return theirs<const char *()>("OrthancPluginGetVersion")();
}
}
