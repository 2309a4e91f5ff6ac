/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An event for the audit trail: a line of JSON in the spool of the day. Values are ASCII, whatever a peer sends.
 */
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <string>

class Event
{
    std::string text;

    static std::string now(const char *format)
    {
        char written[sizeof "2026-01-01T00:00:00+00:00"];
        const std::time_t seconds = std::time(nullptr);
        std::tm utc;
        std::strftime(written, sizeof written, format, gmtime_r(&seconds, &utc));
        return written;
    }

public:
    Event(const char *door, const char *action)
    {
        text = "{\"time\":\"" + now("%Y-%m-%dT%H:%M:%S+00:00") + "\"";
        with("door", door).with("action", action);
    }

    Event &with(const char *key, const std::string &value)
    {
        text += ",\"" + std::string(key) + "\":\"";
        for (const unsigned char character : value.substr(0, 1024))
        {
            char escaped[sizeof "\\u0000"];
            std::snprintf(escaped, sizeof escaped, "\\u%04x", character);
            const bool plain = character >= 0x20 && character < 0x7f && character != '"' && character != '\\';
            text += plain ? std::string(1, static_cast<char>(character)) : std::string(escaped);
        }
        text += "\"";
        return *this;
    }

    Event &with(const char *key, long number)
    {
        text += ",\"" + std::string(key) + "\":" + std::to_string(number);
        return *this;
    }

    /* Whatever happens to the event, the archive goes on serving. */
    void write() const
    {
        const std::string path = "/var/spool/audit/" + now("%Y-%m-%d") + ".jsonl", line = text + "}\n";
        const int file = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
        if (file < 0 || ::write(file, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
            std::fprintf(stderr, "An event for the audit trail could not be written to %s.\n", path.c_str());
        if (file >= 0)
            close(file);
    }
};
