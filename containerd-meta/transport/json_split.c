// SPDX-License-Identifier: Apache-2.0
#include "json_split.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void json_split_init(struct json_split *split, size_t element_max,
                     void (*on_element)(void *userdata, const char *json, size_t len),
                     void *userdata)
{
    *split = (struct json_split){
        .on_element = on_element, .userdata = userdata, .element_max = element_max};
}

void json_split_done(struct json_split *split)
{
    free(split->element);
    split->element = NULL;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int keep(struct json_split *split, char c)
{
    if (split->skipping)
        return 0;
    if (split->used >= split->element_max) {
        split->skipping = true;
        return 0;
    }
    if (split->used + 2 > split->room) {
        size_t room = split->room ? split->room * 2 : 4096;
        char *element = realloc(split->element, room);

        if (!element)
            return -ENOMEM;
        split->element = element;
        split->room = room;
    }
    split->element[split->used++] = c;
    return 0;
}

static void deliver(struct json_split *split)
{
    while (split->used && is_space(split->element[split->used - 1]))
        split->used--;
    if (split->skipping) {
        split->skipped++;
    } else if (split->used) {
        split->element[split->used] = '\0';
        split->on_element(split->userdata, split->element, split->used);
    }
    split->used = 0;
    split->skipping = false;
}

static void within_string(struct json_split *split, char c)
{
    if (split->escaped)
        split->escaped = false;
    else if (c == '\\')
        split->escaped = true;
    else if (c == '"')
        split->in_string = false;
}

// One byte within an element. Return: 1 if the element ended before it.
static int within(struct json_split *split, char c)
{
    if (split->in_string) {
        within_string(split, c);
        return keep(split, c);
    }
    if (split->depth == 0 && (c == ',' || c == ']'))
        return 1;
    if (c == '"')
        split->in_string = true;
    else if (c == '{' || c == '[')
        split->depth++;
    else if (c == '}' || c == ']') {
        if (split->depth == 0)
            return -EBADMSG;
        split->depth--;
    }
    return keep(split, c);
}

static bool key_is_member(const struct json_split *split)
{
    return split->key_len == strlen(split->member) &&
           memcmp(split->key, split->member, split->key_len) == 0;
}

// One byte of the object around the array, before it. `key_len` goes on where the key is cut.
static int around(struct json_split *split, char c)
{
    if (split->in_string) {
        within_string(split, c);
        if (split->in_string && split->key_len < sizeof(split->key))
            split->key[split->key_len++] = c;
        return 0;
    }
    if (c == '"') {
        split->in_string = true;
        split->key_len = 0;
    } else if (c == '{' || (c == '[' && split->depth)) {
        split->depth++;
    } else if (split->depth == 0 && !is_space(c)) {
        return -EBADMSG;
    } else if (c == '}' || c == ']') {
        if (--split->depth == 0)
            return -EBADMSG; // the member isn't there
    } else if (c == ':' && split->depth == 1 && key_is_member(split)) {
        split->depth = 0;
        split->state = SPLIT_BEFORE;
    }
    return 0;
}

// Go's encoder writes a list that was never made as null; `used` counts its letters.
static int before_array(struct json_split *split, char c)
{
    if (split->used == 4 && split->member) // what follows in the object
        return 0;
    if (is_space(c) && (split->used == 0 || split->used == 4))
        return 0;
    if (c == '[' && split->used == 0) {
        split->state = SPLIT_BETWEEN;
        return 0;
    }
    if (split->used >= 4 || c != "null"[split->used])
        return -EBADMSG;
    split->used++;
    return 0;
}

static int feed_one(struct json_split *split, char c)
{
    int r;

    switch (split->state) {
    case SPLIT_AROUND:
        if (!split->member) {
            split->state = SPLIT_BEFORE;
            return before_array(split, c);
        }
        return around(split, c);
    case SPLIT_BEFORE:
        return before_array(split, c);
    case SPLIT_BETWEEN:
        if (is_space(c))
            return 0;
        if (c == ']' && !split->any) {
            split->state = SPLIT_AFTER;
            return 0;
        }
        if (c == ',' || c == ']')
            return -EBADMSG;
        split->state = SPLIT_WITHIN;
        split->any = true;
        return within(split, c);
    case SPLIT_WITHIN:
        r = within(split, c);
        if (r <= 0)
            return r;
        deliver(split);
        split->state = c == ']' ? SPLIT_AFTER : SPLIT_BETWEEN;
        return 0;
    case SPLIT_AFTER:
        return is_space(c) || split->member ? 0 : -EBADMSG;
    default:
        return -EBADMSG;
    }
}

int json_split_feed(struct json_split *split, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        int r = feed_one(split, data[i]);

        if (r < 0) {
            split->state = SPLIT_FAILED;
            return r;
        }
    }
    return 0;
}

int json_split_end(const struct json_split *split)
{
    if (split->state == SPLIT_AFTER)
        return 0;
    return split->state == SPLIT_BEFORE && split->used == 4 ? 1 : -EBADMSG;
}
