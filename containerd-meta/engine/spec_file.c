// SPDX-License-Identifier: Apache-2.0
#include "spec_file.h"

#include "containerd-meta/cleanup.h"
#include "oci_spec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

// A pipe or a device would make us wait.
static int check(int fd, size_t *size)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    if (st.st_size > (off_t)SPEC_FILE_MAX)
        return -EFBIG;
    *size = (size_t)st.st_size;
    return 0;
}

int spec_file_read(const char *path, json_t **spec)
{
    CLEANUP(closep)
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    CLEANUP(freep)
    char *text = NULL;
    size_t size = 0;
    ssize_t count;
    int r = fd < 0 ? -errno : check(fd, &size);

    if (r < 0)
        return r;
    text = malloc(size + 1);
    if (!text)
        return -ENOMEM;
    count = read(fd, text, size);
    if (count < 0)
        return -errno;
    *spec = oci_spec_parse(text, (size_t)count);
    return *spec ? 0 : -EBADMSG;
}
