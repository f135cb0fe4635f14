/*
 * status_letters.h - a letter for each status, so that a test can write how many runs end as one
 * word.
 */
#ifndef SUPPORT_STATUS_LETTERS_H
#define SUPPORT_STATUS_LETTERS_H

#include "base/status.h"

/* Returns NUL for a status that has no letter. */
static inline char status_letter(enum status status) {
    static const char letters[STATUS_INTERNAL + 1] = {[STATUS_OK] = '.',
                                                      [STATUS_UNAVAILABLE] = 'U',
                                                      [STATUS_NO_MEMORY] = 'N',
                                                      [STATUS_CANCELLED] = 'C',
                                                      [STATUS_UNAUTHORIZED] = 'F',
                                                      [STATUS_NOT_FOUND] = 'R',
                                                      [STATUS_CONTAINER_NOT_FOUND] = 'T',
                                                      [STATUS_PRECONDITION_FAILED] = 'P',
                                                      [STATUS_MALFORMED] = 'M',
                                                      [STATUS_ALREADY_EXISTS] = 'A'};
    return letters[status];
}

#endif
