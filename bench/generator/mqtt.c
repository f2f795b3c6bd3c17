/* MQTT 3.1.1 over TCP, quality of service 0: SUBSCRIBE by readers, PUBLISH both ways. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "generator.h"

enum { CONNECT = 0x10, CONNACK = 0x20, PUBLISH = 0x30, SUBSCRIBE = 0x82, SUBACK = 0x90, TYPE = 0xf0 };

/* Sends type and remaining length: seven bits per byte, the lowest first (section 2.2.3). */
static void head(struct connection *c, int type, size_t length) {
    unsigned char bytes[5] = {(unsigned char)type};
    size_t size = 1;
    do {
        bytes[size++] = (unsigned char)((length & 127) | (length > 127 ? 128 : 0));
    } while (length >>= 7);
    output(c, bytes, size);
}

static void string(struct connection *c, const char *text) {
    size_t length = strlen(text);
    unsigned char size[2] = {(unsigned char)(length >> 8), (unsigned char)length};
    output(c, size, 2);
    output(c, text, length);
}

static void start(struct connection *c) {
    char name[24];
    snprintf(name, sizeof name, "bench%d", c->index);
    head(c, CONNECT, 10 + 2 + strlen(name));
    output(c, "\0\4MQTT\4\2\0\0", 10); /* a clean session without keep-alive */
    string(c, name);
    c->state = GREETING;
}

static void message(struct connection *c, const char *text, size_t length) {
    head(c, PUBLISH, 2 + strlen(options.subject) + length);
    string(c, options.subject);
    output(c, text, length);
}

static void packet(struct connection *c, int type, const char *body, size_t length) {
    size_t topic = length >= 2 ? (size_t)(unsigned char)body[0] << 8 | (unsigned char)body[1] : 0;
    if (type == PUBLISH && length >= 2 + topic)
        on_message(c, body + 2 + topic, length - 2 - topic);
    else if (type == CONNACK && length == 2 && body[1] == 0) {
        if (!c->reader) {
            on_open(c);
            return;
        }
        head(c, SUBSCRIBE, 2 + 2 + strlen(options.subject) + 1);
        output(c, "\0\1", 2);
        string(c, options.subject);
        output(c, "\0", 1);
    } else if (type == SUBACK && length == 3 && body[2] == 0)
        on_open(c);
    else
        fail(c, "the broker refused, or sent an unexpected MQTT packet");
}

static size_t parse(struct connection *c, char *data, size_t length) {
    size_t used = 0;
    while (c->state != CLOSED) {
        const unsigned char *at = (unsigned char *)data + used;
        size_t left = length - used, size = 0, digits = 1;
        for (int shift = 0; digits < left && digits < 5; shift += 7) {
            size |= (size_t)(at[digits] & 127) << shift;
            if (at[digits++] < 128)
                break;
        }
        if (left < 2 || at[digits - 1] > 127 || left < digits + size)
            break;
        packet(c, at[0] & TYPE, (const char *)at + digits, size);
        used += digits + size;
    }
    return used;
}

struct wire mqtt_wire = {start, parse, message};
