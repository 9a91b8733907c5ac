// SPDX-License-Identifier: Apache-2.0
// A place of its own for a test or a benchmark.
#ifndef TEMP_DIR_H
#define TEMP_DIR_H

// A fresh folder below $TMPDIR (or /tmp), mode 0755; remove it with temp_dir_remove().
struct temp_dir {
    char path[64];
};
void temp_dir_make(struct temp_dir *dir);
void temp_dir_remove(struct temp_dir *dir);

#endif
