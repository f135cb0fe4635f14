#include "base/random.h"

#include "base/crypto.h"

static enum status fill_from_system(const struct random_source *self, void *out, size_t length) {
    (void)self;
    return crypto_random(out, length);
}

const struct random_source *random_system(void) {
    static const struct random_source system = {.fill = fill_from_system};
    return &system;
}

double random_fraction(const struct random_source *random) {
    uint32_t bits;
    return random_fill(random, &bits, sizeof bits) == STATUS_OK ? (double)bits / UINT32_MAX : 1;
}
