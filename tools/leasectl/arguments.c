#include "leasectl/arguments.h"

#include <getopt.h>
#include <stddef.h>
#include <string.h>

#include "inventory/inventory.h"
#include "settings/setting.h"
#include "settings/setting_rules.h"

enum operands { TAKES_NOTHING, TAKES_LEASE, TAKES_PRODUCT, TAKES_PRODUCT_AND_TOTAL };

static const struct {
    const char *words[2]; /* the second is NULL if there is only one */
    enum operands operands;
} commands[COMMANDS] = {
    [COMMAND_HELP] = {{"help", NULL}, TAKES_NOTHING},
    [COMMAND_PRODUCTS_LIST] = {{"products", "list"}, TAKES_NOTHING},
    [COMMAND_PRODUCTS_SET] = {{"products", "set"}, TAKES_PRODUCT_AND_TOTAL},
    [COMMAND_PRODUCTS_ADD] = {{"products", "add"}, TAKES_PRODUCT_AND_TOTAL},
    [COMMAND_SHOW] = {{"show", NULL}, TAKES_PRODUCT},
    [COMMAND_LEASES_LIST] = {{"leases", "list"}, TAKES_NOTHING},
    [COMMAND_LEASES_BREAK] = {{"leases", "break"}, TAKES_LEASE},
    [COMMAND_WATCH] = {{"watch", NULL}, TAKES_NOTHING},
};

const char *arguments_help(void) {
    return "Usage: leasectl [--json] COMMAND\n"
           "\n"
           "  products list                lists products: total, available and reserved units\n"
           "  products set PRODUCT TOTAL   changes a product's total, and its available units\n"
           "  products add PRODUCT TOTAL   creates a product\n"
           "  show PRODUCT                 shows a product with its reservations\n"
           "  leases list                  lists the leases, and whether each is held\n"
           "  leases break NAME            ends a lease at once; NAME is as in the list:\n"
           "                               inventory-PROD-001\n"
           "  watch                        shows products and their leases every 2 seconds,\n"
           "                               until Ctrl-C\n"
           "\n"
           "  --json    prints JSON instead of tables: one line, or for watch one line each time\n"
           "  --help    prints this text\n"
           "\n"
           "leasectl reads the handler's settings: the environment, then local.settings.json and\n"
           "appsettings.json in the working directory. TOTAL is a whole number from 0 to\n"
           "1000000000.\n"
           "\n"
           "Exit codes: 0 done; 1 failed; 2 refused, or there is no such product or lease:\n"
           "nothing has changed; 64 a command line or setting that is not allowed.\n";
}

/* Options may be anywhere in the line. */
static enum status read_options(int argc, char **argv, struct arguments *arguments,
                                struct error *err) {
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0}};
    optind = 0; /* restarts getopt */
    opterr = 0;
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'j') {
            arguments->json = true;
        } else if (option == 'h') {
            arguments->command = COMMAND_HELP;
        } else {
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "%s: no such option; see leasectl --help", argv[optind - 1]);
        }
    }
    return STATUS_OK;
}

/* Returns how many of the words are the command's name, or 0 if they are not that command. */
static int match_command(enum command command, char *const *words, int count) {
    if (count < 1 || strcmp(words[0], commands[command].words[0]) != 0) {
        return 0;
    }
    if (commands[command].words[1] == NULL) {
        return 1;
    }
    return count > 1 && strcmp(words[1], commands[command].words[1]) == 0 ? 2 : 0;
}

static enum status read_operands(enum operands operands, char *const *words, int count,
                                 struct arguments *arguments, struct error *err) {
    static const int counts[] = {0, 1, 1, 2};
    if (count != counts[operands]) {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the command takes %d operands, not %d; see leasectl --help",
                         counts[operands], count);
    }
    if (operands >= TAKES_PRODUCT && !inventory_is_product_id(words[0])) {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "a PRODUCT is " PRODUCT_ID_ALLOWED ": \"%s\"", words[0]);
    }
    /*
     * Any name that `leases list` may show is allowed: leases of other programs have other names.
     */
    if (operands == TAKES_LEASE && words[0][0] == '\0') {
        return error_set(err, STATUS_INVALID_ARGUMENT, "no lease has an empty NAME");
    }
    if (operands == TAKES_PRODUCT_AND_TOTAL &&
        !setting_whole_number(words[1], 0, SEED_MAX_TOTAL, &arguments->total)) {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "TOTAL is a whole number from 0 to %d: \"%s\"", SEED_MAX_TOTAL, words[1]);
    }
    arguments->name = operands == TAKES_NOTHING ? NULL : words[0];
    return STATUS_OK;
}

/* Finds the command that the words begin with, and how many of them are its name. */
static enum status find_command(char *const *words, int count, enum command *out, int *out_used,
                                struct error *err) {
    for (enum command c = COMMAND_HELP; c < COMMANDS; c++) {
        *out_used = match_command(c, words, count);
        if (*out_used > 0) {
            *out = c;
            return STATUS_OK;
        }
    }
    if (count == 0) {
        return error_set(err, STATUS_INVALID_ARGUMENT, "no command; see leasectl --help");
    }
    return error_set(err, STATUS_INVALID_ARGUMENT, "%s: no such command; see leasectl --help",
                     words[0]);
}

enum status arguments_parse(int argc, char **argv, struct arguments *out, struct error *err) {
    struct arguments draft = {.command = COMMANDS};
    int used = 0;
    enum status status = read_options(argc, argv, &draft, err);
    if (status == STATUS_OK && draft.command != COMMAND_HELP) {
        status = find_command(argv + optind, argc - optind, &draft.command, &used, err);
    }
    if (status == STATUS_OK && draft.command != COMMAND_HELP) {
        status = read_operands(commands[draft.command].operands, argv + optind + used,
                               argc - optind - used, &draft, err);
    }
    if (status == STATUS_OK) {
        *out = draft;
    }
    return status;
}
