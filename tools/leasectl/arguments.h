/*
 * arguments.h - leasectl's command line, checked. Pure.
 *
 * Threads: the main one: getopt has a state of its own.
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
    const char *name; /* PRODUCT or NAME, borrowed from argv; NULL: the command takes none */
    int64_t total;    /* 0 to SEED_MAX_TOTAL */
};

/* STATUS_INVALID_ARGUMENT: the message says what is wrong and what is allowed. */
enum status arguments_parse(int argc, char **argv, struct arguments *out,
                            struct error *err) MUST_CHECK;

/* What --help prints; static. */
const char *arguments_help(void);

#endif
