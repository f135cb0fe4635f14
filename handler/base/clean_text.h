/*
 * clean_text.h - texts of others, made fit for messages and logs.
 *
 * An error message from outside may repeat our own request: its address with a SAS, its Authorization header. What it says
 * goes into logs and answers, so it is cleaned where it enters the program.
 *
 * Taken away   what follows "Authorization:", "SharedKey", "Bearer" and their like, "sig=" and "signature:";
 *              the queries of addresses; anything without a space that is as long as a signature, a key or a token
 */
#ifndef BASE_CLEAN_TEXT_H
#define BASE_CLEAN_TEXT_H

#include <stddef.h>

/* Copies the first line of `text`, cut to `size` once it is clean. Each thing taken away becomes "***". */
void clean_text_copy(const char *text, size_t length, char *out, size_t size);

#endif
