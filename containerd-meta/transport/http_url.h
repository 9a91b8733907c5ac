// SPDX-License-Identifier: Apache-2.0
// The URLs that engines may be found at: http://ADDRESS[:PORT][/PATH], where the address is a
// number: names would have to be resolved, and nothing here waits for that.
#ifndef HTTP_URL_H
#define HTTP_URL_H

#include <stdbool.h>

// Whether a place is a URL, or else a path.
static inline bool http_url_is(const char *place)
{
    return *place != '/';
}

enum http_url_reach {
    HTTP_URL_NEAR, // loopback, link-local, or where AWS answers its instances: stays at this
                   // machine
    HTTP_URL_FAR,
};

/**
 * http_url_check() - whether a URL is one, and how far it leads
 * Return: enum http_url_reach; -EINVAL if it is another kind of URL, or none; -ENOMEM.
 */
int http_url_check(const char *url);

#endif
