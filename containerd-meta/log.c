// SPDX-License-Identifier: Apache-2.0
#include "log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

static bool to_journal;
static int threshold = LOG_INFO;

// JOURNAL_STREAM names the device and inode of the stream that systemd connected stderr to.
void log_open(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    uintmax_t device, inode;
    struct stat st;

    to_journal = stream && sscanf(stream, "%" SCNuMAX ":%" SCNuMAX, &device, &inode) == 2 &&
                 fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void log_set_level(int level)
{
    threshold = level;
}

int log_level(void)
{
    return threshold;
}

static const struct {
    const char *name;
    int level;
} levels[] = {{"error", LOG_ERR},     {"warning", LOG_WARNING}, {"warn", LOG_WARNING},
              {"notice", LOG_NOTICE}, {"info", LOG_INFO},       {"debug", LOG_DEBUG},
              {"trace", LOG_DEBUG}};

int log_level_from_name(const char *name)
{
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
        if (strcmp(levels[i].name, name) == 0)
            return levels[i].level;
    return -1;
}

static const char *level_name(int level)
{
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
        if (levels[i].level == level)
            return levels[i].name;
    return "error";
}

const char *log_escape(char *out, size_t size, const char *text, size_t len)
{
    size_t used = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        char piece[5] = {(char)c};

        if (c < 0x20 || c == 0x7f)
            snprintf(piece, sizeof(piece), "\\x%02x", c);
        else if (c == '\\')
            strcpy(piece, "\\\\");
        if (used + strlen(piece) + 1 > size)
            break;
        memcpy(out + used, piece, strlen(piece));
        used += strlen(piece);
    }
    if (size)
        out[used] = '\0';
    return out;
}

static struct iovec field(char *buffer, size_t size, const char *name, const char *value)
{
    int len = snprintf(buffer, size, "%s=%s", name, value);

    return (struct iovec){buffer, len < 0 ? 0 : (size_t)len < size ? (size_t)len : size - 1};
}

static void send_journal(int level, const char *engine, const char *socket, const char *text)
{
    char message[2112], priority[16], engine_field[64], socket_field[256], number[4];
    struct iovec fields[5];
    int count = 0;

    snprintf(number, sizeof(number), "%d", level & 7);
    fields[count++] = field(message, sizeof(message), "MESSAGE", text);
    fields[count++] = field(priority, sizeof(priority), "PRIORITY", number);
    if (engine)
        fields[count++] =
            field(engine_field, sizeof(engine_field), "CONTAINERD_META_ENGINE", engine);
    if (socket)
        fields[count++] =
            field(socket_field, sizeof(socket_field), "CONTAINERD_META_SOCKET", socket);
    sd_journal_sendv(fields, count);
}

void log_message(int level, const char *engine, const char *socket, const char *format, ...)
{
    char raw[1024], text[2048];
    va_list args;

    if (level > threshold)
        return;
    va_start(args, format);
    vsnprintf(raw, sizeof(raw), format, args);
    va_end(args);
    log_escape(text, sizeof(text), raw, strlen(raw));
    if (to_journal)
        send_journal(level, engine, socket, text);
    else if (engine && socket)
        fprintf(stderr, "%s: %s %s: %s\n", level_name(level), engine, socket, text);
    else if (engine)
        fprintf(stderr, "%s: %s: %s\n", level_name(level), engine, text);
    else
        fprintf(stderr, "%s: %s\n", level_name(level), text);
}

bool log_limit_pass(struct log_limit *limit, uint64_t now_ns, uint32_t *suppressed)
{
    if (limit->interval_start_ns == 0 ||
        now_ns - limit->interval_start_ns >= LOG_LIMIT_INTERVAL_NS) {
        limit->interval_start_ns = now_ns ? now_ns : 1;
        limit->passed = 0;
    }
    if (limit->passed >= LOG_LIMIT_BURST) {
        limit->suppressed++;
        return false;
    }
    limit->passed++;
    *suppressed = limit->suppressed;
    limit->suppressed = 0;
    return true;
}
