// SPDX-License-Identifier: Apache-2.0
// The C interface between a Falco plugin and its host, plugin API 3.10.0 to 3.12.0.
//
// Our own description of the binary layout (LP64, natural alignment unless said otherwise), checked
// by the assertions that stand beside each struct. It is included by the plugin and by the plugin
// host of the tests. Handles are opaque to the plugin; here they are distinct incomplete types, so
// that the compiler tells a table from an entry. The symbols that a plugin exports (plugin_*) are
// declared where they are defined.
//
// What was appended after 3.10 is marked "never read by a 3.10 plugin": a plugin that requires API
// 3.10.0 may be given a struct that ends before such a member.
#ifndef FALCO_ABI_H
#define FALCO_ABI_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

// --- handles -------------------------------------------------------------------------------------

struct falco_plugin;   // the plugin's state, made by plugin_init
struct falco_instance; // an open capture of a sourcing plugin
struct falco_owner;    // the host's side of one plugin instance
struct falco_table;    // a state table
struct falco_entry;    // a row of a state table
struct falco_field;    // accessor of a column of a state table
struct falco_routine;  // a routine in the host's thread pool

// Four bytes, true when not zero. Hosts pass flag bits as well as 1: compare with zero only.
typedef uint32_t falco_bool;

// --- enumerations --------------------------------------------------------------------------------

// Four bytes, signed. Only plugin_next_batch gives TIMEOUT and EOF a meaning.
typedef int32_t falco_rc;
enum {
    FALCO_RC_TIMEOUT = -1,
    FALCO_RC_SUCCESS = 0,
    FALCO_RC_FAILURE = 1,
    FALCO_RC_EOF = 2,
    FALCO_RC_NOT_SUPPORTED = 3,
};

// Type of an extracted field, and the member of `res` that carries it.
enum falco_field_type {
    FALCO_FIELD_UINT64 = 8,   // res.u64
    FALCO_FIELD_STRING = 9,   // res.str
    FALCO_FIELD_RELTIME = 20, // res.u64, ns
    FALCO_FIELD_ABSTIME = 21, // res.u64, ns since the epoch
    FALCO_FIELD_BOOL = 25,    // res.boolean
    FALCO_FIELD_IPADDR = 40,  // res.buf, 4 or 16 bytes
    FALCO_FIELD_IPNET = 41,   // res.buf
};

// Type of a table's key and of its columns.
enum falco_state_type {
    FALCO_STATE_INT8 = 1,
    FALCO_STATE_INT16 = 2,
    FALCO_STATE_INT32 = 3,
    FALCO_STATE_INT64 = 4,
    FALCO_STATE_UINT8 = 5,
    FALCO_STATE_UINT16 = 6,
    FALCO_STATE_UINT32 = 7,
    FALCO_STATE_UINT64 = 8,
    FALCO_STATE_STRING = 9,
    FALCO_STATE_TABLE = 10,
    FALCO_STATE_BOOL = 25,
};

enum falco_schema_type { FALCO_SCHEMA_NONE = 0, FALCO_SCHEMA_JSON = 1 };

enum falco_severity {
    FALCO_LOG_FATAL = 1,
    FALCO_LOG_CRITICAL = 2,
    FALCO_LOG_ERROR = 3,
    FALCO_LOG_WARNING = 4,
    FALCO_LOG_NOTICE = 5,
    FALCO_LOG_INFO = 6,
    FALCO_LOG_DEBUG = 7,
    FALCO_LOG_TRACE = 8,
};

// Numbering since API 3.6.
enum falco_metric_kind { FALCO_METRIC_MONOTONIC = 0, FALCO_METRIC_NON_MONOTONIC = 1 };
enum falco_metric_value_type {
    FALCO_METRIC_U32 = 0,
    FALCO_METRIC_S32 = 1,
    FALCO_METRIC_U64 = 2,
    FALCO_METRIC_S64 = 3,
    FALCO_METRIC_DOUBLE = 4,
    FALCO_METRIC_FLOAT = 5,
    FALCO_METRIC_INT = 6,
};

// Capabilities of a plugin, as the host derives them from its symbols.
enum falco_capability {
    FALCO_CAP_SOURCING = 1,
    FALCO_CAP_EXTRACTION = 2,
    FALCO_CAP_PARSING = 4,
    FALCO_CAP_ASYNC = 8,
    FALCO_CAP_LISTENING = 16,
};

// Size of the error buffer that an async handler may fill, its NUL included.
#define FALCO_ERROR_BYTES 1024
// No thread (events) and "now" (async events).
#define FALCO_TID_NONE UINT64_MAX
#define FALCO_TS_NOW   UINT64_MAX

// The compiler's word for "this is what the host was compiled with".
#define FALCO_ABI_SIZE(type, bytes) \
    static_assert(sizeof(type) == (bytes), #type " has the size the interface gives it")
#define FALCO_ABI_AT(type, member, bytes) \
    static_assert(offsetof(type, member) == (bytes), #type "." #member " is where it belongs")

FALCO_ABI_SIZE(falco_rc, 4);
FALCO_ABI_SIZE(enum falco_field_type, 4);
FALCO_ABI_SIZE(enum falco_state_type, 4);
FALCO_ABI_SIZE(enum falco_schema_type, 4);
FALCO_ABI_SIZE(enum falco_severity, 4);
FALCO_ABI_SIZE(enum falco_metric_kind, 4);
FALCO_ABI_SIZE(enum falco_metric_value_type, 4);
FALCO_ABI_SIZE(void *, 8);
FALCO_ABI_SIZE(void (*)(void), 8);

// --- events --------------------------------------------------------------------------------------

// Header of an event. Packed, so it may be read at any address. The array of parameter lengths and
// the parameters follow (see FALCO_EVENT_LENGTHS).
struct falco_event {
    uint64_t ts;      // ns since the epoch
    uint64_t tid;     // FALCO_TID_NONE: the event belongs to no thread
    uint32_t len;     // bytes of the whole event, this header included
    uint16_t type;    // enum falco_event_type
    uint32_t nparams; // entries of the length array
} __attribute__((packed));
FALCO_ABI_SIZE(struct falco_event, 26);
FALCO_ABI_AT(struct falco_event, ts, 0);
FALCO_ABI_AT(struct falco_event, tid, 8);
FALCO_ABI_AT(struct falco_event, len, 16);
FALCO_ABI_AT(struct falco_event, type, 20);
FALCO_ABI_AT(struct falco_event, nparams, 22);
static_assert(_Alignof(struct falco_event) == 1, "an event may start at any address");

struct falco_event_input {
    const struct falco_event *evt;
    uint64_t evtnum;    // counter of the inspector; the same for parsing and extracting
    const char *evtsrc; // "syscall", a plugin's source, or NULL
};
FALCO_ABI_SIZE(struct falco_event_input, 24);
FALCO_ABI_AT(struct falco_event_input, evt, 0);
FALCO_ABI_AT(struct falco_event_input, evtnum, 8);
FALCO_ABI_AT(struct falco_event_input, evtsrc, 16);

// --- extraction ----------------------------------------------------------------------------------

struct falco_buffer {
    uint32_t len;
    const void *ptr;
};
FALCO_ABI_SIZE(struct falco_buffer, 16);
FALCO_ABI_AT(struct falco_buffer, len, 0);
FALCO_ABI_AT(struct falco_buffer, ptr, 8);

// Where in the event the values came from. API 3.11.
struct falco_value_offsets {
    uint32_t *start;
    uint32_t *length;
};
FALCO_ABI_SIZE(struct falco_value_offsets, 16);
FALCO_ABI_AT(struct falco_value_offsets, start, 0);
FALCO_ABI_AT(struct falco_value_offsets, length, 8);

// One request. `res` and `res_len` hold garbage on entry: the plugin writes res_len always.
struct falco_extract_field {
    union {
        const char **str;
        uint64_t *u64;
        uint32_t *u32;
        falco_bool *boolean;
        struct falco_buffer *buf;
    } res;
    uint64_t res_len;    // values in `res`; 0: no value
    uint32_t field_id;   // index in the array of plugin_get_fields
    const char *field;   // the declared name
    const char *arg_key; // NULL: none
    uint64_t arg_index;  // meaningless unless arg_present
    falco_bool arg_present;
    uint32_t ftype; // enum falco_field_type
    falco_bool flist;
};
FALCO_ABI_SIZE(struct falco_extract_field, 64);
FALCO_ABI_AT(struct falco_extract_field, res, 0);
FALCO_ABI_AT(struct falco_extract_field, res_len, 8);
FALCO_ABI_AT(struct falco_extract_field, field_id, 16);
FALCO_ABI_AT(struct falco_extract_field, field, 24);
FALCO_ABI_AT(struct falco_extract_field, arg_key, 32);
FALCO_ABI_AT(struct falco_extract_field, arg_index, 40);
FALCO_ABI_AT(struct falco_extract_field, arg_present, 48);
FALCO_ABI_AT(struct falco_extract_field, ftype, 52);
FALCO_ABI_AT(struct falco_extract_field, flist, 56);

// --- state tables --------------------------------------------------------------------------------

union falco_state_data {
    int8_t s8;
    int16_t s16;
    int32_t s32;
    int64_t s64;
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    const char *str;
    falco_bool b;
    struct falco_table *table;
};
FALCO_ABI_SIZE(union falco_state_data, 8);

struct falco_table_info {
    const char *name;
    enum falco_state_type key_type;
};
FALCO_ABI_SIZE(struct falco_table_info, 16);
FALCO_ABI_AT(struct falco_table_info, name, 0);
FALCO_ABI_AT(struct falco_table_info, key_type, 8);

struct falco_table_fieldinfo {
    const char *name;
    enum falco_state_type field_type;
    falco_bool read_only;
};
FALCO_ABI_SIZE(struct falco_table_fieldinfo, 16);
FALCO_ABI_AT(struct falco_table_fieldinfo, name, 0);
FALCO_ABI_AT(struct falco_table_fieldinfo, field_type, 8);
FALCO_ABI_AT(struct falco_table_fieldinfo, read_only, 12);

// Columns. NULL (or a NULL accessor) is a failure; types must match exactly.
struct falco_table_fields {
    const struct falco_table_fieldinfo *(*list_table_fields)(struct falco_table *t, uint32_t *n);
    struct falco_field *(*get_table_field)(struct falco_table *t, const char *name,
                                           enum falco_state_type type);
    struct falco_field *(*add_table_field)(struct falco_table *t, const char *name,
                                           enum falco_state_type type);
};
FALCO_ABI_SIZE(struct falco_table_fields, 24);
FALCO_ABI_AT(struct falco_table_fields, list_table_fields, 0);
FALCO_ABI_AT(struct falco_table_fields, get_table_field, 8);
FALCO_ABI_AT(struct falco_table_fields, add_table_field, 16);

// The reader as it was before API 3.1; still passed by value beside the full one.
struct falco_table_reader_legacy {
    const char *(*get_table_name)(struct falco_table *t);
    uint64_t (*get_table_size)(struct falco_table *t);
    struct falco_entry *(*get_table_entry)(struct falco_table *t,
                                           const union falco_state_data *key);
    falco_rc (*read_entry_field)(struct falco_table *t, struct falco_entry *e,
                                 const struct falco_field *f, union falco_state_data *out);
};
FALCO_ABI_SIZE(struct falco_table_reader_legacy, 32);
FALCO_ABI_AT(struct falco_table_reader_legacy, get_table_name, 0);
FALCO_ABI_AT(struct falco_table_reader_legacy, get_table_size, 8);
FALCO_ABI_AT(struct falco_table_reader_legacy, get_table_entry, 16);
FALCO_ABI_AT(struct falco_table_reader_legacy, read_entry_field, 24);

// Called per row; zero stops the iteration. The row is borrowed: it is never released.
typedef falco_bool (*falco_table_iterator)(void *state, struct falco_entry *e);

struct falco_table_reader {
    const char *(*get_table_name)(struct falco_table *t);
    uint64_t (*get_table_size)(struct falco_table *t); // UINT64_MAX: error
    // A row to be released with release_table_entry, or NULL: absent or error.
    struct falco_entry *(*get_table_entry)(struct falco_table *t,
                                           const union falco_state_data *key);
    falco_rc (*read_entry_field)(struct falco_table *t, struct falco_entry *e,
                                 const struct falco_field *f, union falco_state_data *out);
    void (*release_table_entry)(struct falco_table *t, struct falco_entry *e);
    // Zero when the iterator stopped it, too: that is no error.
    falco_bool (*iterate_entries)(struct falco_table *t, falco_table_iterator it, void *state);
};
FALCO_ABI_SIZE(struct falco_table_reader, 48);
FALCO_ABI_AT(struct falco_table_reader, get_table_name, 0);
FALCO_ABI_AT(struct falco_table_reader, get_table_size, 8);
FALCO_ABI_AT(struct falco_table_reader, get_table_entry, 16);
FALCO_ABI_AT(struct falco_table_reader, read_entry_field, 24);
FALCO_ABI_AT(struct falco_table_reader, release_table_entry, 32);
FALCO_ABI_AT(struct falco_table_reader, iterate_entries, 40);

struct falco_table_writer {
    falco_rc (*clear_table)(struct falco_table *t);
    falco_rc (*erase_table_entry)(struct falco_table *t, const union falco_state_data *key);
    struct falco_entry *(*create_table_entry)(struct falco_table *t);
    void (*destroy_table_entry)(struct falco_table *t, struct falco_entry *e);
    // Takes `e` over and returns a row to be released.
    struct falco_entry *(*add_table_entry)(struct falco_table *t, const union falco_state_data *key,
                                           struct falco_entry *e);
    falco_rc (*write_entry_field)(struct falco_table *t, struct falco_entry *e,
                                  const struct falco_field *f, const union falco_state_data *in);
};
FALCO_ABI_SIZE(struct falco_table_writer, 48);
FALCO_ABI_AT(struct falco_table_writer, clear_table, 0);
FALCO_ABI_AT(struct falco_table_writer, erase_table_entry, 8);
FALCO_ABI_AT(struct falco_table_writer, create_table_entry, 16);
FALCO_ABI_AT(struct falco_table_writer, destroy_table_entry, 24);
FALCO_ABI_AT(struct falco_table_writer, add_table_entry, 32);
FALCO_ABI_AT(struct falco_table_writer, write_entry_field, 40);

// What a plugin gives to add_table. The host copies the functions; `name` and `table` stay the
// plugin's until plugin_destroy. The members by value and those behind the pointers must agree.
struct falco_table_input {
    const char *name;
    enum falco_state_type key_type;
    struct falco_table *table; // any cookie but NULL
    struct falco_table_reader_legacy reader;
    struct falco_table_writer writer;
    struct falco_table_fields fields;
    struct falco_table_reader *reader_ext;
    struct falco_table_writer *writer_ext;
    struct falco_table_fields *fields_ext;
};
FALCO_ABI_SIZE(struct falco_table_input, 152);
FALCO_ABI_AT(struct falco_table_input, name, 0);
FALCO_ABI_AT(struct falco_table_input, key_type, 8);
FALCO_ABI_AT(struct falco_table_input, table, 16);
FALCO_ABI_AT(struct falco_table_input, reader, 24);
FALCO_ABI_AT(struct falco_table_input, writer, 56);
FALCO_ABI_AT(struct falco_table_input, fields, 104);
FALCO_ABI_AT(struct falco_table_input, reader_ext, 128);
FALCO_ABI_AT(struct falco_table_input, writer_ext, 136);
FALCO_ABI_AT(struct falco_table_input, fields_ext, 144);

// --- inputs of the plugin's functions ------------------------------------------------------------
// All of them, and every function table reached from them, are the host's for the call only.

typedef const char *(*falco_last_error)(struct falco_owner *o);
typedef void (*falco_log)(struct falco_owner *o, const char *component, const char *msg,
                          enum falco_severity severity);

struct falco_init_tables {
    struct falco_table_info *(*list_tables)(struct falco_owner *o, uint32_t *n);
    // NULL for an unknown name, without an error text.
    struct falco_table *(*get_table)(struct falco_owner *o, const char *name,
                                     enum falco_state_type key_type);
    falco_rc (*add_table)(struct falco_owner *o, const struct falco_table_input *in);
    struct falco_table_fields fields;
    struct falco_table_fields *fields_ext;
    struct falco_table_reader *reader_ext;
    struct falco_table_writer *writer_ext;
};
FALCO_ABI_SIZE(struct falco_init_tables, 72);
FALCO_ABI_AT(struct falco_init_tables, list_tables, 0);
FALCO_ABI_AT(struct falco_init_tables, get_table, 8);
FALCO_ABI_AT(struct falco_init_tables, add_table, 16);
FALCO_ABI_AT(struct falco_init_tables, fields, 24);
FALCO_ABI_AT(struct falco_init_tables, fields_ext, 48);
FALCO_ABI_AT(struct falco_init_tables, reader_ext, 56);
FALCO_ABI_AT(struct falco_init_tables, writer_ext, 64);

// `owner` and the values of the function pointers (not the struct) live until plugin_destroy.
struct falco_init_input {
    const char *config; // never NULL
    struct falco_owner *owner;
    falco_last_error get_owner_last_error;
    const struct falco_init_tables *tables; // NULL: the plugin neither extracts nor parses
    falco_log log;                          // any thread may call it
};
FALCO_ABI_SIZE(struct falco_init_input, 40);
FALCO_ABI_AT(struct falco_init_input, config, 0);
FALCO_ABI_AT(struct falco_init_input, owner, 8);
FALCO_ABI_AT(struct falco_init_input, get_owner_last_error, 16);
FALCO_ABI_AT(struct falco_init_input, tables, 24);
FALCO_ABI_AT(struct falco_init_input, log, 32);

struct falco_extract_input {
    struct falco_owner *owner;
    falco_last_error get_owner_last_error;
    uint32_t num_fields;
    struct falco_extract_field *fields;
    struct falco_table_reader_legacy reader;
    struct falco_table_reader *reader_ext;
    // API 3.11: never read by a 3.10 plugin, whose host may have ended the struct before it.
    struct falco_value_offsets *value_offsets;
};
FALCO_ABI_SIZE(struct falco_extract_input, 80);
FALCO_ABI_AT(struct falco_extract_input, owner, 0);
FALCO_ABI_AT(struct falco_extract_input, get_owner_last_error, 8);
FALCO_ABI_AT(struct falco_extract_input, num_fields, 16);
FALCO_ABI_AT(struct falco_extract_input, fields, 24);
FALCO_ABI_AT(struct falco_extract_input, reader, 32);
FALCO_ABI_AT(struct falco_extract_input, reader_ext, 64);
FALCO_ABI_AT(struct falco_extract_input, value_offsets, 72);
// Size of the struct in API 3.10.
#define FALCO_EXTRACT_INPUT_3_10_BYTES offsetof(struct falco_extract_input, value_offsets)

struct falco_parse_input {
    struct falco_owner *owner;
    falco_last_error get_owner_last_error;
    struct falco_table_reader_legacy reader;
    struct falco_table_writer writer;
    struct falco_table_reader *reader_ext;
    struct falco_table_writer *writer_ext;
};
FALCO_ABI_SIZE(struct falco_parse_input, 112);
FALCO_ABI_AT(struct falco_parse_input, owner, 0);
FALCO_ABI_AT(struct falco_parse_input, get_owner_last_error, 8);
FALCO_ABI_AT(struct falco_parse_input, reader, 16);
FALCO_ABI_AT(struct falco_parse_input, writer, 48);
FALCO_ABI_AT(struct falco_parse_input, reader_ext, 96);
FALCO_ABI_AT(struct falco_parse_input, writer_ext, 104);

struct falco_set_config_input {
    const char *config;
};
FALCO_ABI_SIZE(struct falco_set_config_input, 8);
FALCO_ABI_AT(struct falco_set_config_input, config, 0);

struct falco_routines {
    // NULL when the host has no thread pool, which is the normal case.
    struct falco_routine *(*subscribe)(struct falco_owner *o,
                                       falco_bool (*fn)(struct falco_plugin *s, void *state),
                                       void *state);
    falco_rc (*unsubscribe)(struct falco_owner *o, struct falco_routine *r);
};
FALCO_ABI_SIZE(struct falco_routines, 16);
FALCO_ABI_AT(struct falco_routines, subscribe, 0);
FALCO_ABI_AT(struct falco_routines, unsubscribe, 8);

// For plugin_capture_open and plugin_capture_close.
struct falco_listen_input {
    struct falco_owner *owner;
    struct falco_routines *routines;
    struct falco_table_reader *reader_ext;
    struct falco_table_writer *writer_ext;
    falco_last_error get_owner_last_error;
};
FALCO_ABI_SIZE(struct falco_listen_input, 40);
FALCO_ABI_AT(struct falco_listen_input, owner, 0);
FALCO_ABI_AT(struct falco_listen_input, routines, 8);
FALCO_ABI_AT(struct falco_listen_input, reader_ext, 16);
FALCO_ABI_AT(struct falco_listen_input, writer_ext, 24);
FALCO_ABI_AT(struct falco_listen_input, get_owner_last_error, 32);

// Hands an async event to the host, which copies it. Any thread; `err` is NULL or
// FALCO_ERROR_BYTES, filled on failure only. Success may also mean that the event was dropped.
typedef falco_rc (*falco_async_handler)(struct falco_owner *o, const struct falco_event *e,
                                        char *err);

struct falco_metric {
    const char *name;
    enum falco_metric_kind kind;
    union {
        uint32_t u32;
        int32_t s32;
        uint64_t u64;
        int64_t s64;
        double d;
        float f;
        int i;
    } value;
    enum falco_metric_value_type value_type;
};
FALCO_ABI_SIZE(struct falco_metric, 32);
FALCO_ABI_AT(struct falco_metric, name, 0);
FALCO_ABI_AT(struct falco_metric, kind, 8);
FALCO_ABI_AT(struct falco_metric, value, 16);
FALCO_ABI_AT(struct falco_metric, value_type, 24);

// --- event types and parameters (event schema 4) -------------------------------------------------

// Even numbers enter a system call, odd ones leave it.
enum falco_event_type {
    FALCO_EVENT_PROCEXIT = 186,
    FALCO_EVENT_SCAPEVENT = 196,
    FALCO_EVENT_CLONE_ENTER = 222,
    FALCO_EVENT_CLONE_EXIT = 223,
    FALCO_EVENT_FORK_ENTER = 224,
    FALCO_EVENT_FORK_EXIT = 225,
    FALCO_EVENT_VFORK_ENTER = 226,
    FALCO_EVENT_VFORK_EXIT = 227,
    FALCO_EVENT_CONTAINER = 228,      // old captures: id, type, name, image
    FALCO_EVENT_EXECVE_15_EXIT = 231, // old captures
    FALCO_EVENT_PROCINFO = 234,
    FALCO_EVENT_SETNS_ENTER = 240,
    FALCO_EVENT_SETNS_EXIT = 241,
    FALCO_EVENT_CHROOT_ENTER = 266,
    FALCO_EVENT_CHROOT_EXIT = 267,
    FALCO_EVENT_CONTAINER_JSON = 272, // old captures: one JSON text, 2-byte length
    FALCO_EVENT_EXECVE_16_EXIT = 283, // old captures
    FALCO_EVENT_UNSHARE_ENTER = 284,
    FALCO_EVENT_UNSHARE_EXIT = 285,
    FALCO_EVENT_EXECVE_17_EXIT = 289, // old captures
    FALCO_EVENT_EXECVE_ENTER = 292,
    FALCO_EVENT_EXECVE_EXIT = 293,
    FALCO_EVENT_PLUGIN = 322,           // id, data
    FALCO_EVENT_CONTAINER_JSON_2 = 324, // captures of Falco before 0.41: one JSON text
    FALCO_EVENT_EXECVEAT_ENTER = 330,
    FALCO_EVENT_EXECVEAT_EXIT = 331,
    FALCO_EVENT_CLONE3_ENTER = 334,
    FALCO_EVENT_CLONE3_EXIT = 335,
    FALCO_EVENT_USER_ADDED = 354,
    FALCO_EVENT_GROUP_ADDED = 358,
    FALCO_EVENT_ASYNC = 402, // plugin id, name, data
};

// The length array follows the header. Its entries have 4 bytes for "large payload" types (PLUGIN,
// CONTAINER_JSON_2, ASYNC) and 2 bytes for all others.
#define FALCO_EVENT_LENGTHS 26

// Parameters of the exit events of clone, fork, vfork and clone3. An index beyond nparams, and a
// parameter of no bytes, is absent.
enum falco_clone_param {
    FALCO_CLONE_RES = 0, // s64; 0: in the child; > 0: in the parent, as its namespace numbers it
    FALCO_CLONE_EXE = 1,
    FALCO_CLONE_ARGS = 2, // separated by NUL
    FALCO_CLONE_TID = 3,
    FALCO_CLONE_PID = 4,
    FALCO_CLONE_PTID = 5,
    FALCO_CLONE_CWD = 6,
    FALCO_CLONE_FDLIMIT = 7,
    FALCO_CLONE_PGFT_MAJ = 8,
    FALCO_CLONE_PGFT_MIN = 9,
    FALCO_CLONE_VM_SIZE = 10,
    FALCO_CLONE_VM_RSS = 11,
    FALCO_CLONE_VM_SWAP = 12,
    FALCO_CLONE_COMM = 13,
    FALCO_CLONE_CGROUPS = 14, // "controller=path" separated by NUL
    FALCO_CLONE_FLAGS = 15,
    FALCO_CLONE_UID = 16,
    FALCO_CLONE_GID = 17,
    FALCO_CLONE_VTID = 18,
    FALCO_CLONE_VPID = 19,
    FALCO_CLONE_PIDNS_INIT_START_TS = 20, // monotonic ns, boot time not added
    FALCO_CLONE_NPARAMS = 21,
};

// Parameters of the exit events of execve and execveat. 0 to 14 are as above.
enum falco_exec_param {
    FALCO_EXEC_RES = 0,
    FALCO_EXEC_EXE = 1,
    FALCO_EXEC_ARGS = 2,
    FALCO_EXEC_TID = 3,
    FALCO_EXEC_PID = 4,
    FALCO_EXEC_PTID = 5,
    FALCO_EXEC_CWD = 6,
    FALCO_EXEC_FDLIMIT = 7,
    FALCO_EXEC_PGFT_MAJ = 8,
    FALCO_EXEC_PGFT_MIN = 9,
    FALCO_EXEC_VM_SIZE = 10,
    FALCO_EXEC_VM_RSS = 11,
    FALCO_EXEC_VM_SWAP = 12,
    FALCO_EXEC_COMM = 13,
    FALCO_EXEC_CGROUPS = 14,
    FALCO_EXEC_ENV = 15,
    FALCO_EXEC_TTY = 16,
    FALCO_EXEC_VPGID = 17,
    FALCO_EXEC_LOGINUID = 18,
    FALCO_EXEC_FLAGS = 19,
    FALCO_EXEC_CAP_INHERITABLE = 20,
    FALCO_EXEC_CAP_PERMITTED = 21,
    FALCO_EXEC_CAP_EFFECTIVE = 22,
    FALCO_EXEC_INO = 23,
    FALCO_EXEC_INO_CTIME = 24,
    FALCO_EXEC_INO_MTIME = 25,
    FALCO_EXEC_UID = 26,
    FALCO_EXEC_TRUSTED_EXEPATH = 27,
    FALCO_EXEC_PGID = 28,
    FALCO_EXEC_GID = 29,
    FALCO_EXEC_FILENAME = 30, // execve only, libs 0.23 and later
    FALCO_EXECVEAT_NPARAMS = 30,
    FALCO_EXECVE_NPARAMS = 31,
};

enum falco_procexit_param {
    FALCO_PROCEXIT_STATUS = 0,
    FALCO_PROCEXIT_RET = 1,
    FALCO_PROCEXIT_SIG = 2,
    FALCO_PROCEXIT_CORE = 3,
    FALCO_PROCEXIT_REAPER_TID = 4,
    FALCO_PROCEXIT_NPARAMS = 5,
};

enum falco_chroot_param {
    FALCO_CHROOT_RES = 0,
    FALCO_CHROOT_PATH = 1,
    FALCO_CHROOT_NPARAMS = 2,
};

enum falco_async_param {
    FALCO_ASYNC_PLUGIN_ID = 0,
    FALCO_ASYNC_NAME = 1,
    FALCO_ASYNC_DATA = 2,
    FALCO_ASYNC_NPARAMS = 3,
};

// Encoding of an async event: offsets from the event's start. The name is NUL-terminated within its
// length; the data follow it. The host writes the plugin id.
enum falco_async_offset {
    FALCO_ASYNC_AT_ID_LEN = 26, // u32, always 4
    FALCO_ASYNC_AT_NAME_LEN = 30,
    FALCO_ASYNC_AT_DATA_LEN = 34,
    FALCO_ASYNC_AT_PLUGIN_ID = 38,
    FALCO_ASYNC_AT_NAME = 42,
};

// Encoding of a plugin event: offsets from the event's start.
enum falco_plugin_event_offset {
    FALCO_PLUGIN_EVENT_AT_ID_LEN = 26, // u32, always 4
    FALCO_PLUGIN_EVENT_AT_DATA_LEN = 30,
    FALCO_PLUGIN_EVENT_AT_ID = 34,
    FALCO_PLUGIN_EVENT_AT_DATA = 38,
};

// Bits of the thread field `flags` that a parser may want.
#define FALCO_THREAD_CLONE_NEWPID (1u << 6)
#define FALCO_THREAD_CLONE_THREAD (1u << 13)
#define FALCO_THREAD_CLOSED       (1u << 18)

#endif
