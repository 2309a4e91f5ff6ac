/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How much room there is for images. A database whose disk is full stops, and nobody finds an image any more; so images are refused
 * while there is some room left. A modality gets A700 and sends again later; over HTTP the answer is 500, with the OrthancStatus 19
 * (CannotWriteFile).
 */
#pragma once

#include <orthanc/OrthancCPlugin.h>

#include <json/json.h>
#include <sys/statvfs.h>

#include <atomic>
#include <ctime>
#include <string>

class Room
{
public:
    Room() = default;
    explicit Room(const Json::Value &options) : path(options.get("Path", "").asString()), reserved(options.get("ReservedMB", 0).asUInt64()) {}

    /* Whether there is less than is reserved; said in the log once a minute at most. Of a disk that cannot be asked, nothing is known. */
    bool is_short(OrthancPluginContext *orthanc)
    {
        struct statvfs found;
        if (reserved == 0 || statvfs(path.c_str(), &found) != 0)
            return false;
        const uint64_t free = static_cast<uint64_t>(found.f_bavail) * found.f_frsize >> 20;
        if (free >= reserved)
            return false;
        const std::time_t now = std::time(nullptr);
        std::time_t last = said;
        if (now - last >= 60 && said.compare_exchange_strong(last, now))
            OrthancPluginLogError(orthanc, ("Images are refused: " + std::to_string(free) + " MB are free on the disk of " + path + ", and " +
                                            std::to_string(reserved) + " MB are reserved. Make room there")
                                               .c_str());
        return true;
    }

private:
    std::string path;
    uint64_t reserved = 0;
    std::atomic<std::time_t> said{0};
};
