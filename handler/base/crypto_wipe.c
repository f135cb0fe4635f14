#include "base/crypto_wipe.h"

#include <string.h>

void crypto_wipe(void *data, size_t length) {
    if (length > 0) {
        explicit_bzero(data, length); /* a quarter of the time of OPENSSL_cleanse */
    }
}
