// SPDX-License-Identifier: Apache-2.0
#include "fake_edera.h"

#include "blob_map.h"

#include <stdlib.h>
#include <string.h>

#define NOT_FOUND 5
#define CREATED_S 1795313716

struct fake_edera {
    struct fake_grpc *fake;
    struct blob_map *zones, *workloads; // each as a batch of one
};

static char *text(const char *constant)
{
    return (char *)(uintptr_t)(constant ? constant : "");
}

// --- what is asked -------------------------------------------------------------------------------

static void on_host(void *userdata, const struct fake_grpc_question *question,
                    struct fake_grpc_reply *reply)
{
    Edera__GetHostStatusReply message = EDERA__GET_HOST_STATUS_REPLY__INIT;

    (void)userdata;
    (void)question;
    message.host_uuid = text("7b19ad5a-1bd1-4c3f-9e6f-6a591fd569ff");
    message.protect_version = text("1.2.3");
    fake_grpc_reply_message(reply, &message.base);
}

static void reply_batch(void *reply, const char *key, const void *data, size_t len)
{
    (void)key;
    fake_grpc_reply_bytes(reply, data, len);
}

static void on_zones(void *userdata, const struct fake_grpc_question *question,
                     struct fake_grpc_reply *reply)
{
    (void)question;
    blob_map_each(((struct fake_edera *)userdata)->zones, "", reply_batch, reply);
}

static void on_workloads(void *userdata, const struct fake_grpc_question *question,
                         struct fake_grpc_reply *reply)
{
    (void)question;
    blob_map_each(((struct fake_edera *)userdata)->workloads, "", reply_batch, reply);
}

// A batch of one and the answer for one have the same form.
static void on_get(void *userdata, const struct fake_grpc_question *question,
                   struct fake_grpc_reply *reply)
{
    Edera__GetWorkloadRequest *request =
        edera__get_workload_request__unpack(NULL, question->len, question->data);
    uint8_t *data;
    size_t len;

    if (!request)
        return;
    if (blob_map_get(((struct fake_edera *)userdata)->workloads, request->workload_id, &data,
                     &len)) {
        fake_grpc_reply_bytes(reply, data, len);
        free(data);
    } else {
        fake_grpc_reply_status(reply, NOT_FOUND, "workload not found");
    }
    edera__get_workload_request__free_unpacked(request, NULL);
}

// --- life ----------------------------------------------------------------------------------------

struct fake_edera *fake_edera_serve(struct fake_grpc *fake)
{
    static const struct {
        const char *method;
        void (*handle)(void *userdata, const struct fake_grpc_question *question,
                       struct fake_grpc_reply *reply);
    } handlers[] = {{FAKE_EDERA_HOST, on_host},
                    {FAKE_EDERA_ZONES, on_zones},
                    {FAKE_EDERA_WORKLOADS, on_workloads},
                    {FAKE_EDERA_GET, on_get}};
    struct fake_edera *edera = calloc(1, sizeof(*edera));

    if (!edera)
        abort();
    edera->fake = fake;
    edera->zones = blob_map_new();
    edera->workloads = blob_map_new();
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
        fake_grpc_on(fake, &(struct fake_grpc_rule){.method = handlers[i].method,
                                                    .action = FAKE_GRPC_HANDLE,
                                                    .handle = handlers[i].handle,
                                                    .userdata = edera});
    fake_grpc_on(fake,
                 &(struct fake_grpc_rule){.method = FAKE_EDERA_WATCH, .action = FAKE_GRPC_STREAM});
    return edera;
}

struct fake_edera *fake_edera_free(struct fake_edera *edera)
{
    if (!edera)
        return NULL;
    blob_map_free(edera->zones);
    blob_map_free(edera->workloads);
    free(edera);
    return NULL;
}

// --- what it has ---------------------------------------------------------------------------------

// A zone with all that belongs to it; the message points into it.
struct whole_zone {
    Edera__Zone zone;
    Edera__ZoneSpec spec;
    Edera__ZoneStatus status;
    Edera__ZoneNetworkStatus network;
    Edera__NetworkInterface interface, *interfaces[1];
    Edera__NetworkAddress address, *addresses[1];
    Edera__Annotation annotation, *annotations[1];
    Edera__Timestamp created;
};

static void fill_zone(struct whole_zone *w, const struct fake_zone *zone)
{
    w->zone = (Edera__Zone)EDERA__ZONE__INIT;
    w->spec = (Edera__ZoneSpec)EDERA__ZONE_SPEC__INIT;
    w->status = (Edera__ZoneStatus)EDERA__ZONE_STATUS__INIT;
    w->network = (Edera__ZoneNetworkStatus)EDERA__ZONE_NETWORK_STATUS__INIT;
    w->interface = (Edera__NetworkInterface)EDERA__NETWORK_INTERFACE__INIT;
    w->address = (Edera__NetworkAddress)EDERA__NETWORK_ADDRESS__INIT;
    w->annotation = (Edera__Annotation)EDERA__ANNOTATION__INIT;
    w->created = (Edera__Timestamp)EDERA__TIMESTAMP__INIT;
    w->interfaces[0] = &w->interface;
    w->addresses[0] = &w->address;
    w->annotations[0] = &w->annotation;
    w->annotation.key = text("tier");
    w->annotation.value = text("front");
    w->created.seconds = CREATED_S;
    w->address.address = text(zone->address);
    w->interface.n_ips = zone->address != NULL;
    w->interface.ips = w->addresses;
    w->network.n_interfaces = 1;
    w->network.interfaces = w->interfaces;
    w->spec.name = text(zone->name);
    w->spec.n_annotations = 1;
    w->spec.annotations = w->annotations;
    w->status.state = zone->state;
    w->status.network_status = &w->network;
    w->status.created_at = &w->created;
    w->zone.id = text(zone->id);
    w->zone.spec = &w->spec;
    w->zone.status = &w->status;
}

void fake_edera_put_zone(struct fake_edera *edera, const struct fake_zone *zone)
{
    Edera__ListZonesReply batch = EDERA__LIST_ZONES_REPLY__INIT;
    struct whole_zone whole;
    Edera__Zone *list[] = {&whole.zone};

    fill_zone(&whole, zone);
    batch.n_zones = 1;
    batch.zones = list;
    blob_map_put_message(edera->zones, zone->id, &batch.base);
}

unsigned fake_edera_change_zone(struct fake_edera *edera, const struct fake_zone *zone)
{
    Edera__WatchEventsReply event = EDERA__WATCH_EVENTS_REPLY__INIT;
    Edera__ZoneChanged changed = EDERA__ZONE_CHANGED__INIT;
    struct whole_zone whole;

    fill_zone(&whole, zone);
    changed.zone = &whole.zone;
    event.zone_changed = &changed;
    return fake_grpc_push_message(edera->fake, FAKE_EDERA_WATCH, &event.base);
}

struct whole_workload {
    Edera__Workload workload;
    Edera__WorkloadSpec spec;
    Edera__WorkloadStatus status;
    Edera__OciImageSpec image;
    Edera__Annotation annotation, *annotations[1];
    Edera__Mount mount, *mounts[1];
    Edera__Security security;
    Edera__ExitStatus exit;
    Edera__Timestamp created;
};

static void fill_workload(struct whole_workload *w, const struct fake_workload *workload)
{
    w->workload = (Edera__Workload)EDERA__WORKLOAD__INIT;
    w->spec = (Edera__WorkloadSpec)EDERA__WORKLOAD_SPEC__INIT;
    w->status = (Edera__WorkloadStatus)EDERA__WORKLOAD_STATUS__INIT;
    w->image = (Edera__OciImageSpec)EDERA__OCI_IMAGE_SPEC__INIT;
    w->annotation = (Edera__Annotation)EDERA__ANNOTATION__INIT;
    w->mount = (Edera__Mount)EDERA__MOUNT__INIT;
    w->security = (Edera__Security)EDERA__SECURITY__INIT;
    w->exit = (Edera__ExitStatus)EDERA__EXIT_STATUS__INIT;
    w->created = (Edera__Timestamp)EDERA__TIMESTAMP__INIT;
    w->annotations[0] = &w->annotation;
    w->mounts[0] = &w->mount;
    w->annotation.key = text("role");
    w->annotation.value = text(workload->role);
    w->mount.host_path = text("/srv");
    w->mount.target_path = text("/data");
    w->security.privileged = true;
    w->image.digest = text(FAKE_EDERA_DIGEST);
    w->exit.code = workload->exit_code;
    w->created.seconds = CREATED_S;
    w->spec.name = text(workload->name);
    w->spec.zone_id = text(workload->zone_id);
    w->spec.image = &w->image;
    w->spec.n_annotations = 1;
    w->spec.annotations = w->annotations;
    w->spec.n_mounts = 1;
    w->spec.mounts = w->mounts;
    w->spec.security = &w->security;
    w->status.state = workload->state;
    w->status.exit_status = workload->has_exit ? &w->exit : NULL;
    w->status.created_at = &w->created;
    w->workload.id = text(workload->id);
    w->workload.spec = &w->spec;
    w->workload.status = &w->status;
}

void fake_edera_put(struct fake_edera *edera, const struct fake_workload *workload)
{
    Edera__ListWorkloadsReply batch = EDERA__LIST_WORKLOADS_REPLY__INIT;
    struct whole_workload whole;
    Edera__Workload *list[] = {&whole.workload};

    fill_workload(&whole, workload);
    batch.n_workloads = 1;
    batch.workloads = list;
    blob_map_put_message(edera->workloads, workload->id, &batch.base);
}

unsigned fake_edera_change(struct fake_edera *edera, const struct fake_workload *workload)
{
    Edera__WatchEventsReply event = EDERA__WATCH_EVENTS_REPLY__INIT;
    Edera__WorkloadChanged changed = EDERA__WORKLOAD_CHANGED__INIT;
    struct whole_workload whole;

    fill_workload(&whole, workload);
    changed.workload = &whole.workload;
    event.workload_changed = &changed;
    return fake_grpc_push_message(edera->fake, FAKE_EDERA_WATCH, &event.base);
}

void fake_edera_put_bytes(struct fake_edera *edera, const char *id, const void *data, size_t len)
{
    blob_map_put(edera->workloads, id, data, len);
}

void fake_edera_drop(struct fake_edera *edera, const char *id)
{
    blob_map_remove(edera->zones, id);
    blob_map_remove(edera->workloads, id);
}
