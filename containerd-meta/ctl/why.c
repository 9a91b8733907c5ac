// SPDX-License-Identifier: Apache-2.0
// why: from a process, a cgroup path or an ID to the record, and what is missing on the way.
#include "why.h"

#include "containerd-meta/cleanup.h"
#include "lookup.h"
#include "output.h"
#include "session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// --- the process
// ------------------------------------------------------------------------------------------

// The path of a line of /proc/PID/cgroup: what follows the second colon. NULL if it is none.
static char *path_of_line(char *line)
{
    char *colon = strchr(line, ':');

    colon = colon ? strchr(colon + 1, ':') : NULL;
    return colon && colon[1] == '/' ? colon + 1 : NULL;
}

static FILE *open_proc(long pid, const char *name)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%ld/%s", pid, name);
    return fopen(path, "re");
}

// Takes a path as the deciding one if it is the better witness than the one before. Where none
// names a container, the longest path says most of where the process is.
static void consider_path(struct why *why, const char *path)
{
    size_t len = strlen(path);
    struct cmeta_id_match match;
    bool better;

    why->paths++;
    cmeta_container_id_match(path, len, CMETA_LAYOUTS_ALL, &match);
    better = !why->cgroup || cmeta_id_match_improves(&why->match, &match);
    if (!better && why->match.strength == CMETA_NO_MATCH)
        better = len > strlen(why->cgroup);
    if (!better)
        return;
    free(why->cgroup);
    why->cgroup = text_format("%s", path);
    cmeta_container_id_match(why->cgroup, len, CMETA_LAYOUTS_ALL, &why->match);
}

static void consider_lines(struct why *why, FILE *file)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t len;

    while ((len = getline(&line, &size, file)) > 0) {
        char *path;

        if (line[len - 1] == '\n')
            line[len - 1] = '\0';
        path = path_of_line(line);
        if (path)
            consider_path(why, path);
    }
    free(line);
}

// Return: 0 or -errno.
static int read_cgroups(struct why *why, long pid)
{
    FILE *file = open_proc(pid, "cgroup");

    if (!file)
        return -errno;
    consider_lines(why, file);
    fclose(file);
    return why->cgroup ? 0 : -ESRCH; // a process that has just ended has no cgroup
}

static void read_comm(struct why *why)
{
    CLEANUP(fclosep)
    FILE *file = open_proc(why->pid, "comm");

    if (!file || !fgets(why->comm, sizeof(why->comm), file))
        why->comm[0] = '\0';
    why->comm[strcspn(why->comm, "\n")] = '\0';
}

// --- the container
// ----------------------------------------------------------------------------------------

static enum ctl_exit ambiguous(const struct why *why, const struct lookup *found, const char *text)
{
    CLEANUP(freep)
    char *shown = text_printable(str_of(text));

    fprintf(stderr, "containerd-meta-ctl: \"%s\" may be any of:\n", shown);
    lookup_print(&why->region, found, stderr);
    return CTL_AMBIGUOUS;
}

// From the path's match to the container. A weak match is a container's only if the table knows
// it; a strong one is, whatever the table says.
static enum ctl_exit find_by_match(struct why *why)
{
    struct lookup found = {0};
    enum ctl_exit exit = CTL_OK;
    size_t count = 0;

    if (why->match.strength == CMETA_NO_MATCH)
        return CTL_OK;
    if (why->map_result == 0)
        count = lookup_match(&why->region, &why->match, &found);
    if (count == 1)
        why->handle = found.handles[0];
    if (why->match.strength == CMETA_STRONG || count > 0)
        why->id = text_format("%.*s", (int)why->match.id_len, why->match.id);
    if (count > 1)
        exit = ambiguous(why, &found, why->id);
    lookup_free(&found);
    return exit;
}

// The cgroup of a container that was found by its ID: that of its init process, if that is still
// in it.
static void find_cgroup(struct why *why, uint32_t pid)
{
    struct why of_init = {0};

    if (pid != 0 && read_cgroups(&of_init, (long)pid) == 0 &&
        of_init.match.strength != CMETA_NO_MATCH && of_init.match.id_len == strlen(why->id) &&
        memcmp(of_init.match.id, why->id, of_init.match.id_len) == 0) {
        why->cgroup = TAKE(of_init.cgroup);
        why->match = of_init.match;
        why->paths = of_init.paths;
    }
    free(of_init.cgroup);
}

static enum ctl_exit find_by_text(struct why *why, const char *text)
{
    enum ctl_exit exit = CTL_OK;
    struct cmeta_status status;
    struct lookup found;
    size_t count;

    if (why->map_result != 0) {
        why->id = text_format("%s", text);
        return session_exit(why->map_result);
    }
    count = lookup_text(&why->region, text, &found);
    if (count == 1 && cmeta_reader_status(&why->region, found.handles[0], &status)) {
        why->handle = found.handles[0];
        why->id = text_copy(status.id);
        find_cgroup(why, status.pid);
    } else if (count > 1) {
        exit = ambiguous(why, &found, text);
    } else {
        why->id = text_format("%s", text);
        exit = CTL_NOT_FOUND;
    }
    lookup_free(&found);
    return exit;
}

// --- the argument
// -----------------------------------------------------------------------------------------

// All digits, and a process of that number: a PID. Return: 0 if it is none.
static long pid_of(const char *text)
{
    FILE *file;
    long pid;

    if (strspn(text, "0123456789") != strlen(text) || strlen(text) > 10)
        return 0;
    pid = strtol(text, NULL, 10);
    file = pid > 0 ? open_proc(pid, "comm") : NULL;
    if (!file)
        return 0;
    fclose(file);
    return pid;
}

// A path below the cgroup mount, a line of /proc/PID/cgroup, or a path within the hierarchy.
static const char *path_within(char *text)
{
    static const char mount[] = "/sys/fs/cgroup";
    char *of_line = *text != '/' ? path_of_line(text) : NULL;
    const char *path = text + sizeof(mount) - 1, *below;

    if (of_line)
        return of_line;
    if (strncmp(text, mount, sizeof(mount) - 1) != 0 || *path != '/')
        return text;
    // Version 1 has a folder per hierarchy below it; only version 2 has this file.
    below = strchr(path + 1, '/');
    return below && access("/sys/fs/cgroup/cgroup.controllers", F_OK) != 0 ? below : path;
}

static enum ctl_exit find_by_process(struct why *why)
{
    int r = read_cgroups(why, why->pid);

    read_comm(why);
    if (r == -ENOENT || r == -ESRCH) {
        fprintf(stderr, "containerd-meta-ctl: process %ld has just ended\n", why->pid);
        return CTL_NOT_FOUND;
    }
    if (r < 0) {
        fprintf(stderr, "containerd-meta-ctl: cannot read /proc/%ld/cgroup: %s\n", why->pid,
                strerror(-r));
        return CTL_FAILED;
    }
    return find_by_match(why);
}

static enum ctl_exit find(struct why *why, char *text)
{
    why->pid = pid_of(text);
    if (why->pid)
        return find_by_process(why);
    if (!strchr(text, '/'))
        return find_by_text(why, text);
    consider_path(why, path_within(text));
    return find_by_match(why);
}

// Whether there is a story to tell: of a process that has ended, or of several containers, there
// is none.
static bool has_story(const struct why *why, enum ctl_exit exit)
{
    return exit != CTL_AMBIGUOUS && exit != CTL_FAILED && (why->cgroup || why->id);
}

// On stderr, unless the story on a terminal tells the same.
static void warn(const struct why *why, bool story)
{
    CLEANUP(freep)
    char *text = NULL;

    if (story && why->options->format == CTL_TABLE)
        return;
    if (why->map_result != 0)
        text = session_refusal(why->options->dir, why->map_result);
    else if (!why->alive)
        text = session_daemon_gone(&why->region);
    if (text)
        fprintf(stderr, "containerd-meta-ctl: %s\n", text);
}

static enum ctl_exit why_run(const struct ctl_options *options)
{
    struct why why = {.options = options, .reasons = json_array()};
    enum ctl_exit exit;
    bool story;

    why.map_result = cmeta_region_map(options->dir, &why.region);
    why.alive = session_daemon_alive(options->dir);
    exit = find(&why, options->args[0]);
    story = has_story(&why, exit);
    warn(&why, story);
    if (story) {
        why_explain(&why);
        why_print(&why);
    }
    cmeta_region_unmap(&why.region);
    json_decref(why.reasons);
    free(why.cgroup);
    free(why.id);
    return exit;
}

const struct ctl_verb ctl_why = {
    .name = "why",
    .arguments = "PID|ID|CGROUP-PATH",
    .summary = "Explains which container a process, an ID or a cgroup path is, and what is missing",
    .help =
        "Digits are a PID if there is such a process; an argument with a / is a cgroup path; "
        "anything\n"
        "else is an ID, its beginning, or a name. A process has a path per hierarchy: the one "
        "that\n"
        "names a container most strongly decides. Which container a process or a path is, is "
        "told\n"
        "without any daemon; the exit code is 0 then, and the reasons say what is missing of "
        "the\n"
        "record. 1 says that nobody knows the ID, 3 and 5 that only the region could have told.\n"
        "-o json: cgroup, container_id (full, or null), layout, strength, engine, record, "
        "reasons.\n",
    .options = "",
    .args_min = 1,
    .args_max = 1,
    .run = why_run,
};
