/*
 * secret_search.h - looks for secrets in what a program has said.
 *
 * Rules        A piece of 24 characters of a secret counts as the secret; so does the whole of a
 *              shorter one; and either of them percent-encoded. Secrets have at least 8 characters:
 *              less is found by chance.
 */
#ifndef SUPPORT_SECRET_SEARCH_H
#define SUPPORT_SECRET_SEARCH_H

#include <stddef.h>

enum { MAX_SECRETS = 512 };

/* Zeroed at first. */
struct secret_search {
    struct {
        char *name;
        char *value;
    } secrets[MAX_SECRETS];
    size_t count;
};

/*
 * `name` is what secret_search_find answers: "the account key". Both are copied; an empty value
 * adds nothing.
 */
void secret_search_add(struct secret_search *search, const char *name, const char *value);

/* The secret's name, if `text` holds one; NULL if not. Borrowed. */
const char *secret_search_find(const struct secret_search *search, const char *text, size_t length);

void secret_search_cleanup(struct secret_search *search);

#endif
