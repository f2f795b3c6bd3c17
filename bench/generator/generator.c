/*
 * Load generator for servers that fan a message out to many readers: one thread, one epoll loop.
 *
 * It opens all connections, sends probes until one has reached every reader, prints {"ready":...}, and then
 * runs one phase for each line of its standard input, printing one JSON line for each:
 *
 *     closed WINDOW MESSAGES SECONDS    WINDOW messages in flight, until MESSAGES (0: any number) or SECONDS
 *     open   RATE   SECONDS             RATE messages per second, each timed from the moment it was due
 *     connect AT_ONCE                   all connect, AT_ONCE at a time, are greeted, and disconnect (with --later)
 *     stall COUNT                       the last COUNT readers stop reading and are no longer counted
 *     stalled                           print the state of those
 *
 * Every $SEQ in the message is replaced by eight digits; readers recognise a message by @$SEQ@ in what they receive.
 * A message is complete when every reader has it and, with --ack, its sender has the acknowledgement.
 * With --besides, one of its lines is sent before every fourth message, $HEAD replaced by the position of the newest
 * message received; the answers begin like --ack except for the last character, and must contain "ok".
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "generator.h"

#define RING (1u << 17)   /* the maximum number of messages in flight */
#define CONNECTING_AT_ONCE 64
#define PATIENCE 10000000000LL /* ns without progress after which a phase gives up */

struct slot {
    uint64_t sent;
    uint32_t remaining;
};

static struct {
    struct histogram delivery, ack;
    uint64_t first, next; /* the sequence numbers of this phase */
    uint64_t completed, deliveries, acks, refused, duplicates, strays, others, besides;
    uint64_t last_progress;
} phase;

static struct slot ring[RING];
static char *message;
static size_t message_length, offsets[16];
static int offset_count;
static size_t ack_length;
static unsigned long long head; /* the position of the newest message that has arrived, as its text says */

/* ---- called by the wires ---- */

/* Three multiplications instead of eight: this runs once per delivery. */
static uint64_t eight_digits(const char *p) {
    uint64_t v;
    memcpy(&v, p, 8);
    v = (v & 0x0F0F0F0F0F0F0F0Fu) * 2561 >> 8;
    v = (v & 0x00FF00FF00FF00FFu) * 6553601 >> 16;
    return (v & 0x0000FFFF0000FFFFu) * 42949672960001u >> 32;
}

/* Returns the slot of a message in flight; NULL for earlier probes and for messages that were not sent. */
static struct slot *slot_of(uint64_t seq) {
    if (seq >= phase.first && seq < phase.next && phase.next - seq <= RING)
        return &ring[seq % RING];
    phase.strays += seq >= phase.next;
    return NULL;
}

static void progress(struct slot *slot) {
    if (slot->remaining == 0)
        phase.duplicates++;
    else if (--slot->remaining == 0) {
        phase.completed++;
        phase.last_progress = read_ns;
    }
}

static void refused(const char *text, size_t length) {
    if (phase.refused++ < 3)
        fprintf(stderr, "refused: %.*s\n", (int)(length < 300 ? length : 300), text);
}

static void acknowledged(const char *text, size_t length) {
    struct slot *slot = slot_of(eight_digits(text + ack_length));
    if (!memmem(text, length, "\"ok\"", 4)) {
        refused(text, length);
    } else if (slot) {
        phase.acks++;
        histogram_add(&phase.ack, read_ns - slot->sent);
    }
    if (slot)
        progress(slot);
}

/* Returns where @12345678@ is in the text, NULL if nowhere; the last position is tried first. */
static const char *stamp(const char *text, size_t length) {
    static size_t hint;
    if (hint + 10 <= length && text[hint] == '@' && text[hint + 9] == '@')
        return text + hint + 1;
    const char *at = text, *end = text + length;
    while ((at = memchr(at, '@', (size_t)(end - at)))) {
        if (end - at < 10)
            return NULL;
        if (at[9] == '@') {
            hint = (size_t)(at - text);
            return at + 1;
        }
        at++;
    }
    return NULL;
}

/* Records the seq of {"topic":"room:1","seq":12345,... */
static void note_head(const char *text, size_t length) {
    const char *at = memmem(text, length < 64 ? length : 64, "\"seq\":", 6);
    unsigned long long seq = at ? strtoull(at + 6, NULL, 10) : 0;
    head = seq > head ? seq : head;
}

static void answered_besides(const char *text, size_t length) {
    phase.besides++;
    if (!memmem(text, length, "\"ok\"", 4))
        refused(text, length);
}

void on_message(struct connection *c, const char *text, size_t length) {
    if (c->sender && ack_length && length > ack_length + 8 && !memcmp(text, options.ack, ack_length)) {
        acknowledged(text, length);
        return;
    }
    if (c->sender && options.besides && !memcmp(text, options.ack, ack_length - 1)) {
        answered_besides(text, length);
        return;
    }
    const char *digits = c->reader ? stamp(text, length) : NULL;
    if (digits && c->sender && options.besides)
        note_head(text, length);
    if (!digits) {
        phase.others++;
        return;
    }
    uint64_t seq = eight_digits(digits);
    struct slot *slot = slot_of(seq);
    if (!slot)
        return;
    histogram_add(&phase.delivery, read_ns - slot->sent);
    phase.deliveries++;
    c->seen++;
    c->sum += seq * seq;
    c->order = c->order * 31 + seq;
    progress(slot);
}

/* ---- sending ---- */

#define HEAD "$HEAD"

/* Sends the next line of --besides with the position filled in; nothing until a message was received. */
static void send_besides(struct connection *c) {
    static const char *line;
    char text[4096];
    if (!head || c->state != OPEN)
        return;
    line = line && *line ? line : options.besides;
    const char *end = strchrnul(line, '\n'), *marker = memmem(line, (size_t)(end - line), HEAD, strlen(HEAD));
    int before = (int)((marker ? marker : end) - line), after = marker ? (int)(end - marker - (int)strlen(HEAD)) : 0;
    int length = marker ? snprintf(text, sizeof text, "%.*s%llu%.*s", before, line, head, after, marker + strlen(HEAD))
                       : snprintf(text, sizeof text, "%.*s", before, line);
    wire->message(c, text, (size_t)length);
    line = *end ? end + 1 : end;
}

static void send_message(uint64_t when) {
    uint64_t seq = phase.next++;
    char digits[9];
    snprintf(digits, sizeof digits, "%08llu", (unsigned long long)seq);
    for (int i = 0; i < offset_count; i++)
        memcpy(message + offsets[i], digits, 8);
    ring[seq % RING] = (struct slot){when, (uint32_t)options.readers + (ack_length > 0)};
    struct connection *c = crowd.senders[seq % (uint64_t)options.senders];
    if (options.besides && seq % 4 == 0)
        send_besides(c);
    if (c->state == OPEN)
        wire->message(c, message, message_length);
}

static void begin(void) {
    uint64_t next = phase.next;
    memset(&phase, 0, sizeof phase);
    phase.first = phase.next = next;
    phase.last_progress = now_ns();
    bytes_read = read_calls = 0;
    for (int i = 0; i < crowd.count; i++)
        crowd.all[i].seen = crowd.all[i].sum = crowd.all[i].order = 0;
}

static uint64_t in_flight(void) { return phase.next - phase.first - phase.completed; }

static bool stuck(void) { return crowd.failures || (int64_t)(now_ns() - phase.last_progress) > PATIENCE; }

static void run_closed(uint64_t window, uint64_t messages, double seconds) {
    uint64_t end = now_ns() + (uint64_t)(seconds * 1e9);
    bool sending = true;
    while ((sending || in_flight()) && !stuck()) {
        while (sending && in_flight() < window) {
            send_message(now_ns());
            sending = (!messages || phase.next - phase.first < messages) && now_ns() < end;
        }
        flush_dirty();
        network_wait(100000000);
        sending = sending && now_ns() < end;
    }
}

static void run_open(double rate, double seconds) {
    uint64_t start = now_ns(), sent = 0, total = (uint64_t)(rate * seconds);
    while ((sent < total || in_flight()) && !stuck()) {
        uint64_t now = now_ns(), due = start + (uint64_t)((double)sent / rate * 1e9);
        while (sent < total && due <= now && in_flight() < RING - 1) {
            send_message(due);
            due = start + (uint64_t)((double)++sent / rate * 1e9);
        }
        flush_dirty();
        int64_t wait = sent < total ? (int64_t)(due - now_ns()) : 100000000;
        network_wait(wait < 0 ? 0 : wait);
    }
}

/* ---- reporting ---- */

static double cpu_seconds(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void percentiles(const char *name, const struct histogram *h) {
    printf(",\"%s_us\":{\"p50\":%.1f,\"p99\":%.1f,\"p999\":%.1f}", name, (double)histogram_at(h, 0.5) / 1e3,
           (double)histogram_at(h, 0.99) / 1e3, (double)histogram_at(h, 0.999) / 1e3);
}

/* Returns the number of readers that did not get each message of the phase exactly once. */
static int wrong_readers(bool *same_order) {
    uint64_t sum = 0, count = phase.next - phase.first;
    int wrong = 0;
    const struct connection *first = NULL;
    *same_order = true;
    for (uint64_t seq = phase.first; seq < phase.next; seq++)
        sum += seq * seq;
    for (int i = 0; i < crowd.count; i++) {
        const struct connection *c = &crowd.all[i];
        if (!c->reader)
            continue;
        first = first ? first : c;
        wrong += c->seen != count || c->sum != sum;
        *same_order = *same_order && c->order == first->order;
    }
    return wrong;
}

static void report(uint64_t start, double cpu) {
    double seconds = (double)(phase.last_progress - start) / 1e9;
    bool same_order;
    int wrong = wrong_readers(&same_order);
    uint64_t sent = phase.next - phase.first;
    printf("{\"messages\":%llu,\"deliveries\":%llu,\"seconds\":%.3f,\"messages_per_s\":%.1f,\"deliveries_per_s\":%.1f",
           (unsigned long long)sent, (unsigned long long)phase.deliveries, seconds, (double)phase.completed / seconds,
           (double)phase.deliveries / seconds);
    percentiles("delivery", &phase.delivery);
    percentiles("ack", &phase.ack);
    printf(",\"bytes\":%llu,\"reads\":%llu,\"bytes_per_delivery\":%.1f,\"deliveries_per_read\":%.2f",
           (unsigned long long)bytes_read, (unsigned long long)read_calls,
           (double)bytes_read / (double)(phase.deliveries ? phase.deliveries : 1),
           (double)phase.deliveries / (double)(read_calls ? read_calls : 1));
    printf(",\"incomplete\":%llu,\"wrong_readers\":%d,\"duplicates\":%llu,\"strays\":%llu,\"others\":%llu,\"acks\":%llu,"
           "\"besides\":%llu,\"refused\":%llu,\"failures\":%d,\"same_order\":%s,\"generator_busy\":%.2f}\n",
           (unsigned long long)in_flight(), wrong, (unsigned long long)phase.duplicates, (unsigned long long)phase.strays,
           (unsigned long long)phase.others, (unsigned long long)phase.acks,
           (unsigned long long)phase.besides, (unsigned long long)phase.refused, crowd.failures,
           same_order ? "true" : "false", (cpu_seconds() - cpu) / seconds);
    fflush(stdout);
}

/* Opens and closes all connections. A connection that fails ends the generator, not only the phase. */
static void run_connect(int at_once) {
    struct histogram opened = {0};
    double cpu = cpu_seconds();
    uint64_t start = now_ns();
    crowd.opened = &opened;
    if (!crowd_connect(at_once))
        exit(1);
    double seconds = (double)(now_ns() - start) / 1e9;
    crowd.opened = NULL;
    printf("{\"connections\":%d,\"seconds\":%.3f,\"connections_per_s\":%.1f", crowd.open, seconds, crowd.open / seconds);
    percentiles("greeting", &opened);
    printf(",\"generator_busy\":%.2f}\n", (cpu_seconds() - cpu) / seconds);
    crowd_leave();
}

static bool run_with_connections(const char *line) {
    int count = 0;
    if (sscanf(line, "connect %d", &count) == 1)
        run_connect(count);
    else if (sscanf(line, "stall %d", &count) == 1)
        crowd_stall(count);
    if (count == 0 && strncmp(line, "stalled", 7))
        return false;
    if (!strncmp(line, "stall", 5))
        crowd_report_stalled();
    fflush(stdout);
    return true;
}

static void run_phase(const char *line) {
    double a = 0, b = 0, c = 0;
    if (run_with_connections(line))
        return;
    begin();
    uint64_t start = now_ns();
    double cpu = cpu_seconds();
    if (sscanf(line, "closed %lf %lf %lf", &a, &b, &c) == 3)
        run_closed((uint64_t)a, (uint64_t)b, c);
    else if (sscanf(line, "open %lf %lf", &a, &b) == 2)
        run_open(a, b);
    else {
        fprintf(stderr, "unknown phase: %s", line);
        exit(2);
    }
    report(start, cpu);
}

/* ---- start ---- */

static void load_message(void) {
    message = text_of(options.message ? options.message : "@$SEQ@");
    for (char *at = message; (at = strstr(at, "$SEQ")) && offset_count < 16; at += 8) {
        size_t offset = (size_t)(at - message), rest = strlen(at + 4) + 1;
        message = realloc(message, offset + 8 + rest);
        at = message + offset;
        memmove(at + 8, at + 4, rest);
        offsets[offset_count++] = offset;
    }
    message_length = strlen(message);
}

/* A server may answer the upgrade before it has the reader in its list: send until a message reaches all. */
static void probe(void) {
    uint64_t deadline = now_ns() + 20000000000u;
    do {
        begin();
        send_message(now_ns());
        for (uint64_t end = now_ns() + 500000000u; in_flight() && now_ns() < end; network_wait(10000000))
            flush_dirty();
        if (crowd.failures || now_ns() > deadline) {
            fprintf(stderr, "no message reaches all: %llu deliveries, %llu acknowledged, %llu other frames\n",
                    (unsigned long long)phase.deliveries, (unsigned long long)phase.acks, (unsigned long long)phase.others);
            exit(1);
        }
    } while (in_flight());
}

int main(int argc, char **argv) {
    char *line = NULL;
    size_t capacity = 0;
    parse_options(argc, argv);
    load_message();
    options.hello = text_of(options.hello);
    options.besides = text_of(options.besides);
    ack_length = options.ack ? strlen(options.ack) : 0;
    crowd_make();
    if (!options.later && !crowd_connect(CONNECTING_AT_ONCE))
        return 1;
    if (!options.later && !options.silent)
        probe();
    printf("{\"ready\":%d}\n", crowd.open);
    fflush(stdout);
    while (getline(&line, &capacity, stdin) > 0)
        run_phase(line);
    return crowd.failures > 0;
}
