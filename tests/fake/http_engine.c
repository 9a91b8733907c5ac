// SPDX-License-Identifier: Apache-2.0
#include "http_engine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define HEAD_MAX ((size_t)32 << 10)
#define BACKLOG  8

struct rule {
    struct rule *next;
    struct fake_rule rule;
    unsigned left; // of `times`
};

struct request {
    char *line; // "GET /path"
    char *head;
};

struct connection {
    struct fake_http *fake;
    struct connection *next;
    pthread_t thread;
    int fd;
    char *stream;  // path and query while this is a stream
    bool finished; // to be joined
};

struct fake_http {
    char *path;   // of its socket; or ADDRESS:PORT
    char url[64]; // "" with a socket
    sd_event *event;
    int changed; // eventfd: something happened
    int control; // eventfd: the acceptor shall look again
    pthread_t acceptor;
    pthread_mutex_t lock; // everything below
    pthread_cond_t wake;  // those who hang or delay
    int listener;
    bool accepting, stopping;
    struct rule *rules; // the newest first
    struct connection *connections;
    struct request *requests;
    unsigned request_count, accepted;
    uint64_t sent_bytes;
};

static void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
static void die(const char *format, ...)
{
    va_list args;

    fprintf(stderr, "fake HTTP engine: ");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, ": %s\n", strerror(errno));
    abort();
}

static void *need(void *memory)
{
    if (!memory)
        die("memory");
    return memory;
}

static void lock(struct fake_http *fake)
{
    pthread_mutex_lock(&fake->lock);
}

static void unlock(struct fake_http *fake)
{
    pthread_mutex_unlock(&fake->lock);
}

static void raise_event(int fd)
{
    uint64_t one = 1;

    if (write(fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
        die("eventfd");
}

static void lower_event(int fd)
{
    uint64_t value;

    if (read(fd, &value, sizeof(value)) < 0 && errno != EAGAIN)
        die("eventfd");
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool begins(const char *text, const char *prefix)
{
    return !prefix || strncmp(text, prefix, strlen(prefix)) == 0;
}

// --- sending -------------------------------------------------------------------------------------

// False when the client is gone.
static bool send_all(struct connection *connection, const void *data, size_t len)
{
    const char *bytes = data;

    while (len) {
        ssize_t n = send(connection->fd, bytes, len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        lock(connection->fake);
        connection->fake->sent_bytes += (uint64_t)n;
        unlock(connection->fake);
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static bool send_chunk(struct connection *connection, const char *data, size_t len)
{
    char size[32];
    int n = snprintf(size, sizeof(size), "%zx\r\n", len);

    return send_all(connection, size, (size_t)n) && send_all(connection, data, len) &&
           send_all(connection, "\r\n", 2);
}

static const char *reason(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 404:
        return "Not Found";
    case 409:
        return "Conflict";
    case 500:
        return "Internal Server Error";
    case 503:
        return "Service Unavailable";
    default:
        return "Status";
    }
}

static bool send_head(struct connection *connection, const struct fake_rule *rule, bool chunked)
{
    char *head = NULL;
    int n = asprintf(&head, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\n%s", rule->status,
                     reason(rule->status), rule->headers);
    bool ok;

    if (n < 0)
        die("memory");
    ok = send_all(connection, head, (size_t)n);
    free(head);
    if (chunked)
        return ok && send_all(connection, "Transfer-Encoding: chunked\r\n\r\n", 30);
    n = asprintf(&head, "Content-Length: %zu\r\n\r\n", rule->body_len);
    if (n < 0)
        die("memory");
    ok = ok && send_all(connection, head, (size_t)n);
    free(head);
    return ok;
}

static bool send_answer(struct connection *connection, const struct fake_rule *rule, bool head)
{
    if (!send_head(connection, rule, rule->chunk_bytes > 0))
        return false;
    if (head)
        return true;
    if (!rule->chunk_bytes)
        return send_all(connection, rule->body, rule->body_len);
    for (size_t at = 0; at < rule->body_len; at += rule->chunk_bytes) {
        size_t len = rule->body_len - at;

        if (!send_chunk(connection, rule->body + at,
                        len < rule->chunk_bytes ? len : rule->chunk_bytes))
            return false;
    }
    return send_all(connection, "0\r\n\r\n", 5);
}

static bool send_half(struct connection *connection, const struct fake_rule *rule)
{
    char size[32];
    int n = snprintf(size, sizeof(size), "%zx\r\n", 2 * rule->body_len + 2);

    return send_head(connection, rule, true) && send_all(connection, size, (size_t)n) &&
           send_all(connection, rule->body, rule->body_len);
}

// Until the client closes, or somebody shuts the connection down.
static void wait_for_end(struct connection *connection)
{
    char rest[256];
    ssize_t n;

    do
        n = recv(connection->fd, rest, sizeof(rest), 0);
    while (n > 0 || (n < 0 && errno == EINTR));
}

static void serve_stream(struct connection *connection, const struct fake_rule *rule,
                         const char *target)
{
    struct fake_http *fake = connection->fake;

    if (!send_head(connection, rule, true))
        return;
    if (rule->body_len && !send_chunk(connection, rule->body, rule->body_len))
        return;
    lock(fake);
    connection->stream = need(strdup(target));
    unlock(fake);
    raise_event(fake->changed);
    wait_for_end(connection);
    lock(fake);
    free(connection->stream);
    connection->stream = NULL;
    unlock(fake);
}

// Return: whether the connection may be used again.
static bool perform(struct connection *connection, const struct fake_rule *rule, const char *method,
                    const char *target)
{
    switch (rule->action) {
    case FAKE_ANSWER:
        return send_answer(connection, rule, strcmp(method, "HEAD") == 0);
    case FAKE_HANG:
        wait_for_end(connection);
        return false;
    case FAKE_CLOSE:
        return false;
    case FAKE_HALF_CHUNK:
        send_half(connection, rule);
        return false;
    case FAKE_HALF_HANG:
        if (send_half(connection, rule))
            wait_for_end(connection);
        return false;
    case FAKE_RUBBISH:
        send_all(connection, rule->body, rule->body_len);
        return false;
    case FAKE_ENDLESS:
        if (!rule->body_len || !send_head(connection, rule, true))
            return false;
        while (send_chunk(connection, rule->body, rule->body_len))
            ;
        return false;
    case FAKE_HEADERS:
        if (!send_all(connection, "HTTP/1.1 200 OK\r\n", 17))
            return false;
        while (send_all(connection, "X-Filler: abcdefghijklmnopqrstuvwxyz\r\n", 38))
            ;
        return false;
    case FAKE_STREAM:
        serve_stream(connection, rule, target);
        return false;
    }
    return false;
}

// --- receiving -----------------------------------------------------------------------------------

static struct fake_rule rule_copy(const struct fake_rule *rule)
{
    struct fake_rule copy = *rule;

    copy.method = rule->method ? need(strdup(rule->method)) : NULL;
    copy.prefix = rule->prefix ? need(strdup(rule->prefix)) : NULL;
    copy.headers = need(strdup(rule->headers ? rule->headers : ""));
    copy.status = rule->status ? rule->status : 200;
    copy.body_len = rule->body && !rule->body_len ? strlen(rule->body) : rule->body_len;
    copy.body = need(malloc(copy.body_len + 1));
    if (copy.body_len)
        memcpy((char *)copy.body, rule->body, copy.body_len);
    ((char *)copy.body)[copy.body_len] = '\0';
    return copy;
}

static void rule_release(struct fake_rule *rule)
{
    free((char *)rule->method);
    free((char *)rule->prefix);
    free((char *)rule->headers);
    free((char *)rule->body);
}

// The rule for a request, as a copy: the test may change the script meanwhile.
static struct fake_rule find_rule(struct fake_http *fake, const char *method, const char *target)
{
    for (struct rule *rule = fake->rules; rule; rule = rule->next) {
        if (rule->rule.method && strcmp(rule->rule.method, method) != 0)
            continue;
        if (!begins(target, rule->rule.prefix) || (rule->rule.times && !rule->left))
            continue;
        if (rule->rule.times)
            rule->left--;
        return rule_copy(&rule->rule);
    }
    return rule_copy(
        &(struct fake_rule){.status = 404, .body = "{\"message\":\"page not found\"}\n"});
}

static void note_request(struct fake_http *fake, const char *method, const char *target,
                         const char *head)
{
    struct request *request;

    fake->requests =
        need(realloc(fake->requests, (fake->request_count + 1) * sizeof(*fake->requests)));
    request = &fake->requests[fake->request_count++];
    if (asprintf(&request->line, "%s %s", method, target) < 0)
        die("memory");
    request->head = need(strdup(head));
}

// False if a stop came first.
static bool delay(struct fake_http *fake, unsigned ms)
{
    struct timespec until;
    bool stopping;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    lock(fake);
    while (!fake->stopping && pthread_cond_timedwait(&fake->wake, &fake->lock, &until) == 0)
        ;
    stopping = fake->stopping;
    unlock(fake);
    return !stopping;
}

static bool serve_request(struct connection *connection, const char *head)
{
    char method[16], target[8192];
    struct fake_rule rule;
    bool again;

    if (sscanf(head, "%15s %8191s", method, target) != 2)
        return false;
    lock(connection->fake);
    rule = find_rule(connection->fake, method, target);
    note_request(connection->fake, method, target, head);
    unlock(connection->fake);
    raise_event(connection->fake->changed);
    again = (!rule.delay_ms || delay(connection->fake, rule.delay_ms)) &&
            perform(connection, &rule, method, target);
    rule_release(&rule);
    return again;
}

// The head of the next request, NUL-terminated. Bodies aren't expected: engines are only asked.
static bool read_head(struct connection *connection, char *head)
{
    size_t used = 0;

    while (used < HEAD_MAX - 1) {
        ssize_t n = recv(connection->fd, head + used, 1, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        head[++used] = '\0';
        if (used >= 4 && strcmp(head + used - 4, "\r\n\r\n") == 0)
            return true;
    }
    return false;
}

static void *serve(void *userdata)
{
    struct connection *connection = userdata;
    struct fake_http *fake = connection->fake;
    char *head = need(malloc(HEAD_MAX));

    while (read_head(connection, head) && serve_request(connection, head))
        ;
    free(head);
    lock(fake);
    close(connection->fd);
    connection->fd = -1;
    connection->finished = true;
    unlock(fake);
    raise_event(fake->changed);
    return NULL;
}

static void add_connection(struct fake_http *fake, int fd)
{
    struct connection *connection = need(calloc(1, sizeof(*connection)));

    connection->fake = fake;
    connection->fd = fd;
    lock(fake);
    connection->next = fake->connections;
    fake->connections = connection;
    fake->accepted++;
    if (pthread_create(&connection->thread, NULL, serve, connection) != 0)
        die("thread");
    unlock(fake);
    raise_event(fake->changed);
}

// Joins the threads that have ended, or all of them.
static void join_connections(struct fake_http *fake, bool all)
{
    struct connection **link = &fake->connections, *done = NULL, *connection;

    lock(fake);
    while ((connection = *link)) {
        if (!all && !connection->finished) {
            link = &connection->next;
            continue;
        }
        *link = connection->next;
        connection->next = done;
        done = connection;
    }
    unlock(fake);
    while ((connection = done)) {
        done = connection->next;
        pthread_join(connection->thread, NULL);
        free(connection);
    }
}

static void *accept_all(void *userdata)
{
    struct fake_http *fake = userdata;

    for (;;) {
        struct pollfd fds[2] = {{.fd = fake->control, .events = POLLIN}, {.events = POLLIN}};
        int fd = -1;
        bool stopping;

        lock(fake);
        stopping = fake->stopping;
        fds[1].fd = fake->accepting ? fake->listener : -1;
        unlock(fake);
        if (stopping)
            return NULL;
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            die("poll");
        lower_event(fake->control);
        lock(fake);
        if (fake->accepting && fake->listener >= 0)
            fd = accept4(fake->listener, NULL, NULL, SOCK_CLOEXEC);
        unlock(fake);
        if (fd >= 0)
            add_connection(fake, fd);
        join_connections(fake, false);
    }
}

// --- the engine as a whole -----------------------------------------------------------------------

static bool is_address(const char *path)
{
    return *path != '/' && strchr(path, ':');
}

static int listen_on_address(const char *path)
{
    const char *colon = strchr(path, ':');
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(colon + 1))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;
    char host[64];

    snprintf(host, sizeof(host), "%.*s", (int)(colon - path), path);
    if (fd < 0 || inet_pton(AF_INET, host, &address.sin_addr) != 1 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, BACKLOG) < 0)
        die("listen on %s", path);
    return fd;
}

static int listen_on_path(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char folder[4096];
    const char *slash = strrchr(path, '/');
    int dir = -1, n;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        die("socket");
    if (strlen(path) < sizeof(address.sun_path)) {
        strcpy(address.sun_path, path);
    } else {
        snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
        dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
        n = snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", dir,
                     slash + 1);
        if (dir < 0 || n >= (int)sizeof(address.sun_path))
            die("%s", path);
    }
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, BACKLOG) < 0)
        die("bind %s", path);
    if (dir >= 0)
        close(dir);
    return fd;
}

static int listen_on(const char *path)
{
    return is_address(path) ? listen_on_address(path) : listen_on_path(path);
}

// The port that the kernel chose, where it was left to it: the same again after a pause.
static void note_address(struct fake_http *fake)
{
    struct sockaddr_in address;
    socklen_t len = sizeof(address);
    char host[INET_ADDRSTRLEN];

    if (getsockname(fake->listener, (struct sockaddr *)&address, &len) < 0)
        die("getsockname");
    free(fake->path);
    if (asprintf(&fake->path, "%s:%u", inet_ntop(AF_INET, &address.sin_addr, host, sizeof(host)),
                 ntohs(address.sin_port)) < 0)
        die("memory");
    snprintf(fake->url, sizeof(fake->url), "http://%s", fake->path);
}

const char *fake_http_url(const struct fake_http *fake)
{
    return fake->url;
}

struct fake_http *fake_http_start(const char *path)
{
    struct fake_http *fake = need(calloc(1, sizeof(*fake)));
    pthread_condattr_t monotonic;

    if (!is_address(path))
        unlink(path);
    fake->path = need(strdup(path));
    fake->changed = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    fake->control = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fake->changed < 0 || fake->control < 0)
        die("eventfd");
    pthread_mutex_init(&fake->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&fake->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    fake->listener = listen_on(path);
    if (is_address(path))
        note_address(fake);
    fake->accepting = true;
    if (pthread_create(&fake->acceptor, NULL, accept_all, fake) != 0)
        die("thread");
    return fake;
}

// At once: the acceptor's poll() keeps a socket that is merely closed alive for a moment.
static void listener_end(int fd)
{
    if (fd < 0)
        return;
    shutdown(fd, SHUT_RDWR);
    close(fd);
}

static void close_listener(struct fake_http *fake)
{
    lock(fake);
    listener_end(fake->listener);
    fake->listener = -1;
    unlock(fake);
    raise_event(fake->control);
}

void fake_http_cut(struct fake_http *fake)
{
    lock(fake);
    for (struct connection *connection = fake->connections; connection;
         connection = connection->next)
        if (connection->fd >= 0)
            shutdown(connection->fd, SHUT_RDWR);
    unlock(fake);
}

void fake_http_refuse(struct fake_http *fake)
{
    close_listener(fake);
}

void fake_http_down(struct fake_http *fake)
{
    close_listener(fake);
    if (!*fake->url)
        unlink(fake->path);
    fake_http_cut(fake);
}

static void serve_again(struct fake_http *fake, int fd)
{
    int old;

    lock(fake);
    old = fake->listener;
    fake->listener = fd;
    listener_end(old);
    unlock(fake);
    raise_event(fake->control);
}

void fake_http_replace(struct fake_http *fake)
{
    char *beside = NULL;
    int fd;

    if (*fake->url) { // an address is one listener's at a time
        close_listener(fake);
        serve_again(fake, listen_on(fake->path));
        return;
    }
    if (asprintf(&beside, "%s.new", fake->path) < 0)
        die("memory");
    unlink(beside);
    fd = listen_on(beside);
    // The old one closes only after the new one is there: no moment without anybody.
    if (rename(beside, fake->path) < 0)
        die("rename %s", beside);
    free(beside);
    serve_again(fake, fd);
}

void fake_http_accept(struct fake_http *fake, bool accept)
{
    lock(fake);
    fake->accepting = accept;
    unlock(fake);
    raise_event(fake->control);
}

struct fake_http *fake_http_stop(struct fake_http *fake)
{
    if (!fake)
        return NULL;
    lock(fake);
    fake->stopping = true;
    pthread_cond_broadcast(&fake->wake);
    unlock(fake);
    raise_event(fake->control);
    pthread_join(fake->acceptor, NULL);
    fake_http_down(fake);
    join_connections(fake, true);
    for (struct rule *rule = fake->rules, *next; rule; rule = next) {
        next = rule->next;
        rule_release(&rule->rule);
        free(rule);
    }
    for (unsigned i = 0; i < fake->request_count; i++) {
        free(fake->requests[i].line);
        free(fake->requests[i].head);
    }
    free(fake->requests);
    sd_event_unref(fake->event);
    close(fake->changed);
    close(fake->control);
    pthread_cond_destroy(&fake->wake);
    pthread_mutex_destroy(&fake->lock);
    free(fake->path);
    free(fake);
    return NULL;
}

void fake_http_use_loop(struct fake_http *fake, sd_event *event)
{
    sd_event_ref(event);
    sd_event_unref(fake->event);
    fake->event = event;
}

void fake_http_on(struct fake_http *fake, const struct fake_rule *rule)
{
    struct rule *new = need(calloc(1, sizeof(*new)));

    new->rule = rule_copy(rule);
    new->left = rule->times;
    lock(fake);
    new->next = fake->rules;
    fake->rules = new;
    unlock(fake);
}

void fake_http_answer(struct fake_http *fake, const char *prefix, int status, const char *body)
{
    fake_http_on(fake, &(struct fake_rule){.prefix = prefix, .status = status, .body = body});
}

// --- what was asked, and waiting -----------------------------------------------------------------

static const char *target_of(const struct request *request)
{
    return strchr(request->line, ' ') + 1;
}

static struct request *nth(struct fake_http *fake, const char *prefix, unsigned index)
{
    for (unsigned i = 0; i < fake->request_count; i++)
        if (begins(target_of(&fake->requests[i]), prefix) && index-- == 0)
            return &fake->requests[i];
    return NULL;
}

unsigned fake_http_requests(struct fake_http *fake, const char *prefix)
{
    unsigned count = 0;

    lock(fake);
    for (unsigned i = 0; i < fake->request_count; i++)
        count += begins(target_of(&fake->requests[i]), prefix);
    unlock(fake);
    return count;
}

char *fake_http_request(struct fake_http *fake, const char *prefix, unsigned index)
{
    struct request *request;
    char *line;

    lock(fake);
    request = nth(fake, prefix, index);
    line = request ? need(strdup(request->line)) : NULL;
    unlock(fake);
    return line;
}

char *fake_http_request_head(struct fake_http *fake, const char *prefix)
{
    unsigned count = fake_http_requests(fake, prefix);
    struct request *request;
    char *head;

    lock(fake);
    request = count ? nth(fake, prefix, count - 1) : NULL;
    head = request ? need(strdup(request->head)) : NULL;
    unlock(fake);
    return head;
}

uint64_t fake_http_sent_bytes(struct fake_http *fake)
{
    uint64_t bytes;

    lock(fake);
    bytes = fake->sent_bytes;
    unlock(fake);
    return bytes;
}

unsigned fake_http_connections(struct fake_http *fake)
{
    unsigned count = 0;

    lock(fake);
    for (struct connection *connection = fake->connections; connection;
         connection = connection->next)
        count += !connection->finished;
    unlock(fake);
    return count;
}

unsigned fake_http_accepted(struct fake_http *fake)
{
    unsigned count;

    lock(fake);
    count = fake->accepted;
    unlock(fake);
    return count;
}

int fake_http_fd(const struct fake_http *fake)
{
    return fake->changed;
}

#define SLICE_MS 50u

static int on_changed(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    (void)source;
    (void)revents;
    (void)userdata;
    lower_event(fd);
    return 0;
}

bool fake_http_wait(struct fake_http *fake, bool (*condition)(void *userdata), void *userdata,
                    unsigned timeout_ms)
{
    uint64_t end = now_ms() + timeout_ms, now;
    sd_event_source *source = NULL;
    bool holds;

    if (fake->event &&
        sd_event_add_io(fake->event, &source, fake->changed, EPOLLIN, on_changed, NULL) < 0)
        die("sd-event");
    while (!(holds = condition(userdata)) && (now = now_ms()) < end) {
        struct pollfd changed = {.fd = fake->changed, .events = POLLIN};

        if (source) {
            // In slices: where time leaps (support/leap.h) no timer wakes anybody.
            if (sd_event_run(fake->event, (end - now < SLICE_MS ? end - now : SLICE_MS) * 1000) < 0)
                die("sd-event");
        } else if (poll(&changed, 1, (int)(end - now)) > 0) {
            lower_event(fake->changed);
        }
    }
    sd_event_source_disable_unref(source);
    return holds;
}

struct awaited {
    struct fake_http *fake;
    const char *prefix;
    unsigned count;
};

static bool enough_requests(void *userdata)
{
    struct awaited *awaited = userdata;

    return fake_http_requests(awaited->fake, awaited->prefix) >= awaited->count;
}

bool fake_http_wait_request(struct fake_http *fake, const char *prefix, unsigned count,
                            unsigned timeout_ms)
{
    return fake_http_wait(fake, enough_requests, &(struct awaited){fake, prefix, count},
                          timeout_ms);
}

static bool enough_streams(void *userdata)
{
    struct awaited *awaited = userdata;

    return fake_http_streams(awaited->fake, awaited->prefix) >= awaited->count;
}

bool fake_http_wait_streams(struct fake_http *fake, const char *prefix, unsigned count,
                            unsigned timeout_ms)
{
    return fake_http_wait(fake, enough_streams, &(struct awaited){fake, prefix, count}, timeout_ms);
}

static bool just_connections(void *userdata)
{
    struct awaited *awaited = userdata;

    return fake_http_connections(awaited->fake) == awaited->count;
}

bool fake_http_wait_connections(struct fake_http *fake, unsigned count, unsigned timeout_ms)
{
    return fake_http_wait(fake, just_connections, &(struct awaited){fake, NULL, count}, timeout_ms);
}

// --- streams -------------------------------------------------------------------------------------

unsigned fake_http_streams(struct fake_http *fake, const char *prefix)
{
    unsigned count = 0;

    lock(fake);
    for (struct connection *connection = fake->connections; connection;
         connection = connection->next)
        count += connection->stream && begins(connection->stream, prefix);
    unlock(fake);
    return count;
}

// Bytes as they are to every matching stream. Never waits for a client that doesn't read: what its
// buffer doesn't take cuts the connection, as engines do with clients that are too slow.
static unsigned write_streams(struct fake_http *fake, const char *prefix, const char *data,
                              size_t len, bool end)
{
    unsigned count = 0;

    lock(fake);
    for (struct connection *connection = fake->connections; connection;
         connection = connection->next) {
        if (!connection->stream || !begins(connection->stream, prefix) || connection->fd < 0)
            continue;
        count++;
        if (send(connection->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len || end)
            shutdown(connection->fd, SHUT_RDWR);
        fake->sent_bytes += len;
    }
    unlock(fake);
    return count;
}

unsigned fake_http_stream_push_bytes(struct fake_http *fake, const char *prefix, const void *data,
                                     size_t len)
{
    char *chunk = need(malloc(len + 32));
    int n = snprintf(chunk, 32, "%zx\r\n", len);
    unsigned count;

    memcpy(chunk + n, data, len);
    memcpy(chunk + n + len, "\r\n", 2);
    count = write_streams(fake, prefix, chunk, (size_t)n + len + 2, false);
    free(chunk);
    return count;
}

unsigned fake_http_stream_push(struct fake_http *fake, const char *prefix, const char *text)
{
    return fake_http_stream_push_bytes(fake, prefix, text, strlen(text));
}

unsigned fake_http_stream_end(struct fake_http *fake, const char *prefix, bool clean)
{
    return clean ? write_streams(fake, prefix, "0\r\n\r\n", 5, true)
                 : write_streams(fake, prefix, "40\r\n{\"half", 10, true);
}
