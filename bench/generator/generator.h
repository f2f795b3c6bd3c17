/* What the parts of the load generator share: connections, wires, the bookkeeping of one phase. */
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
    char *held; /* the start of a frame whose end has not arrived yet */
    size_t held_length, held_capacity;
    char *out; /* bytes the socket has not taken yet */
    size_t out_start, out_end, out_capacity;
    uint64_t seen, sum, order; /* of this phase: how many, which, and in what order */
    uint64_t started;          /* when connect() was called */
};

/* All connections; the stalled ones are those after the last reader. */
struct crowd {
    struct connection *all, **senders;
    int count, open, opening, failures, stalled;
    struct histogram *opened; /* where the time from connect() to the greeting goes, if anywhere */
};

/* How one kind of server is spoken to. */
struct wire {
    void (*start)(struct connection *c);                              /* the TCP connection stands */
    size_t (*parse)(struct connection *c, char *data, size_t length); /* returns the bytes consumed */
    void (*message)(struct connection *c, const char *text, size_t length);
};

struct options {
    const char *host, *port, *path, *subprotocol, *ready, *ack, *subject, *answer;
    const char *hello, *message; /* texts, or file:PATH; hello has one frame a line */
    const char *besides;         /* the same as hello: sent in turn, one before every fourth message */
    const char *tokens;          /* the same, one token a line; connection i takes line i modulo the count */
    int readers, senders;
    bool separate; /* senders are extra connections and do not count as readers */
    bool later;    /* nobody connects before a phase says so */
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

/* network.c */
void output(struct connection *c, const void *data, size_t length);
void flush(struct connection *c);
void flush_dirty(void);
void open_connection(struct connection *c);
void network_ignore(struct connection *c);
void network_start(struct connection *all, int count);
void network_wait(int64_t nanoseconds);
uint64_t now_ns(void);
extern uint64_t read_ns;               /* when the bytes in work were read */
extern uint64_t bytes_read, read_calls;

#endif
