/* The NATS client protocol over TCP: SUB by readers, PUB by senders, MSG parsed. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generator.h"

static void start(struct connection *c) {
    char text[256];
    int n = snprintf(text, sizeof text, "CONNECT {\"verbose\":false,\"pedantic\":false}\r\n");
    output(c, text, (size_t)n);
    if (c->reader) {
        n = snprintf(text, sizeof text, "SUB %s 1\r\n", options.subject);
        output(c, text, (size_t)n);
    }
    output(c, "PING\r\n", 6); /* its PONG confirms the subscription */
    c->state = GREETING;
}

static void message(struct connection *c, const char *text, size_t length) {
    char head[256];
    int n = snprintf(head, sizeof head, "PUB %s %zu\r\n", options.subject, length);
    output(c, head, (size_t)n);
    output(c, text, length);
    output(c, "\r\n", 2);
}

static void line(struct connection *c, char *text, size_t length) {
    if (!memcmp(text, "PING", 4))
        output(c, "PONG\r\n", 6);
    else if (!memcmp(text, "PONG", 4)) {
        if (c->state == GREETING)
            on_open(c);
    } else if (memcmp(text, "INFO", 4) && memcmp(text, "+OK", 3)) {
        text[length] = 0;
        fail(c, text);
    }
}

/* The size is the last word of "MSG <subject> <sid> <#bytes>". */
static size_t size_of(const char *line_end) {
    const char *digit = line_end;
    while (digit[-1] != ' ')
        digit--;
    size_t size = 0;
    for (; digit < line_end; digit++)
        size = size * 10 + (size_t)(*digit - '0');
    return size;
}

static size_t parse(struct connection *c, char *data, size_t length) {
    char *at = data, *end = data + length;
    while (at < end && c->state != CLOSED) {
        char *newline = memchr(at, '\n', (size_t)(end - at));
        if (!newline)
            break;
        if (end - at > 4 && !memcmp(at, "MSG ", 4)) {
            size_t size = size_of(newline - 1);
            if ((size_t)(end - newline) < size + 3)
                break;
            on_message(c, newline + 1, size);
            at = newline + 3 + size;
        } else {
            line(c, at, (size_t)(newline - at));
            at = newline + 1;
        }
    }
    return (size_t)(at - data);
}

struct wire nats_wire = {start, parse, message};
