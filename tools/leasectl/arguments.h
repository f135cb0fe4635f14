/*
 * arguments.h - reads and checks the command line of leasectl.
 *
 * Threads      The main thread, because getopt has global state.
 */
#ifndef LEASECTL_ARGUMENTS_H
#define LEASECTL_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"

enum command {
    COMMAND_HELP,
    COMMAND_PRODUCTS_LIST,
    COMMAND_PRODUCTS_SET,
    COMMAND_PRODUCTS_ADJUST,
    COMMAND_PRODUCTS_ADD,
    COMMAND_PRODUCTS_IMPORT,
    COMMAND_SHOW,
    COMMAND_RESERVATIONS_LIST,
    COMMAND_RESERVATIONS_CONFIRM,
    COMMAND_RESERVATIONS_RELEASE,
    COMMAND_LEASES_LIST,
    COMMAND_LEASES_BREAK,
    COMMAND_WATCH,
    COMMANDS
};

/* Texts are borrowed from argv. What the command does not take is 0, NULL or "". */
struct arguments {
    enum command command;
    bool changes_something; /* the command may change what storage holds */
    bool json;
    const char *name;                     /* PRODUCT, NAME or FILE */
    int64_t number;                       /* TOTAL, or the difference of adjust */
    char reservation_id[UUID_TEXT_BYTES]; /* in lower case */
    const char *customer_id;
    int64_t quantity;
    int64_t version; /* --if-version */
};

/*
 * Reads the command line. It reorders `argv`.
 *
 * STATUS_INVALID_ARGUMENT   it is not allowed; the message says why, and what is
 */
enum status arguments_parse(int argc, char **argv, struct arguments *out,
                            struct error *err) MUST_CHECK;

/* Returns the text of --help, which is static. */
const char *arguments_help(void);

#endif
