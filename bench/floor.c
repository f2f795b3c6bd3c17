/*
 * The lower bound of the cost: a WebSocket server that sends each text message to all connections, and nothing else.
 *
 * One thread, one epoll loop, one write() per delivery; with --batch one write() per connection and turn.
 * It keeps no order, no accounts and no messages, and waits for slow readers: its cost is the cost of the kernel.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST 65536
#define READ_SIZE 65536

struct connection {
    int fd;
    int open; /* the upgrade is answered */
    size_t length;
    unsigned char data[READ_SIZE];
};

static struct connection *connections[MOST];
static int count, epoll, batch;
static unsigned char *pending; /* server frames of this turn, for --batch */
static size_t pending_length, pending_capacity;

/* ---- SHA-1 and base64, only for Sec-WebSocket-Accept (RFC 6455, 4.2.2) ---- */

static uint32_t rotate(uint32_t x, int n) { return x << n | x >> (32 - n); }

static void sha1_block(uint32_t h[5], const unsigned char *p) {
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 80; i++)
        w[i] = i < 16 ? (uint32_t)p[i * 4] << 24 | (uint32_t)p[i * 4 + 1] << 16 | (uint32_t)p[i * 4 + 2] << 8 | p[i * 4 + 3]
                      : rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20 ? (b & c) | (~b & d) : i < 40 ? b ^ c ^ d : i < 60 ? (b & c) | (b & d) | (c & d) : b ^ c ^ d;
        uint32_t k = i < 20 ? 0x5A827999 : i < 40 ? 0x6ED9EBA1 : i < 60 ? 0x8F1BBCDC : 0xCA62C1D6;
        uint32_t t = rotate(a, 5) + f + e + k + w[i];
        e = d, d = c, c = rotate(b, 30), b = a, a = t;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

/* Returns the accept value for a key: 24 characters of the key and the GUID are 60 bytes, so two SHA-1 blocks. */
static void accept_of(const char *key, char out[29]) {
    unsigned char m[128] = {0};
    uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    memcpy(m, key, 24);
    memcpy(m + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
    m[60] = 0x80, m[126] = 480 >> 8, m[127] = 480 & 255;
    sha1_block(h, m);
    sha1_block(h, m + 64);
    unsigned char digest[21] = {0};
    for (int i = 0; i < 20; i++)
        digest[i] = (unsigned char)(h[i / 4] >> (24 - i % 4 * 8));
    const char *letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int i = 0; i < 7; i++) {
        uint32_t v = (uint32_t)digest[i * 3] << 16 | (uint32_t)digest[i * 3 + 1] << 8 | digest[i * 3 + 2];
        for (int j = 0; j < 4; j++)
            out[i * 4 + j] = letters[v >> (18 - 6 * j) & 63];
    }
    out[27] = '=', out[28] = 0;
}

/* ---- connections ---- */

static void drop(struct connection *c) {
    for (int i = 0; i < count; i++)
        if (connections[i] == c)
            connections[i] = connections[--count];
    close(c->fd);
    free(c);
}

static void write_all(int fd, const unsigned char *data, size_t length) {
    while (length) {
        ssize_t n = write(fd, data, length);
        if (n < 0 && errno == EAGAIN) {
            struct pollfd p = {.fd = fd, .events = POLLOUT};
            poll(&p, 1, 1000);
        } else if (n < 0) {
            return; /* the reader has gone: its next read fails */
        } else {
            data += n, length -= (size_t)n;
        }
    }
}

static void write_to_all(const unsigned char *data, size_t length) {
    for (int i = 0; i < count; i++)
        if (connections[i]->open)
            write_all(connections[i]->fd, data, length);
}

static void broadcast(const unsigned char *text, size_t length) {
    unsigned char frame[READ_SIZE + 4] = {0x81};
    size_t head = length < 126 ? 2 : 4;
    frame[1] = length < 126 ? (unsigned char)length : 126;
    if (head == 4)
        frame[2] = (unsigned char)(length >> 8), frame[3] = (unsigned char)length;
    memcpy(frame + head, text, length);
    if (!batch) {
        write_to_all(frame, head + length);
        return;
    }
    if (pending_length + head + length > pending_capacity)
        pending = realloc(pending, pending_capacity = (pending_length + head + length) * 2);
    memcpy(pending + pending_length, frame, head + length);
    pending_length += head + length;
}

static size_t upgrade(struct connection *c) {
    char *end = memmem(c->data, c->length, "\r\n\r\n", 4), accept[29], answer[256];
    if (!end)
        return 0;
    char *key = memmem(c->data, c->length, "Sec-WebSocket-Key: ", 19);
    accept_of(key ? key + 19 : "AAAAAAAAAAAAAAAAAAAAAAAA", accept);
    int n = snprintf(answer, sizeof answer,
                     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                     accept);
    write_all(c->fd, (unsigned char *)answer, (size_t)n);
    c->open = 1;
    return (size_t)(end + 4 - (char *)c->data);
}

/* Handles the first frame and returns its bytes, 0 while it is incomplete. Text is sent to all, the rest is ignored. */
static size_t take_frame(unsigned char *p, size_t available) {
    if (available < 6)
        return 0;
    size_t length = p[1] & 127, head = 2;
    if (length == 126)
        length = (size_t)p[2] << 8 | p[3], head = 4;
    if (available < head + 4 + length)
        return 0;
    unsigned char *mask = p + head, *text = mask + 4;
    for (size_t i = 0; i < length; i++)
        text[i] ^= mask[i & 3];
    if ((p[0] & 15) == 1)
        broadcast(text, length);
    return head + 4 + length;
}

static void serve(struct connection *c) {
    ssize_t n = read(c->fd, c->data + c->length, READ_SIZE - c->length);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN)
            drop(c);
        return;
    }
    c->length += (size_t)n;
    size_t used = c->open ? 0 : upgrade(c);
    for (size_t size; c->open && (size = take_frame(c->data + used, c->length - used)); used += size)
        ;
    memmove(c->data, c->data + used, c->length -= used);
}

static void accept_one(int listener) {
    int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0 || count == MOST)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct connection *c = connections[count++] = calloc(1, sizeof *c);
    c->fd = fd;
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: floor PORT [--batch]\n");
        return 2;
    }
    batch = argc > 2 && !strcmp(argv[2], "--batch");
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) {
        perror("listen");
        return 1;
    }
    epoll = epoll_create1(0);
    struct epoll_event listening = {.events = EPOLLIN}, events[256];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &listening);
    for (;;) {
        int n = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < n; i++)
            events[i].data.ptr ? serve(events[i].data.ptr) : accept_one(listener);
        if (pending_length)
            write_to_all(pending, pending_length);
        pending_length = 0;
    }
}
