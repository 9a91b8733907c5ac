// SPDX-License-Identifier: Apache-2.0
// The daemon's configuration: any text is taken whole or refused with a message that names the
// file.
#include "containerd-meta/config.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char message[256] = "", notes[256];
    struct config config;
    int r = config_parse("f", (const char *)data, size, &config, message, sizeof(message), notes,
                         sizeof(notes));

    if (r == 0)
        config_done(&config);
    else if (strncmp(message, "f:", 2) != 0)
        abort();
    return 0;
}
