/*
 * clean_text.h - removes secrets from text that came from outside.
 *
 * An error message from outside may repeat our own request: its address with a SAS, or its
 * Authorization header. Such messages end in logs and answers, so they are cleaned where they enter
 * the program.
 *
 * What is removed:
 *   - the text after "Authorization:", "SharedKey", "Bearer" and the like, "sig=" and "signature:";
 *   - the query of an address;
 *   - any piece without a space that is as long as a signature, a key or a token.
 */
#ifndef BASE_CLEAN_TEXT_H
#define BASE_CLEAN_TEXT_H

#include <stddef.h>

/*
 * Copies the first line of `text` to `out`, with "***" for each piece that is removed. The clean
 * line is cut to `size` bytes, its NUL included.
 */
void clean_text_copy(const char *text, size_t length, char *out, size_t size);

#endif
