/* The connections of the load generator: opening, stalling and closing them. */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "generator.h"

#define PATIENCE 60000000000u /* ns for all connections together */

struct crowd crowd;

void fail(struct connection *c, const char *why) {
    if (c->state == CLOSED)
        return;
    if (crowd.failures++ < 5)
        fprintf(stderr, "connection %d: %.300s\n", c->index, why);
    if (c->state == OPEN)
        crowd.open--;
    else
        crowd.opening--;
    c->state = CLOSED;
    close(c->fd);
}

void on_open(struct connection *c) {
    c->state = OPEN;
    crowd.opening--;
    crowd.open++;
    if (crowd.opened)
        histogram_add(crowd.opened, read_ns - c->started);
}

void crowd_make(void) {
    crowd.count = options.readers + (options.separate ? options.senders : 0);
    crowd.all = calloc((size_t)crowd.count, sizeof *crowd.all);
    crowd.senders = calloc((size_t)options.senders, sizeof *crowd.senders);
    network_start(crowd.all, crowd.count);
    for (int i = 0; i < crowd.count; i++)
        crowd.all[i].reader = i < options.readers;
    for (int i = 0; i < options.senders; i++) {
        crowd.senders[i] = &crowd.all[options.separate ? options.readers + i : i];
        crowd.senders[i]->sender = true;
    }
}

/* Opens all connections, at most `at_once` at a time; returns false if one fails or time runs out. */
bool crowd_connect(int at_once) {
    uint64_t deadline = now_ns() + PATIENCE;
    for (int started = 0; crowd.open < crowd.count; flush_dirty(), network_wait(100000000)) {
        while (started < crowd.count && crowd.opening < at_once) {
            crowd.opening++;
            open_connection(&crowd.all[started++]);
        }
        if (crowd.failures || now_ns() > deadline) {
            fprintf(stderr, "%d of %d connections are open\n", crowd.open, crowd.count);
            return false;
        }
    }
    return true;
}

void crowd_leave(void) {
    for (int i = 0; i < crowd.count; i++) {
        close(crowd.all[i].fd);
        crowd.all[i].held_length = crowd.all[i].out_start = crowd.all[i].out_end = 0;
    }
    crowd.open = 0;
}

/* Stops reading from the last `count` readers and no longer expects them to receive anything. */
void crowd_stall(int count) {
    for (int i = options.readers - count; i < options.readers; i++) {
        network_ignore(&crowd.all[i]);
        crowd.all[i].reader = false;
    }
    options.readers -= count;
    crowd.stalled = count;
}

/* Prints the state of the stalled connections, which the kernel knows without a read. */
void crowd_report_stalled(void) {
    int reset = 0, ended = 0;
    for (int i = 0; i < crowd.stalled; i++) {
        struct tcp_info info = {0};
        socklen_t size = sizeof info;
        getsockopt(crowd.all[options.readers + i].fd, IPPROTO_TCP, TCP_INFO, &info, &size);
        reset += info.tcpi_state == TCP_CLOSE;
        ended += info.tcpi_state == TCP_CLOSE_WAIT;
    }
    printf("{\"stalled\":%d,\"open\":%d,\"ended\":%d,\"reset\":%d}\n", crowd.stalled, crowd.stalled - reset - ended, ended, reset);
}
