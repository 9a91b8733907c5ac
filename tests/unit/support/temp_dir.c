// SPDX-License-Identifier: Apache-2.0
#include "temp_dir.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

void temp_dir_make(struct temp_dir *dir)
{
    const char *base = getenv("TMPDIR");

    if (!base || snprintf(dir->path, sizeof(dir->path), "%s/cmeta-test-XXXXXX", base) >=
                     (int)sizeof(dir->path))
        snprintf(dir->path, sizeof(dir->path), "/tmp/cmeta-test-XXXXXX");
    if (!mkdtemp(dir->path) || chmod(dir->path, 0755) != 0) {
        perror(dir->path);
        abort(); // a test or a benchmark can't go on without it
    }
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)type;
    (void)walk;
    return remove(path);
}

void temp_dir_remove(struct temp_dir *dir)
{
    nftw(dir->path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
