/*
 * crypto_wipe.h - overwriting secrets in memory.
 *
 * It is apart from crypto.h because strbuf wipes its memory, and crypto.h uses strbuf.
 */
#ifndef BASE_CRYPTO_WIPE_H
#define BASE_CRYPTO_WIPE_H

#include <stddef.h>

/*
 * Overwrites memory in a way that the compiler may not drop. `data` may be NULL if `length` is 0.
 */
void crypto_wipe(void *data, size_t length);

#endif
