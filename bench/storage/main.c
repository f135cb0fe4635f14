/*
 * fake storage - Azure Storage as far as the handlers of the benchmark use it, fast and in memory.
 *
 *     fake [DELAY_US]     answers each request that much later; its ports stand in the line that it writes to stdout
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "blobs.h"
#include "http.h"
#include "tables.h"

int main(int argc, char **argv) {
    char *end = NULL;
    long delay_us = argc > 1 ? strtol(argv[1], &end, 10) : 0;
    if (argc > 2 || (end != NULL && *end != '\0') || delay_us < 0) {
        fputs("usage: fake [DELAY_US]\n", stderr);
        return 64;
    }
    signal(SIGPIPE, SIG_IGN);
    http_serve(blobs_serve, tables_serve, delay_us);
}
