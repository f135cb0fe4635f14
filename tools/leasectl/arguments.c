#include "leasectl/arguments.h"

#include <getopt.h>
#include <stddef.h>
#include <string.h>

#include "leasectl/operand.h"

enum operands {
    TAKES_NOTHING,
    TAKES_LEASE,
    TAKES_FILE,
    TAKES_PRODUCT,
    TAKES_PRODUCT_AND_TOTAL,
    TAKES_PRODUCT_AND_DIFFERENCE,
    TAKES_PRODUCT_AND_RESERVATION,
};

/* The options that not every command takes. */
enum option_kind { OPTION_IF_VERSION, OPTION_CUSTOMER, OPTION_QUANTITY, OPTION_KINDS };

static const char *const option_names[OPTION_KINDS] = {"--if-version", "--customer", "--quantity"};

static const struct {
    const char *words[2]; /* the second is NULL if there is only one */
    enum operands operands;
    enum option_kind option; /* the one that it takes; OPTION_KINDS: none */
    bool changes_something;
} commands[COMMANDS] = {
    [COMMAND_HELP] = {{"help", NULL}, TAKES_NOTHING, OPTION_KINDS, false},
    [COMMAND_PRODUCTS_LIST] = {{"products", "list"}, TAKES_NOTHING, OPTION_KINDS, false},
    [COMMAND_PRODUCTS_SET] = {{"products", "set"},
                              TAKES_PRODUCT_AND_TOTAL,
                              OPTION_IF_VERSION,
                              true},
    [COMMAND_PRODUCTS_ADJUST] = {{"products", "adjust"},
                                 TAKES_PRODUCT_AND_DIFFERENCE,
                                 OPTION_KINDS,
                                 true},
    [COMMAND_PRODUCTS_ADD] = {{"products", "add"}, TAKES_PRODUCT_AND_TOTAL, OPTION_KINDS, true},
    [COMMAND_PRODUCTS_IMPORT] = {{"products", "import"}, TAKES_FILE, OPTION_KINDS, true},
    [COMMAND_SHOW] = {{"show", NULL}, TAKES_PRODUCT, OPTION_KINDS, false},
    [COMMAND_RESERVATIONS_LIST] = {{"reservations", "list"}, TAKES_PRODUCT, OPTION_CUSTOMER, false},
    [COMMAND_RESERVATIONS_CONFIRM] = {{"reservations", "confirm"},
                                      TAKES_PRODUCT_AND_RESERVATION,
                                      OPTION_QUANTITY,
                                      true},
    [COMMAND_RESERVATIONS_RELEASE] = {{"reservations", "release"},
                                      TAKES_PRODUCT_AND_RESERVATION,
                                      OPTION_QUANTITY,
                                      true},
    [COMMAND_LEASES_LIST] = {{"leases", "list"}, TAKES_NOTHING, OPTION_KINDS, false},
    [COMMAND_LEASES_BREAK] = {{"leases", "break"}, TAKES_LEASE, OPTION_KINDS, true},
    [COMMAND_WATCH] = {{"watch", NULL}, TAKES_NOTHING, OPTION_KINDS, false},
};

const char *arguments_help(void) {
    return "Usage: leasectl [--json] COMMAND\n"
           "\n"
           "  products list                lists products: total, available and reserved units\n"
           "  products set PRODUCT TOTAL   changes a product's total, and its available units\n"
           "      --if-version V           only if the product's version is V\n"
           "  products adjust PRODUCT +N   changes the total by a difference: +N or -N\n"
           "  products add PRODUCT TOTAL   creates a product\n"
           "  products import FILE.csv     creates the products of a file with lines "
           "PRODUCT,TOTAL.\n"
           "                               Those that exist are left as they are, so an import\n"
           "                               can be repeated, and resumed\n"
           "  show PRODUCT                 shows a product with its reservations\n"
           "  reservations list PRODUCT    lists a product's active reservations\n"
           "      --customer C             only this customer's\n"
           "  reservations confirm PRODUCT RESERVATION\n"
           "                               makes a reservation a sale\n"
           "  reservations release PRODUCT RESERVATION\n"
           "                               makes a reservation's units available again\n"
           "      --quantity N             both: only N of its units\n"
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
           "Exit codes: 0 done; 1 failed; 2 refused, or there is no such product, reservation or\n"
           "lease: nothing has changed, but import has carried out the lines that it does not\n"
           "name; 64 a command line, setting or file that is not allowed.\n";
}

/* ---- options ---- */

/* The value of each option that takes one. NULL: it is not given. */
struct option_values {
    const char *texts[OPTION_KINDS];
};

/* Returns true for a difference. It looks like an option, but no option begins with a digit. */
static bool is_difference(const char *word) {
    return word != NULL && word[0] == '-' && word[1] >= '0' && word[1] <= '9';
}

/*
 * Reads the options, which may be anywhere in the line, and moves the other words to the front of
 * `words`. It is `argv` without the program's name.
 */
static enum status read_options(int argc, char **argv, struct arguments *arguments,
                                struct option_values *values, int *out_count, struct error *err) {
    enum { FIRST_KIND = 256 }; /* no character has such a value */
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {"if-version", required_argument, NULL, FIRST_KIND + OPTION_IF_VERSION},
        {"customer", required_argument, NULL, FIRST_KIND + OPTION_CUSTOMER},
        {"quantity", required_argument, NULL, FIRST_KIND + OPTION_QUANTITY},
        {0}};
    char **words = argv + 1;
    int option, count = 0;
    optind = 0; /* restarts getopt */
    opterr = 0;
    /* "-" gives back every word in its place, and ":" tells a missing value from no such option. */
    while ((option = getopt_long(argc, argv, "-:h", options, NULL)) != -1) {
        if (option == 1) {
            words[count++] = optarg;
        } else if (option == 'j') {
            arguments->json = true;
        } else if (option == 'h') {
            arguments->command = COMMAND_HELP;
        } else if (option >= FIRST_KIND) {
            values->texts[option - FIRST_KIND] = optarg;
        } else {
            return error_set(err, STATUS_INVALID_ARGUMENT, "%s: %s; see leasectl --help",
                             argv[optind - 1],
                             option == ':' ? "this option takes a value" : "no such option");
        }
        while (is_difference(argv[optind])) {
            words[count++] = argv[optind++];
        }
    }
    while (optind < argc) { /* after "--" */
        words[count++] = argv[optind++];
    }
    *out_count = count;
    return STATUS_OK;
}

static enum status check_options(const struct arguments *arguments,
                                 const struct option_values *values, struct error *err) {
    for (enum option_kind kind = 0; kind < OPTION_KINDS; kind++) {
        if (values->texts[kind] != NULL && commands[arguments->command].option != kind) {
            const char *const *words = commands[arguments->command].words;
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "%s is no option of %s%s%s; see leasectl --help", option_names[kind],
                             words[0], words[1] == NULL ? "" : " ",
                             words[1] == NULL ? "" : words[1]);
        }
    }
    return STATUS_OK;
}

static enum status read_option_values(const struct option_values *values,
                                      struct arguments *arguments, struct error *err) {
    const char *version = values->texts[OPTION_IF_VERSION],
               *quantity = values->texts[OPTION_QUANTITY];
    enum status status = check_options(arguments, values, err);
    if (status == STATUS_OK && version != NULL) {
        status = operand_read_version(version, &arguments->version, err);
    }
    if (status == STATUS_OK && quantity != NULL) {
        status = operand_read_quantity(quantity, &arguments->quantity, err);
    }
    arguments->customer_id = values->texts[OPTION_CUSTOMER];
    if (status == STATUS_OK && arguments->customer_id != NULL) {
        status = operand_check_customer(arguments->customer_id, err);
    }
    return status;
}

/* ---- operands ---- */

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

/* Reads the words whose count is right. */
static enum status read_words(enum operands operands, char *const *words,
                              struct arguments *arguments, struct error *err) {
    enum status status = STATUS_OK;
    arguments->name = operands == TAKES_NOTHING ? NULL : words[0];
    if (operands >= TAKES_PRODUCT) {
        status = operand_check_product(words[0], err);
    } else if (operands == TAKES_LEASE && words[0][0] == '\0') {
        /* Any other name that `leases list` may show is allowed: leases of other programs, too. */
        status = error_set(err, STATUS_INVALID_ARGUMENT, "no lease has an empty NAME");
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (operands == TAKES_PRODUCT_AND_TOTAL) {
        return operand_read_total(words[1], &arguments->number, err);
    }
    if (operands == TAKES_PRODUCT_AND_DIFFERENCE) {
        return operand_read_difference(words[1], &arguments->number, err);
    }
    if (operands == TAKES_PRODUCT_AND_RESERVATION) {
        return operand_read_reservation(words[1], arguments->reservation_id, err);
    }
    return STATUS_OK;
}

static enum status read_operands(enum operands operands, char *const *words, int count,
                                 struct arguments *arguments, struct error *err) {
    static const int counts[] = {[TAKES_NOTHING] = 0,
                                 [TAKES_LEASE] = 1,
                                 [TAKES_FILE] = 1,
                                 [TAKES_PRODUCT] = 1,
                                 [TAKES_PRODUCT_AND_TOTAL] = 2,
                                 [TAKES_PRODUCT_AND_DIFFERENCE] = 2,
                                 [TAKES_PRODUCT_AND_RESERVATION] = 2};
    if (count != counts[operands]) {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the command takes %d operands, not %d; see leasectl --help",
                         counts[operands], count);
    }
    return read_words(operands, words, arguments, err);
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
    struct option_values values = {0};
    int count = 0, used = 0;
    char *const *words = argv + 1;
    enum status status = read_options(argc, argv, &draft, &values, &count, err);
    if (status == STATUS_OK && draft.command != COMMAND_HELP) {
        status = find_command(words, count, &draft.command, &used, err);
    }
    if (status == STATUS_OK && draft.command != COMMAND_HELP) {
        status = read_operands(commands[draft.command].operands, words + used, count - used, &draft,
                               err);
    }
    if (status == STATUS_OK && draft.command != COMMAND_HELP) {
        status = read_option_values(&values, &draft, err);
    }
    if (status == STATUS_OK) {
        draft.changes_something = commands[draft.command].changes_something;
        *out = draft;
    }
    return status;
}
