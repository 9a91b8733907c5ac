// SPDX-License-Identifier: Apache-2.0
#include "fake_pod.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *fake_format(const char *format, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        abort();
    va_end(args);
    return text;
}

#define CAPS                                                                                     \
    "[\"CAP_CHOWN\",\"CAP_DAC_OVERRIDE\",\"CAP_FSETID\",\"CAP_FOWNER\",\"CAP_MKNOD\",\"CAP_NET_" \
    "RAW\",\"CAP_SETGID\",\"CAP_SETUID\",\"CAP_SETFCAP\",\"CAP_SETPCAP\",\"CAP_NET_BIND_"        \
    "SERVICE\",\"CAP_SYS_CHROOT\",\"CAP_KILL\",\"CAP_AUDIT_WRITE\"]"

char *fake_spec(const struct fake_container *container, const char *annotations)
{
    const char *id = container->id;

    if (container->spec)
        return fake_format("%s", container->spec);
    return fake_format(
        "{\"ociVersion\":\"1.0.2-dev\",\"process\":{\"user\":{\"uid\":1000,\"gid\":1000,"
        "\"additionalGids\":[2000]},\"args\":[\"/app/server\",\"--config\",\"/etc/app.yaml\"],"
        "\"env\":[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\","
        "\"HOSTNAME=web\",\"KUBERNETES_SERVICE_HOST=10.96.0.1\",\"KUBERNETES_SERVICE_PORT=443\","
        "\"KUBERNETES_PORT_443_TCP=tcp://10.96.0.1:443\",\"DATABASE=orders\"],\"cwd\":\"/\","
        "\"capabilities\":{\"bounding\":" CAPS ",\"effective\":" CAPS ",\"permitted\":" CAPS
        "},\"apparmorProfile\":\"cri-containerd.apparmor.d\",\"oomScoreAdj\":979},"
        "\"root\":{\"path\":\"rootfs\"},\"mounts\":["
        "{\"destination\":\"/"
        "proc\",\"type\":\"proc\",\"source\":\"proc\",\"options\":[\"nosuid\"]},"
        "{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"nosuid\","
        "\"mode=755\"]},{\"destination\":\"/sys\",\"type\":\"sysfs\",\"source\":\"sysfs\","
        "\"options\":[\"ro\"]},{\"destination\":\"/sys/fs/cgroup\",\"type\":\"cgroup\",\"source\":"
        "\"cgroup\",\"options\":[\"ro\"]},{\"destination\":\"/etc/hosts\",\"type\":\"bind\","
        "\"source\":\"/var/lib/kubelet/pods/%.12s/etc-hosts\",\"options\":[\"rbind\",\"rw\"]},"
        "{\"destination\":\"/data\",\"type\":\"bind\",\"source\":\"/var/lib/kubelet/pods/%.12s/"
        "volumes/data\",\"options\":[\"rbind\",\"rprivate\",\"rw\"]}],"
        "\"annotations\":{%s},\"linux\":{\"resources\":{\"devices\":[{\"allow\":false,\"access\":"
        "\"rwm\"}],\"memory\":{\"limit\":268435456},\"cpu\":{\"shares\":102,\"quota\":50000,"
        "\"period\":100000}},\"cgroupsPath\":\"kubepods-burstable-pod.slice:cri-containerd:%s\","
        "\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":"
        "\"mount\"},{\"type\":\"network\"}],\"maskedPaths\":[\"/proc/acpi\",\"/proc/kcore\","
        "\"/proc/keys\",\"/proc/latency_stats\",\"/proc/timer_list\",\"/sys/firmware\"],"
        "\"readonlyPaths\":[\"/proc/bus\",\"/proc/fs\",\"/proc/irq\",\"/proc/sys\"]}}",
        id, id, annotations, id);
}
