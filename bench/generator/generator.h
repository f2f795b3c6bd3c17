/* Declarations shared by the parts of the load generator. */
#ifndef GENERATOR_H
#define GENERATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "histogram.h"

enum state { CONNECTING, UPGRADING, GREETING, OPEN, CLOSED };

struct connection {
    int fd;
    int index;
    enum state state;
    bool reader, sender, writable_wanted, dirty;
    char *held; /* the start of an incomplete frame */
    size_t held_length, held_capacity;
    char *out; /* bytes the socket has not accepted yet */
    size_t out_start, out_end, out_capacity;
    uint64_t seen, sum, order; /* of this phase: the number of messages, their checksum, their order */
    uint64_t started;          /* when connect() was called */
};

/* All connections; the stalled ones follow the last reader. */
struct crowd {
    struct connection *all, **senders;
    int count, open, opening, failures, stalled;
    struct histogram *opened; /* records the time from connect() to the greeting; may be NULL */
};

/* The protocol of one kind of server. */
struct wire {
    void (*start)(struct connection *c);                              /* called when the TCP connection is open */
    size_t (*parse)(struct connection *c, char *data, size_t length); /* returns the bytes consumed */
    void (*message)(struct connection *c, const char *text, size_t length);
};

struct options {
    const char *host, *port, *path, *subprotocol, *ready, *ack, *subject, *answer;
    const char *hello, *message; /* texts, or file:PATH; hello has one frame per line */
    const char *besides;         /* like hello: one line is sent before every fourth message, in turn */
    const char *tokens;          /* like hello, one token per line; connection i uses line i modulo the count */
    int readers, senders;
    bool separate; /* senders are extra connections and do not count as readers */
    bool later;    /* connect only when a phase requests it */
    bool silent;   /* connections stay idle: no probe */
};

extern struct options options;
extern const struct wire *wire;
extern struct wire websocket_wire, nats_wire, mqtt_wire;
extern struct crowd crowd;

/* called by the wires: generator.c and crowd.c */
void on_message(struct connection *c, const char *text, size_t length);
void on_open(struct connection *c);
void fail(struct connection *c, const char *why);

/* crowd.c */
void crowd_make(void);
bool crowd_connect(int at_once);
void crowd_leave(void);
void crowd_stall(int count);
void crowd_report_stalled(void);

/* options.c */
void parse_options(int argc, char **argv);
char *text_of(const char *argument);
const char *token_of(const struct connection *c);
const char *port_at(int index); /* connection i uses port i modulo the count */
extern int port_count;

/* network.c */
void output(struct connection *c, const void *data, size_t length);
void flush(struct connection *c);
void flush_dirty(void);
void open_connection(struct connection *c);
void network_ignore(struct connection *c);
void network_start(struct connection *all, int count);
void network_wait(int64_t nanoseconds);
uint64_t now_ns(void);
extern uint64_t read_ns;               /* when the current bytes were read */
extern uint64_t bytes_read, read_calls;

#endif
