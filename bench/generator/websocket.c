/* RFC 6455 from the client's side: upgrade, masked text frames out, unmasked frames in. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generator.h"

static void frame(struct connection *c, int opcode, const char *text, size_t length) {
    static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    unsigned char head[14] = {(unsigned char)(0x80 | opcode)};
    size_t size = 2;
    if (length < 126) {
        head[1] = (unsigned char)(0x80 | length);
    } else {
        head[1] = 0x80 | 126;
        head[2] = (unsigned char)(length >> 8);
        head[3] = (unsigned char)length;
        size = 4;
    }
    memcpy(head + size, mask, 4);
    char body[65536];
    for (size_t i = 0; i < length; i++)
        body[i] = (char)(text[i] ^ mask[i & 3]);
    output(c, head, size + 4);
    output(c, body, length);
}

static void message(struct connection *c, const char *text, size_t length) { frame(c, 1, text, length); }

static void start(struct connection *c) {
    char request[4096];
    const char *token = token_of(c);
    int n = snprintf(request, sizeof request,
                     "GET %s HTTP/1.1\r\nHost: %s:%s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s%s%s%s%s%s\r\n",
                     options.path, options.host, port_at(c->index), options.subprotocol ? "Sec-WebSocket-Protocol: " : "",
                     options.subprotocol ? options.subprotocol : "", options.subprotocol ? "\r\n" : "",
                     token ? "Authorization: Bearer " : "", token ? token : "", token ? "\r\n" : "");
    output(c, request, (size_t)n);
}

static void greet(struct connection *c) {
    for (const char *line = options.hello; line && *line;) {
        const char *end = strchrnul(line, '\n');
        if (end > line)
            message(c, line, (size_t)(end - line));
        line = *end ? end + 1 : end;
    }
    c->state = GREETING;
    if (!options.ready)
        on_open(c);
}

static size_t upgraded(struct connection *c, char *data, size_t length) {
    char *end = memmem(data, length, "\r\n\r\n", 4);
    if (!end)
        return 0;
    if (length < 12 || memcmp(data, "HTTP/1.1 101", 12)) {
        *end = 0;
        fail(c, data);
        return length;
    }
    greet(c);
    return (size_t)(end + 4 - data);
}

static void control(struct connection *c, int opcode, const char *text, size_t length) {
    if (opcode == 9)
        frame(c, 10, text, length);
    else if (opcode == 8) {
        char why[160];
        unsigned code = length >= 2 ? ((unsigned char)text[0] << 8 | (unsigned char)text[1]) : 1005;
        snprintf(why, sizeof why, "close %u %.*s", code, length > 2 ? (int)length - 2 : 0, text + 2);
        fail(c, why);
    } else if (opcode != 10)
        fail(c, "a fragment or an unknown opcode");
}

static void text_arrived(struct connection *c, const char *text, size_t length) {
    if (options.answer && length == 1 && *text == options.answer[0]) /* socket.io: 2 is a ping, 3 the pong */
        message(c, options.answer + 1, 1);
    else if (c->state == OPEN)
        on_message(c, text, length);
    else if (memmem(text, length, options.ready, strlen(options.ready)))
        on_open(c);
}

static size_t parse(struct connection *c, char *data, size_t length) {
    char *at = data, *end = data + length;
    if (c->state == UPGRADING) {
        at += upgraded(c, data, length);
        if (c->state == UPGRADING || c->state == CLOSED)
            return 0;
    }
    while (end - at >= 2 && c->state != CLOSED) {
        const unsigned char *head = (unsigned char *)at;
        size_t size = head[1], start_of = 2;
        if (size == 126) {
            start_of = 4;
            size = end - at < 4 ? 0 : (size_t)head[2] << 8 | head[3];
        } else if (size == 127) {
            fail(c, "a frame over 64 KiB");
            break;
        }
        if ((size_t)(end - at) < start_of + size)
            break;
        if (head[0] == 0x81 || head[0] == 0x82)
            text_arrived(c, at + start_of, size);
        else
            control(c, head[0] & 0x8f ? head[0] & 15 : 0, at + start_of, size);
        at += start_of + size;
    }
    return (size_t)(at - data);
}

struct wire websocket_wire = {start, parse, message};
