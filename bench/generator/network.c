/* Sockets of the load generator: non-blocking connects, one shared read buffer, output collected per turn. */
#define _GNU_SOURCE
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "generator.h"

#define READ_SIZE (256 * 1024)
#define EVENTS 512
#define SPINS 2000 /* polls before it sleeps: about a millisecond */

uint64_t read_ns, bytes_read, read_calls;

static int epoll;
static struct connection **dirty;
static int dirty_count;
static char *read_buffer; /* shared by all connections, so that it stays in the cache */
static struct addrinfo **addresses; /* one for each port */

uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void watch(struct connection *c, int operation, bool writable) {
    struct epoll_event e = {.events = EPOLLIN | (writable ? EPOLLOUT : 0), .data.ptr = c};
    c->writable_wanted = writable;
    epoll_ctl(epoll, operation, c->fd, &e);
}

void network_start(struct connection *all, int count) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    addresses = calloc((size_t)port_count, sizeof *addresses);
    for (int i = 0; i < port_count; i++)
        if (getaddrinfo(options.host, port_at(i), &hints, &addresses[i])) {
            fprintf(stderr, "cannot resolve %s:%s\n", options.host, port_at(i));
            exit(1);
        }
    epoll = epoll_create1(0);
    dirty = calloc((size_t)count, sizeof *dirty);
    read_buffer = malloc(READ_SIZE * 2);
    for (int i = 0; i < count; i++)
        all[i].index = i;
}

void open_connection(struct connection *c) {
    int one = 1;
    const struct addrinfo *address = addresses[c->index % port_count];
    c->fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->state = CONNECTING;
    c->started = now_ns();
    if (connect(c->fd, address->ai_addr, address->ai_addrlen) && errno != EINPROGRESS)
        fail(c, strerror(errno));
    else
        watch(c, EPOLL_CTL_ADD, true);
}

/* Stops reading from a connection. */
void network_ignore(struct connection *c) { epoll_ctl(epoll, EPOLL_CTL_DEL, c->fd, NULL); }

/* Queues bytes until the next flush, so that one turn costs one write per connection. */
void output(struct connection *c, const void *data, size_t length) {
    if (c->out_end + length > c->out_capacity) {
        c->out_capacity = (c->out_end + length) * 2;
        c->out = realloc(c->out, c->out_capacity);
    }
    memcpy(c->out + c->out_end, data, length);
    c->out_end += length;
    if (!c->dirty) {
        c->dirty = true;
        dirty[dirty_count++] = c;
    }
}

void flush(struct connection *c) {
    if (c->state == CLOSED || c->state == CONNECTING)
        return;
    while (c->out_start < c->out_end) {
        ssize_t n = send(c->fd, c->out + c->out_start, c->out_end - c->out_start, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno != EAGAIN)
                fail(c, strerror(errno));
            break;
        }
        c->out_start += (size_t)n;
    }
    bool rest = c->out_start < c->out_end;
    if (!rest)
        c->out_start = c->out_end = 0;
    if (c->state != CLOSED && rest != c->writable_wanted)
        watch(c, EPOLL_CTL_MOD, rest);
}

void flush_dirty(void) {
    for (int i = 0; i < dirty_count; i++) {
        dirty[i]->dirty = false;
        flush(dirty[i]);
    }
    dirty_count = 0;
}

static void keep_rest(struct connection *c, const char *rest, size_t length) {
    if (length > c->held_capacity) {
        c->held_capacity = length * 2;
        c->held = realloc(c->held, c->held_capacity);
    }
    if (length)
        memcpy(c->held, rest, length);
    c->held_length = length;
}

static void readable(struct connection *c) {
    size_t held = c->held_length;
    if (held > READ_SIZE) {
        fail(c, "a frame over 256 KiB");
        return;
    }
    if (held)
        memcpy(read_buffer, c->held, held);
    ssize_t n = recv(c->fd, read_buffer + held, READ_SIZE, 0);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN)
            fail(c, n == 0 ? "closed by the server" : strerror(errno));
        return;
    }
    read_ns = now_ns();
    bytes_read += (uint64_t)n;
    read_calls++;
    size_t used = wire->parse(c, read_buffer, held + (size_t)n);
    if (c->state != CLOSED)
        keep_rest(c, read_buffer + used, held + (size_t)n - used);
}

static void writable(struct connection *c) {
    if (c->state == CONNECTING) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error) {
            fail(c, strerror(error));
            return;
        }
        c->state = UPGRADING;
        wire->start(c);
    }
    flush(c);
}

/* Handles what is ready, waiting for at most `nanoseconds`. */
void network_wait(int64_t nanoseconds) {
    struct epoll_event events[EVENTS];
    struct timespec t = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
    struct timespec at_once = {0, 0};
    int n = 0;
    // The server's write must wake a sleeping reader, which costs the slower server more. So the generator stays awake.
    for (int spin = 0; spin < SPINS && n == 0; spin++)
        n = epoll_pwait2(epoll, events, EVENTS, &at_once, NULL);
    if (n == 0)
        n = epoll_pwait2(epoll, events, EVENTS, &t, NULL);
    for (int i = 0; i < n; i++) {
        struct connection *c = events[i].data.ptr;
        if (c->state != CLOSED && events[i].events & EPOLLOUT)
            writable(c);
        if (c->state != CLOSED && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            readable(c);
    }
}
