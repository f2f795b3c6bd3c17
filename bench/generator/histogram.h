/* A logarithmic histogram of nanoseconds: 32 steps per power of two, so an error of at most 3 %. */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>
#include <string.h>

#define HISTOGRAM_CELLS 2048

struct histogram {
    uint64_t count;
    uint64_t cells[HISTOGRAM_CELLS];
};

static inline void histogram_add(struct histogram *h, uint64_t value) {
    unsigned cell = (unsigned)value;
    if (value >= 32) {
        unsigned exponent = 63 - (unsigned)__builtin_clzll(value);
        cell = ((exponent - 4) << 5) + (unsigned)((value >> (exponent - 5)) & 31);
    }
    h->cells[cell]++;
    h->count++;
}

static inline uint64_t histogram_value(unsigned cell) {
    if (cell < 32)
        return cell;
    unsigned exponent = (cell >> 5) + 4;
    return (1ULL << exponent) + (((uint64_t)(cell & 31) * 2 + 1) << (exponent - 6 + (exponent < 6)));
}

/* Returns the value below which `share` of all values lie; 0 when empty. */
static inline uint64_t histogram_at(const struct histogram *h, double share) {
    uint64_t wanted = (uint64_t)(share * (double)h->count), passed = 0;
    for (unsigned cell = 0; cell < HISTOGRAM_CELLS; cell++) {
        passed += h->cells[cell];
        if (passed > wanted)
            return histogram_value(cell);
    }
    return 0;
}

#endif
