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

enum command {
    COMMAND_HELP,
    COMMAND_PRODUCTS_LIST,
    COMMAND_PRODUCTS_SET,
    COMMAND_PRODUCTS_ADD,
    COMMAND_SHOW,
    COMMAND_LEASES_LIST,
    COMMAND_LEASES_BREAK,
    COMMAND_WATCH,
    COMMANDS
};

struct arguments {
    enum command command;
    bool json;
    const char *name; /* PRODUCT or NAME, borrowed from argv; NULL if the command takes none */
    int64_t total;    /* TOTAL: 0 to SEED_MAX_TOTAL */
};

/*
 * Reads the command line. getopt may reorder `argv`.
 *
 * STATUS_INVALID_ARGUMENT   it is not allowed; the message says why, and what is
 */
enum status arguments_parse(int argc, char **argv, struct arguments *out,
                            struct error *err) MUST_CHECK;

/* Returns the text of --help, which is static. */
const char *arguments_help(void);

#endif
