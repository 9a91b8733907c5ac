// SPDX-License-Identifier: Apache-2.0
// The fake HTTP engine for shell scenarios: fake-http-engine SOCKET|ADDRESS:PORT SCRIPT
//
// A script line is a rule; the last that matches wins, '#' begins a comment:
//     METHOD PREFIX ACTION [key=value]...
// METHOD is GET, HEAD or *; ACTION one of answer hang close half-chunk half-hang rubbish endless
// headers stream. Keys: status=200, body=TEXT, file=NAME (the body, beside the script),
// chunk=BYTES, delay=MS, times=N, header=NAME:VALUE (any number). A value ends at a blank.
//
// Prints "ready", then each request as "GET /path?query". Reads commands from standard input and
// answers each with "ok" and a number where there is one:
//     on RULE            one more rule        push PREFIX TEXT   a line to the streams
//     end PREFIX         end streams          cut                cut all connections
//     refuse, down, replace, hold, release    the engine as a whole (see http_engine.h)
//     wait PREFIX N      until there were N requests ("ok 0" after 10 s without)
//     quit
// At the end of its input it goes on until SIGTERM or SIGINT.
#include "http_engine.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static struct fake_http *fake;
static char folder[4096];

static const struct {
    const char *name;
    enum fake_action action;
} actions[] = {
    {"answer", FAKE_ANSWER},         {"hang", FAKE_HANG},           {"close", FAKE_CLOSE},
    {"half-chunk", FAKE_HALF_CHUNK}, {"half-hang", FAKE_HALF_HANG}, {"rubbish", FAKE_RUBBISH},
    {"endless", FAKE_ENDLESS},       {"headers", FAKE_HEADERS},     {"stream", FAKE_STREAM}};

static void fail(const char *what, const char *which)
{
    fprintf(stderr, "fake-http-engine: %s: %s\n", which, what);
    exit(2);
}

static char *read_whole(const char *name, size_t *len)
{
    char path[8192], *text = NULL;
    size_t used = 0, n;
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "re");
    if (!file)
        fail(strerror(errno), path);
    do {
        text = realloc(text, used + 65536);
        if (!text)
            fail("no memory", path);
        n = fread(text + used, 1, 65536, file);
        used += n;
    } while (n);
    fclose(file);
    *len = used;
    return text;
}

static bool set_action(struct fake_rule *rule, const char *name)
{
    for (size_t i = 0; name && i < sizeof(actions) / sizeof(actions[0]); i++)
        if (strcmp(actions[i].name, name) == 0) {
            rule->action = actions[i].action;
            return true;
        }
    return false;
}

static void add_header(char *headers, size_t size, char *value)
{
    char *colon = strchr(value, ':');
    size_t used = strlen(headers);

    if (!colon)
        fail("a header is NAME:VALUE", value);
    *colon = '\0';
    snprintf(headers + used, size - used, "%s: %s\r\n", value, colon + 1);
}

static void add_rule(char *line)
{
    char headers[2048] = "", *save = NULL, *owned = NULL, *word;
    struct fake_rule rule = {.headers = headers};
    char *method = strtok_r(line, " \t", &save);

    if (!method || method[0] == '#')
        return;
    rule.method = strcmp(method, "*") == 0 ? NULL : method;
    rule.prefix = strtok_r(NULL, " \t", &save);
    if (!rule.prefix || !set_action(&rule, strtok_r(NULL, " \t", &save)))
        fail("METHOD PREFIX ACTION expected", method);
    while ((word = strtok_r(NULL, " \t", &save))) {
        char *value = strchr(word, '=');

        if (!value)
            fail("key=value expected", word);
        *value++ = '\0';
        if (strcmp(word, "status") == 0)
            rule.status = atoi(value);
        else if (strcmp(word, "body") == 0)
            rule.body = value;
        else if (strcmp(word, "file") == 0)
            rule.body = owned = read_whole(value, &rule.body_len);
        else if (strcmp(word, "chunk") == 0)
            rule.chunk_bytes = strtoul(value, NULL, 10);
        else if (strcmp(word, "delay") == 0)
            rule.delay_ms = (unsigned)strtoul(value, NULL, 10);
        else if (strcmp(word, "times") == 0)
            rule.times = (unsigned)strtoul(value, NULL, 10);
        else if (strcmp(word, "header") == 0)
            add_header(headers, sizeof(headers), value);
        else
            fail("unknown key", word);
    }
    fake_http_on(fake, &rule);
    free(owned);
}

static void read_script(const char *path)
{
    FILE *file = fopen(path, "re");
    char *line = NULL, *slash;
    size_t size = 0;

    if (!file)
        fail(strerror(errno), path);
    snprintf(folder, sizeof(folder), "%s", path);
    slash = strrchr(folder, '/');
    strcpy(slash ? slash : folder, slash ? "" : ".");
    while (getline(&line, &size, file) >= 0) {
        line[strcspn(line, "\n")] = '\0';
        add_rule(line);
    }
    free(line);
    fclose(file);
}

// Return: false to quit.
static bool command(char *line)
{
    char *rest = strchr(line, ' ');
    int said = -1;

    if (rest)
        *rest++ = '\0';
    if (strcmp(line, "quit") == 0)
        return false;
    if (strcmp(line, "refuse") == 0)
        fake_http_refuse(fake);
    else if (strcmp(line, "down") == 0)
        fake_http_down(fake);
    else if (strcmp(line, "replace") == 0)
        fake_http_replace(fake);
    else if (strcmp(line, "cut") == 0)
        fake_http_cut(fake);
    else if (strcmp(line, "hold") == 0 || strcmp(line, "release") == 0)
        fake_http_accept(fake, line[0] == 'r');
    else if (!rest)
        fail("unknown command, or its argument is missing", line);
    else if (strcmp(line, "on") == 0)
        add_rule(rest);
    else if (strcmp(line, "end") == 0)
        said = (int)fake_http_stream_end(fake, rest, true);
    else if (strcmp(line, "wait") == 0 && strchr(rest, ' ')) {
        char *count = strchr(rest, ' ');

        *count++ = '\0';
        said = fake_http_wait_request(fake, rest, (unsigned)strtoul(count, NULL, 10), 10000);
    } else if (strcmp(line, "push") == 0 && strchr(rest, ' ')) {
        char *text = strchr(rest, ' ');

        size_t len;

        *text++ = '\0';
        len = strlen(text);
        text[len] = '\n'; // in place of the NUL that took the place of the line's end
        said = (int)fake_http_stream_push_bytes(fake, rest, text, len + 1);
    } else
        fail("unknown command, or an argument is missing", line);
    if (said >= 0)
        printf("ok %d\n", said);
    else
        printf("ok\n");
    return true;
}

// Lines of standard input as they come; what is left of one is kept. Return: false to quit.
static bool read_commands(char *buffer, size_t size, size_t *used, bool *ended)
{
    ssize_t n = read(STDIN_FILENO, buffer + *used, size - 1 - *used);
    char *newline;

    if (n <= 0) {
        *ended = true;
        return true;
    }
    *used += (size_t)n;
    buffer[*used] = '\0';
    while ((newline = memchr(buffer, '\n', *used))) {
        size_t len = (size_t)(newline - buffer) + 1;

        *newline = '\0';
        if (!command(buffer))
            return false;
        memmove(buffer, buffer + len, *used - len);
        *used -= len;
    }
    return true;
}

static unsigned print_requests(unsigned printed)
{
    char *line;

    for (; (line = fake_http_request(fake, NULL, printed)); printed++) {
        puts(line);
        free(line);
    }
    fflush(stdout);
    return printed;
}

static void serve(int signals)
{
    static char buffer[1 << 16];
    struct pollfd fds[] = {{.fd = signals, .events = POLLIN},
                           {.fd = fake_http_fd(fake), .events = POLLIN},
                           {.fd = STDIN_FILENO, .events = POLLIN}};
    unsigned printed = 0;
    size_t used = 0;
    bool ended = false;

    for (;;) {
        printed = print_requests(printed);
        fds[2].fd = ended ? -1 : STDIN_FILENO;
        if (poll(fds, 3, -1) < 0 && errno != EINTR)
            return;
        if (fds[0].revents)
            return;
        if (fds[1].revents) {
            uint64_t value;

            if (read(fds[1].fd, &value, sizeof(value)) < 0 && errno != EAGAIN)
                return;
        }
        if (fds[2].revents && !read_commands(buffer, sizeof(buffer), &used, &ended))
            return;
    }
}

int main(int argc, char **argv)
{
    sigset_t set;
    int signals;

    if (argc != 3) {
        fprintf(stderr, "usage: fake-http-engine SOCKET|ADDRESS:PORT SCRIPT\n");
        return 2;
    }
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    // Before the threads are made: they shall not take them.
    sigprocmask(SIG_BLOCK, &set, NULL);
    signals = signalfd(-1, &set, SFD_CLOEXEC);
    fake = fake_http_start(argv[1]);
    read_script(argv[2]);
    puts("ready");
    serve(signals);
    fake_http_stop(fake);
    close(signals);
    return 0;
}
