/* The command line of the load generator. */
#define _GNU_SOURCE
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generator.h"

struct options options = {.host = "127.0.0.1", .path = "/", .subject = "bench", .readers = 1, .senders = 1};
const struct wire *wire = &websocket_wire;

static char **tokens, **ports;
static int token_count;
int port_count;

const char *token_of(const struct connection *c) { return token_count ? tokens[c->index % token_count] : NULL; }
const char *port_at(int index) { return ports[index % port_count]; }

/* Returns the argument itself, or the contents of the file it names. */
char *text_of(const char *argument) {
    if (!argument || strncmp(argument, "file:", 5))
        return argument ? strdup(argument) : NULL;
    FILE *f = fopen(argument + 5, "r");
    char *text = NULL;
    size_t capacity = 0;
    if (!f || getdelim(&text, &capacity, 0, f) < 0) {
        perror(argument + 5);
        exit(1);
    }
    fclose(f);
    return text;
}

static char **split(char *text, const char *separator, int *count) {
    char **parts = NULL;
    for (char *part = text ? strtok(text, separator) : NULL; part; part = strtok(NULL, separator)) {
        parts = realloc(parts, sizeof *parts * (size_t)(*count + 1));
        parts[(*count)++] = part;
    }
    return parts;
}

void parse_options(int argc, char **argv) {
    enum { HOST = 1, PORT, PATH, SUBPROTOCOL, READY, ACK, SUBJECT, ANSWER, HELLO, MESSAGE, BESIDES, TOKENS, READERS, SENDERS, SEPARATE, LATER, SILENT, NATS, MQTT };
    static const struct option names[] = {
        {"host", 1, 0, HOST}, {"port", 1, 0, PORT}, {"path", 1, 0, PATH}, {"subprotocol", 1, 0, SUBPROTOCOL},
        {"ready", 1, 0, READY}, {"ack", 1, 0, ACK}, {"subject", 1, 0, SUBJECT}, {"answer", 1, 0, ANSWER},
        {"hello", 1, 0, HELLO}, {"message", 1, 0, MESSAGE}, {"besides", 1, 0, BESIDES},
        {"tokens", 1, 0, TOKENS}, {"readers", 1, 0, READERS}, {"senders", 1, 0, SENDERS}, {"separate", 0, 0, SEPARATE}, {"later", 0, 0, LATER}, {"silent", 0, 0, SILENT},
        {"nats", 0, 0, NATS}, {"mqtt", 0, 0, MQTT}, {0}};
    const char **texts[] = {0, &options.host, &options.port, &options.path, &options.subprotocol, &options.ready, &options.ack,
                            &options.subject, &options.answer, &options.hello, &options.message, &options.besides, &options.tokens};
    for (int o; (o = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (o >= HOST && o <= TOKENS)
            *texts[o] = optarg;
        else if (o == READERS)
            options.readers = atoi(optarg);
        else if (o == SENDERS)
            options.senders = atoi(optarg);
        else if (o == SEPARATE)
            options.separate = true;
        else if (o == LATER)
            options.later = true;
        else if (o == SILENT)
            options.silent = true;
        else if (o == NATS)
            wire = &nats_wire;
        else if (o == MQTT)
            wire = &mqtt_wire;
        else
            exit(2);
    }
    if (!options.port || options.readers < 1 || options.senders < 1 || (!options.separate && options.senders > options.readers)) {
        fprintf(stderr, "usage: generator --port P[,P...] --readers R --senders S [--separate] [--message TEXT|@FILE] ...\n");
        exit(2);
    }
    tokens = split(text_of(options.tokens), "\n", &token_count);
    ports = split(strdup(options.port), ",", &port_count);
}
