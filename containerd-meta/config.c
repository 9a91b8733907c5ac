// SPDX-License-Identifier: Apache-2.0
#include "config.h"

#include "cleanup.h"
#include "engine/engine.h"
#include "log.h"
#include "transport/http_url.h"
#include "yaml_walk.h"

#include "shm/region.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEFAULT_REGION_MAX (UINT64_C(64) << 20)
#define MIN_REGION_MAX     (UINT64_C(2) << 20)
#define MAX_REGION_MAX     (UINT64_C(4095) << 20)
#define DEFAULT_GRACE_NS   UINT64_C(60000000000)
#define MAX_GRACE_NS       UINT64_C(86400000000000)
#define DEFAULT_TIMEOUT_NS UINT64_C(10000000000)
#define MAX_TIMEOUT_NS     UINT64_C(3600000000000)
#define PLACES_MAX         32u

// What is being filled, and where the walk is in it.
struct loading {
    struct config *config;
    struct config_engine *engine;
    char *notes;
    size_t notes_size;
};

static void note(struct loading *loading, const char *text)
{
    size_t len = strlen(loading->notes);

    snprintf(loading->notes + len, loading->notes_size - len, "%s%s", len ? "\n" : "", text);
}

// --- keys at the top -----------------------------------------------------------------------------

static int absolute_path(struct yaml_walk *walk, const yaml_node_t *node, char **path)
{
    int r = yaml_walk_string(walk, node, path);

    if (r == 0 && **path != '/')
        return yaml_walk_expected(walk, node, "an absolute path");
    return r;
}

static int take_region_dir(struct yaml_walk *walk, const yaml_node_t *node, void *userdata)
{
    return absolute_path(walk, node, &((struct loading *)userdata)->config->region_dir);
}

static int take_region_max(struct yaml_walk *walk, const yaml_node_t *node, void *userdata)
{
    return yaml_walk_size(walk, node, MIN_REGION_MAX, MAX_REGION_MAX,
                          &((struct loading *)userdata)->config->region_max_bytes);
}

static int take_grace(struct yaml_walk *walk, const yaml_node_t *node, void *userdata)
{
    return yaml_walk_duration(walk, node, MAX_GRACE_NS,
                              &((struct loading *)userdata)->config->grace_ns);
}

static int take_log_level(struct yaml_walk *walk, const yaml_node_t *node, void *userdata)
{
    static const char *const words[] = {"error", "warn",  "warning", "notice",
                                        "info",  "debug", "trace",   NULL};
    unsigned index;
    int r = yaml_walk_word(walk, node, words, &index);

    if (r == 0)
        ((struct loading *)userdata)->config->log_level = log_level_from_name(words[index]);
    return r;
}

static int take_label_max_len(struct yaml_walk *walk, const yaml_node_t *node, void *userdata)
{
    return yaml_walk_integer(walk, node, -1, CMETA_LABEL_VALUE_MAX,
                             &((struct loading *)userdata)->config->limits.label_max_len);
}

static int take_with_size(struct yaml_walk *walk, const yaml_node_t *node, void *userdata)
{
    return yaml_walk_bool(walk, node, &((struct loading *)userdata)->config->with_size);
}

static int take_watch_cgroups(struct yaml_walk *walk, const yaml_node_t *node, void *userdata)
{
    return yaml_walk_bool(walk, node, &((struct loading *)userdata)->config->watch_cgroups);
}

static int take_engine_timeout(struct yaml_walk *walk, const yaml_node_t *node, void *userdata)
{
    return yaml_walk_duration(walk, node, MAX_TIMEOUT_NS,
                              &((struct loading *)userdata)->config->engine_timeout_ns);
}

static int take_env(struct yaml_walk *walk, const yaml_node_t *node, void *userdata)
{
    static const char *const words[] = {"none", "names", "values", NULL};
    unsigned index;
    int r = yaml_walk_word(walk, node, words, &index);

    if (r == 0)
        ((struct loading *)userdata)->config->limits.env = (enum env_policy)index;
    return r;
}

static int take_nri(struct yaml_walk *walk, const yaml_node_t *node, void *userdata)
{
    static const char *const words[] = {"off", "auto", "on", NULL};
    unsigned index;
    int r = yaml_walk_word(walk, node, words, &index);

    if (r == 0)
        ((struct loading *)userdata)->config->nri = (enum config_nri)index;
    return r;
}

static int take_oci_hook(struct yaml_walk *walk, const yaml_node_t *node, void *userdata)
{
    static const char *const words[] = {"off", "on", NULL};
    unsigned index;
    int r = yaml_walk_word(walk, node, words, &index);

    if (r == 0)
        ((struct loading *)userdata)->config->oci_hook = index != 0;
    return r;
}

// Without slashes at its end: "/" is no other root than "".
static bool normalise_root(char *root)
{
    size_t len = strlen(root);

    if (len && *root != '/')
        return false;
    while (len && root[len - 1] == '/')
        root[--len] = '\0';
    return true;
}

static int take_host_root(struct yaml_walk *walk, const yaml_node_t *node, void *userdata)
{
    struct config *config = ((struct loading *)userdata)->config;
    int r = yaml_walk_string(walk, node, &config->host_root);

    return r == 0 && !normalise_root(config->host_root)
               ? yaml_walk_expected(walk, node, "an absolute path")
               : r;
}

static int take_hook(struct yaml_walk *walk, const yaml_node_t *node, void *userdata)
{
    static const char *const words[] = {"create", "start", NULL};
    unsigned index;

    (void)userdata;
    return yaml_walk_word(walk, node, words, &index);
}

static int take_hooks(struct yaml_walk *walk, const yaml_node_t *node, void *userdata)
{
    note(userdata, "hooks: accepted, without effect: containers are looked at when they are "
                   "created and when they start, always");
    return yaml_walk_list(walk, node, take_hook, userdata);
}

static int take_verbosity(struct yaml_walk *walk, const yaml_node_t *node, void *userdata)
{
    if (node->type != YAML_SCALAR_NODE)
        return yaml_walk_expected(walk, node, "a word or number");
    note(userdata, "verbosity: accepted, without effect: use log_level");
    return 0;
}

// --- engines -------------------------------------------------------------------------------------

static int take_enabled(struct yaml_walk *walk, const yaml_node_t *node, void *userdata)
{
    return yaml_walk_bool(walk, node, &((struct loading *)userdata)->engine->enabled);
}

static int add_place(struct yaml_walk *walk, const yaml_node_t *node, struct config_engine *engine,
                     const char *place)
{
    char **grown;

    if (engine->places_count == PLACES_MAX)
        return yaml_walk_mistake(walk, node, "more than %u in a list", PLACES_MAX);
    grown = realloc(engine->places, (engine->places_count + 1) * sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    engine->places = grown;
    grown[engine->places_count] = strdup(place);
    return grown[engine->places_count] ? (engine->places_count++, 0) : -ENOMEM;
}

// An absolute path that doesn't end in a slash, after an optional scheme.
static int take_path(struct yaml_walk *walk, const yaml_node_t *node, void *userdata,
                     const char *scheme, const char *expected)
{
    CLEANUP(freep)
    char *text = NULL;
    const char *path;
    int r = yaml_walk_string(walk, node, &text);

    if (r < 0)
        return r;
    path = strncmp(text, scheme, strlen(scheme)) == 0 ? text + strlen(scheme) : text;
    if (*path != '/' || path[strlen(path) - 1] == '/')
        return yaml_walk_expected(walk, node, expected);
    return add_place(walk, node, ((struct loading *)userdata)->engine, path);
}

static int take_socket(struct yaml_walk *walk, const yaml_node_t *node, void *userdata)
{
    return take_path(walk, node, userdata, "unix://", "the absolute path of a Unix socket");
}

static int take_folder(struct yaml_walk *walk, const yaml_node_t *node, void *userdata)
{
    return take_path(walk, node, userdata, "", "the absolute path of a folder");
}

static int take_url(struct yaml_walk *walk, const yaml_node_t *node, void *userdata)
{
    CLEANUP(freep)
    char *text = NULL;
    int r = yaml_walk_string(walk, node, &text);

    if (r < 0)
        return r;
    if (http_url_check(text) < 0)
        return yaml_walk_expected(walk, node,
                                  "a URL like http://169.254.170.2/v4/..., with a numeric address");
    return add_place(walk, node, ((struct loading *)userdata)->engine, text);
}

static int take_sockets(struct yaml_walk *walk, const yaml_node_t *node, void *userdata)
{
    ((struct loading *)userdata)->engine->has_places = true;
    return yaml_walk_list(walk, node, take_socket, userdata);
}

static int take_folders(struct yaml_walk *walk, const yaml_node_t *node, void *userdata)
{
    ((struct loading *)userdata)->engine->has_places = true;
    return yaml_walk_list(walk, node, take_folder, userdata);
}

static int take_urls(struct yaml_walk *walk, const yaml_node_t *node, void *userdata)
{
    ((struct loading *)userdata)->engine->has_places = true;
    return yaml_walk_list(walk, node, take_url, userdata);
}

static int take_static_text(struct yaml_walk *walk, const yaml_node_t *node, void *userdata)
{
    CLEANUP(freep)
    char *text = NULL;

    (void)userdata;
    return yaml_walk_string(walk, node, &text);
}

static int take_engine(struct yaml_walk *walk, const yaml_node_t *node, void *userdata)
{
    static const struct yaml_key keys[][3] = {
        [ENGINE_SOCKET] = {{"enabled", take_enabled}, {"sockets", take_sockets}, {NULL, NULL}},
        [ENGINE_FOLDER] = {{"enabled", take_enabled}, {"folders", take_folders}, {NULL, NULL}},
        [ENGINE_URL] = {{"enabled", take_enabled}, {"urls", take_urls}, {NULL, NULL}},
    };
    struct loading *loading = userdata;
    const char *name = strrchr(walk->path, '.') + 1;
    const struct engine_class *class = engine_class_find(name);

    for (size_t i = 0; i < loading->config->engines_count; i++)
        if (strcmp(loading->config->engines[i].name, name) == 0)
            loading->engine = &loading->config->engines[i];
    loading->engine->mentioned = true;
    return yaml_walk_mapping(walk, node, keys[class ? class->place : ENGINE_SOCKET], userdata);
}

static int take_static(struct yaml_walk *walk, const yaml_node_t *node, void *userdata)
{
    static const struct yaml_key keys[] = {{"enabled", take_enabled},
                                           {"container_id", take_static_text},
                                           {"container_name", take_static_text},
                                           {"container_image", take_static_text},
                                           {NULL, NULL}};
    struct config_engine unused = {0};
    struct loading *loading = userdata;

    loading->engine = &unused;
    note(loading, "engines.static: accepted, without effect here: it belongs into the plugin's "
                  "init_config in falco.yaml");
    return yaml_walk_mapping(walk, node, keys, userdata);
}

static int take_engines(struct yaml_walk *walk, const yaml_node_t *node, void *userdata)
{
    const struct config *config = ((struct loading *)userdata)->config;
    CLEANUP(freep)
    struct yaml_key *keys = calloc(config->engines_count + 2, sizeof(*keys));

    if (!keys)
        return -ENOMEM;
    for (size_t i = 0; i < config->engines_count; i++)
        keys[i] = (struct yaml_key){config->engines[i].name, take_engine};
    keys[config->engines_count] = (struct yaml_key){"static", take_static};
    return yaml_walk_mapping(walk, node, keys, userdata);
}

// --- the whole -----------------------------------------------------------------------------------

static int add_engine(struct config *config, const char *name)
{
    struct config_engine *grown =
        realloc(config->engines, (config->engines_count + 1) * sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    config->engines = grown;
    grown[config->engines_count++] = (struct config_engine){.name = name, .enabled = true};
    return 0;
}

static int set_defaults(struct config *config)
{
    const char *host_root = getenv("HOST_ROOT");
    int r = 0;

    *config = (struct config){.region_max_bytes = DEFAULT_REGION_MAX,
                              .grace_ns = DEFAULT_GRACE_NS,
                              .log_level = LOG_INFO,
                              .watch_cgroups = true,
                              .engine_timeout_ns = DEFAULT_TIMEOUT_NS,
                              .limits = {.label_max_len = 100, .env = ENV_NONE}};
    config->region_dir = strdup(CMETA_DEFAULT_DIR);
    config->host_root = strdup(host_root ? host_root : "");
    for (size_t i = 0; engine_classes[i] && r == 0; i++)
        r = add_engine(config, engine_classes[i]->name);
    return r == 0 && config->region_dir && config->host_root ? 0 : -ENOMEM;
}

// Whether an engine that is driven on request only was requested.
static bool is_requested(const struct config *config, const struct engine_class *class)
{
    return class->protocol == ENGINE_NRI ? config->nri != CONFIG_NRI_OFF : config->oci_hook;
}

// What the block of such an engine says counts once its key has asked for it.
static void settle_opt_in(struct config *config)
{
    for (size_t i = 0; i < config->engines_count; i++) {
        const struct engine_class *class = engine_class_find(config->engines[i].name);

        if (class && class->is_opt_in && !is_requested(config, class))
            config->engines[i].enabled = config->engines[i].mentioned = false;
    }
}

int config_parse(const char *name, const char *text, size_t len, struct config *config,
                 char *message, size_t message_size, char *notes, size_t notes_size)
{
    static const struct yaml_key keys[] = {{"region_dir", take_region_dir},
                                           {"region_max", take_region_max},
                                           {"grace", take_grace},
                                           {"log_level", take_log_level},
                                           {"label_max_len", take_label_max_len},
                                           {"with_size", take_with_size},
                                           {"watch_cgroups", take_watch_cgroups},
                                           {"hooks", take_hooks},
                                           {"engine_timeout", take_engine_timeout},
                                           {"verbosity", take_verbosity},
                                           {"env", take_env},
                                           {"host_root", take_host_root},
                                           {"nri", take_nri},
                                           {"oci_hook", take_oci_hook},
                                           {"engines", take_engines},
                                           {NULL, NULL}};
    struct loading loading = {.config = config, .notes = notes, .notes_size = notes_size};
    const yaml_node_t *root;
    struct yaml_walk walk;
    int r;

    *notes = *message = '\0';
    r = set_defaults(config);
    if (r == 0 && !normalise_root(config->host_root)) {
        snprintf(message, message_size,
                 "%s:0: HOST_ROOT in the environment: expected an absolute path, found \"%.80s\"",
                 name, config->host_root);
        r = -EINVAL;
    }
    if (r == 0)
        r = yaml_walk_open(&walk, name, text, len, message, message_size);
    if (r == 0) {
        root = yaml_walk_root(&walk);
        if (root)
            r = yaml_walk_mapping(&walk, root, keys, &loading);
        yaml_walk_close(&walk);
    }
    if (r == 0)
        settle_opt_in(config);
    if (r == -ENOMEM)
        snprintf(message, message_size, "%s: out of memory", name);
    if (r < 0)
        config_done(config);
    return r;
}

// Only a regular file answers at once: a reload must not wait for a pipe.
static int open_regular(const char *path, FILE **file)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), r = 0;
    struct stat st;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0)
        r = -errno;
    else if (!S_ISREG(st.st_mode))
        r = -ESPIPE;
    else if (!(*file = fdopen(fd, "r")))
        r = -errno;
    if (r < 0)
        close(fd);
    return r;
}

static int read_file(const char *path, char **text, size_t *len)
{
    CLEANUP(fclosep)
    FILE *file = NULL;
    char *buffer;
    int r = open_regular(path, &file);

    if (r < 0)
        return r;
    buffer = malloc(YAML_WALK_MAX_BYTES + 2);
    if (!buffer)
        return -ENOMEM;
    *len = fread(buffer, 1, YAML_WALK_MAX_BYTES + 1, file);
    if (ferror(file)) {
        free(buffer);
        return -EIO;
    }
    *text = buffer;
    return 0;
}

int config_load(const char *path, struct config *config, char *message, size_t message_size,
                char *notes, size_t notes_size)
{
    const char *file = path ? path : CONFIG_DEFAULT_PATH;
    CLEANUP(freep)
    char *text = NULL;
    size_t len = 0;
    int r = read_file(file, &text, &len);

    if (r == -ENOENT && !path) // an empty configuration is a good one
        return config_parse(file, "", 0, config, message, message_size, notes, notes_size);
    if (r < 0) {
        *notes = '\0';
        snprintf(message, message_size, "%s: can't be read: %s", file,
                 r == -ESPIPE ? "not a regular file" : strerror(-r));
        return r;
    }
    return config_parse(file, text, len, config, message, message_size, notes, notes_size);
}

void config_done(struct config *config)
{
    for (size_t i = 0; i < config->engines_count; i++) {
        for (size_t s = 0; s < config->engines[i].places_count; s++)
            free(config->engines[i].places[s]);
        free(config->engines[i].places);
    }
    free(config->engines);
    free(config->region_dir);
    free(config->host_root);
    *config = (struct config){0};
}
