// SPDX-License-Identifier: Apache-2.0
#include "http_url.h"

#include "containerd-meta/cleanup.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

static void curl_freep(char **text)
{
    curl_free(*text);
}

static void curl_url_cleanupp(CURLU **url)
{
    curl_url_cleanup(*url);
}

static int reach4(const struct in_addr *address)
{
    uint32_t bits = ntohl(address->s_addr);

    return bits >> 24 == 127 || bits >> 16 == 0xa9fe ? HTTP_URL_NEAR : HTTP_URL_FAR;
}

static int reach6(const struct in6_addr *address)
{
    static const uint8_t aws[] = {0xfd, 0x00, 0x0e, 0xc2}; // fd00:ec2::/32

    return IN6_IS_ADDR_LOOPBACK(address) || IN6_IS_ADDR_LINKLOCAL(address) ||
                   memcmp(address, aws, sizeof(aws)) == 0
               ? HTTP_URL_NEAR
               : HTTP_URL_FAR;
}

static bool has(CURLU *url, CURLUPart which)
{
    CLEANUP(curl_freep)
    char *part = NULL;

    return curl_url_get(url, which, &part, 0) == CURLUE_OK;
}

// libcurl's own reading of it, so that what is checked here is what is connected to later.
int http_url_check(const char *text)
{
    CLEANUP(curl_url_cleanupp)
    CURLU *url = curl_url();
    CLEANUP(curl_freep)
    char *scheme = NULL, *host = NULL;
    struct in6_addr address6;
    struct in_addr address4;
    size_t len;

    if (!url)
        return -ENOMEM;
    if (curl_url_set(url, CURLUPART_URL, text, CURLU_DISALLOW_USER) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        strcmp(scheme, "http") != 0 || has(url, CURLUPART_QUERY) || has(url, CURLUPART_FRAGMENT) ||
        curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK)
        return -EINVAL;
    if (inet_pton(AF_INET, host, &address4) == 1)
        return reach4(&address4);
    len = strlen(host);
    if (len < 2 || host[0] != '[' || host[len - 1] != ']')
        return -EINVAL;
    host[len - 1] = '\0';
    return inet_pton(AF_INET6, host + 1, &address6) == 1 ? reach6(&address6) : -EINVAL;
}
