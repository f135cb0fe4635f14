#include "leasectl/arguments.h"

#include <string.h>

#include "support/processes/check_main.h"

enum { MAX_WORDS = 10 };

static struct error err;
static struct arguments arguments;

/* The words of a command line, without the program's name. */
static enum status parse(const char *const *words) {
    static char copies[MAX_WORDS][256];
    static char program[] = "leasectl";
    char *argv[MAX_WORDS + 2] = {program};
    int argc = 1;
    for (; words[argc - 1] != NULL; argc++) {
        ck_assert_int_le(argc, MAX_WORDS);
        strcpy(copies[argc - 1], words[argc - 1]);
        argv[argc] = copies[argc - 1];
    }
    return arguments_parse(argc, argv, &arguments, &err);
}

#define ID "01a217a5-9d04-8f44-a00c-2324db31ffd9"
#define UPPER_ID "01A217A5-9D04-8F44-A00C-2324DB31FFD9"
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void expect(const char *const *words, enum command command, const char *name,
                   int64_t number) {
    ck_assert_msg(parse(words) == STATUS_OK, "%s", err.message);
    ck_assert_int_eq(arguments.command, command);
    ck_assert_pstr_eq(arguments.name, name);
    ck_assert_int_eq(arguments.number, number);
}

static void refuse(const char *const *words, const char *why) {
    arguments = (struct arguments){.number = 77};
    ck_assert_int_eq(parse(words), STATUS_INVALID_ARGUMENT);
    ck_assert_msg(strstr(err.message, why) != NULL, "%s", err.message);
    ck_assert_int_eq(arguments.number, 77);
}

START_TEST(every_command_is_understood) {
    expect(WORDS("products", "list"), COMMAND_PRODUCTS_LIST, NULL, 0);
    expect(WORDS("products", "set", "PROD-001", "150"), COMMAND_PRODUCTS_SET, "PROD-001", 150);
    expect(WORDS("products", "adjust", "PROD-001", "+5"), COMMAND_PRODUCTS_ADJUST, "PROD-001", 5);
    expect(WORDS("products", "add", "list", "0"), COMMAND_PRODUCTS_ADD, "list", 0);
    expect(WORDS("products", "import", "a b.csv"), COMMAND_PRODUCTS_IMPORT, "a b.csv", 0);
    expect(WORDS("show", "PROD-001"), COMMAND_SHOW, "PROD-001", 0);
    expect(WORDS("reservations", "list", "P"), COMMAND_RESERVATIONS_LIST, "P", 0);
    expect(WORDS("reservations", "confirm", "P", ID), COMMAND_RESERVATIONS_CONFIRM, "P", 0);
    ck_assert_str_eq(arguments.reservation_id, ID);
    expect(WORDS("reservations", "release", "P", UPPER_ID), COMMAND_RESERVATIONS_RELEASE, "P", 0);
    ck_assert_str_eq(arguments.reservation_id, ID);
    expect(WORDS("leases", "list"), COMMAND_LEASES_LIST, NULL, 0);
    expect(WORDS("leases", "break", "inventory-PROD-001"), COMMAND_LEASES_BREAK,
           "inventory-PROD-001", 0);
    expect(WORDS("watch"), COMMAND_WATCH, NULL, 0);
    expect(WORDS("help"), COMMAND_HELP, NULL, 0);
}
END_TEST

START_TEST(options_may_stand_anywhere) {
    expect(WORDS("--json", "show", "P"), COMMAND_SHOW, "P", 0);
    ck_assert(arguments.json);
    expect(WORDS("products", "--json", "set", "P", "7"), COMMAND_PRODUCTS_SET, "P", 7);
    ck_assert(arguments.json);
    expect(WORDS("watch", "--json"), COMMAND_WATCH, NULL, 0);
    ck_assert(arguments.json);
    expect(WORDS("watch"), COMMAND_WATCH, NULL, 0);
    ck_assert(!arguments.json);
}
END_TEST

START_TEST(an_option_has_its_value) {
    expect(WORDS("products", "set", "--if-version", "7", "P", "5"), COMMAND_PRODUCTS_SET, "P", 5);
    ck_assert_int_eq(arguments.version, 7);
    expect(WORDS("products", "set", "P", "5"), COMMAND_PRODUCTS_SET, "P", 5);
    ck_assert_int_eq(arguments.version, 0);
    expect(WORDS("--customer=CUST-1", "reservations", "list", "P"), COMMAND_RESERVATIONS_LIST, "P",
           0);
    ck_assert_pstr_eq(arguments.customer_id, "CUST-1");
    expect(WORDS("reservations", "release", "P", ID, "--quantity", "3", "--json"),
           COMMAND_RESERVATIONS_RELEASE, "P", 0);
    ck_assert_int_eq(arguments.quantity, 3);
    ck_assert(arguments.json);
    expect(WORDS("reservations", "confirm", "P", ID), COMMAND_RESERVATIONS_CONFIRM, "P", 0);
    ck_assert_int_eq(arguments.quantity, 0);
}
END_TEST

/* The first interrupt lets these finish what they have sent (interrupt.h). */
START_TEST(commands_that_change_something_are_told_from_those_that_read) {
    const char *const *const changing[] = {
        WORDS("products", "set", "P", "1"),
        WORDS("products", "adjust", "P", "+1"),
        WORDS("products", "add", "P", "1"),
        WORDS("products", "import", "F"),
        WORDS("reservations", "confirm", "P", ID),
        WORDS("reservations", "release", "P", ID),
        WORDS("leases", "break", "L"),
    };
    const char *const *const reading[] = {
        WORDS("products", "list"),          WORDS("show", "P"), WORDS("leases", "list"),
        WORDS("reservations", "list", "P"), WORDS("watch"),
    };
    for (size_t i = 0; i < sizeof changing / sizeof changing[0]; i++) {
        ck_assert_int_eq(parse(changing[i]), STATUS_OK);
        ck_assert(arguments.changes_something);
    }
    for (size_t i = 0; i < sizeof reading / sizeof reading[0]; i++) {
        ck_assert_int_eq(parse(reading[i]), STATUS_OK);
        ck_assert(!arguments.changes_something);
    }
}
END_TEST

START_TEST(an_option_belongs_to_its_commands) {
    refuse(WORDS("products", "add", "P", "1", "--if-version", "7"),
           "--if-version is no option of products add");
    refuse(WORDS("watch", "--quantity", "1"), "--quantity is no option of watch;");
    refuse(WORDS("reservations", "list", "P", "--quantity", "1"), "--quantity is no option of");
    refuse(WORDS("reservations", "confirm", "P", ID, "--customer", "C"),
           "--customer is no option of");
    refuse(WORDS("products", "set", "P", "1", "--if-version"),
           "--if-version: this option takes a value");
}
END_TEST

START_TEST(the_value_of_an_option_is_checked) {
    static const char *const numbers[] = {"0", "-1", "+1", "1.5", "", "x", "99999999999999999999"};
    static const char *const versions[] = {"\"7\"", "*", "9223372036854775807"};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        refuse(WORDS("products", "set", "P", "1", "--if-version", numbers[i]), "--if-version is");
        refuse(WORDS("reservations", "confirm", "P", ID, "--quantity", numbers[i]),
               "--quantity is a whole number from 1 to 1000000");
    }
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        refuse(WORDS("products", "set", "P", "1", "--if-version", versions[i]), "--if-version is");
    }
    refuse(WORDS("reservations", "release", "P", ID, "--quantity", "1000001"), "--quantity is");
    refuse(WORDS("reservations", "list", "P", "--customer", ""), "--customer is");
    refuse(WORDS("reservations", "list", "P", "--customer", "a\tb"), "--customer is");
    refuse(WORDS("reservations", "confirm", "P", "01a217a5"), "a RESERVATION is a UUID");
    refuse(WORDS("reservations", "release", "P", ""), "a RESERVATION is a UUID");
}
END_TEST

/* It begins as an option does, and may stand anywhere. */
START_TEST(a_difference_has_a_sign) {
    expect(WORDS("products", "adjust", "P", "-5"), COMMAND_PRODUCTS_ADJUST, "P", -5);
    expect(WORDS("products", "adjust", "P", "-5", "--json"), COMMAND_PRODUCTS_ADJUST, "P", -5);
    ck_assert(arguments.json);
    expect(WORDS("--json", "products", "adjust", "P", "-1000000000"), COMMAND_PRODUCTS_ADJUST, "P",
           -1000000000);
    ck_assert(arguments.json);
    expect(WORDS("products", "adjust", "--", "-P", "-7"), COMMAND_PRODUCTS_ADJUST, "-P", -7);
    expect(WORDS("products", "adjust", "P", "+1000000000"), COMMAND_PRODUCTS_ADJUST, "P",
           1000000000);
    expect(WORDS("products", "add", "-5", "1"), COMMAND_PRODUCTS_ADD, "-5", 1);
}
END_TEST

START_TEST(what_is_no_difference_is_refused) {
    static const char *const texts[] = {"5",
                                        "55",
                                        "0",
                                        "+0",
                                        "-0",
                                        "+",
                                        "",
                                        "+-5",
                                        "++5",
                                        "+ 5",
                                        "5+",
                                        "+x",
                                        "+1.5",
                                        "+1000000001",
                                        "-1000000001",
                                        "+99999999999999999999"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        refuse(WORDS("products", "adjust", "P", texts[i]), "a difference is +N or -N");
    }
    refuse(WORDS("products", "adjust", "P", "-"), "a difference is +N or -N");
    refuse(WORDS("products", "adjust", "P", "-x"), "no such option");
}
END_TEST

START_TEST(help_is_given_whatever_else_is_asked) {
    expect(WORDS("--help"), COMMAND_HELP, NULL, 0);
    expect(WORDS("products", "set", "--help"), COMMAND_HELP, NULL, 0);
    expect(WORDS("-h", "nonsense"), COMMAND_HELP, NULL, 0);
}
END_TEST

START_TEST(the_help_names_every_command_and_exit_code) {
    static const char *const words[] = {"products list",
                                        "products set",
                                        "products adjust",
                                        "products add",
                                        "products import",
                                        "show",
                                        "leases list",
                                        "leases break",
                                        "watch",
                                        "reservations list",
                                        "--json",
                                        "--help",
                                        "reservations confirm",
                                        "reservations release",
                                        "--if-version",
                                        "--customer",
                                        "--quantity",
                                        "0 done",
                                        "1 failed",
                                        "2 refused",
                                        "64 a command"};
    ck_assert_ptr_nonnull(strstr(arguments_help(), words[_i]));
}
END_TEST

START_TEST(what_is_no_command_is_refused) {
    refuse((const char *const[]){NULL}, "no command");
    refuse(WORDS("frob"), "frob: no such command");
    refuse(WORDS("products"), "no such command");
    refuse(WORDS("products", "remove", "P"), "no such command");
    refuse(WORDS("--frob", "watch"), "--frob: no such option");
    refuse(WORDS("watch", "-x"), "-x: no such option");
}
END_TEST

START_TEST(operands_are_counted) {
    refuse(WORDS("products", "list", "P"), "0 operands, not 1");
    refuse(WORDS("show"), "1 operands, not 0");
    refuse(WORDS("products", "set", "P"), "2 operands, not 1");
    refuse(WORDS("products", "add", "P", "1", "2"), "2 operands, not 3");
    refuse(WORDS("watch", "P"), "0 operands, not 1");
    refuse(WORDS("products", "import"), "1 operands, not 0");
    refuse(WORDS("products", "import", "a.csv", "b.csv"), "1 operands, not 2");
    refuse(WORDS("reservations", "confirm", "P"), "2 operands, not 1");
    refuse(WORDS("reservations", "release", "P", ID, "3"), "2 operands, not 3");
    refuse(WORDS("reservations", "list"), "1 operands, not 0");
}
END_TEST

START_TEST(a_total_is_a_whole_number_that_a_seed_may_have) {
    expect(WORDS("products", "set", "P", "1000000000"), COMMAND_PRODUCTS_SET, "P", 1000000000);
    refuse(WORDS("products", "set", "P", "1000000001"), "from 0 to 1000000000");
    refuse(WORDS("products", "set", "P", ""), "from 0 to 1000000000");
    refuse(WORDS("products", "set", "P", "1.5"), "from 0 to 1000000000");
    refuse(WORDS("products", "set", "P", "+1"), "from 0 to 1000000000");
    refuse(WORDS("products", "set", "--", "P", "-1"), "from 0 to 1000000000");
}
END_TEST

START_TEST(names_are_those_that_products_and_leases_can_have) {
    refuse(WORDS("show", "a/b"), "a/b");
    refuse(WORDS("show", ""), "PRODUCT");
    refuse(WORDS("products", "add", "reconciliation-job", "1"), "reconciliation-job");
    expect(WORDS("leases", "break", "inventory-reconciliation-job"), COMMAND_LEASES_BREAK,
           "inventory-reconciliation-job", 0);
    expect(WORDS("leases", "break", "jobs/nightly"), COMMAND_LEASES_BREAK, "jobs/nightly", 0);
    refuse(WORDS("show", "A."), "A.");
    refuse(WORDS("products", "set", "..", "1"), "..");
    refuse(WORDS("leases", "break", ""), "no lease");
}
END_TEST

/* Names of other programs' leases, and of older releases. */
START_TEST(whatever_the_list_of_leases_shows_can_be_broken) {
    static const char *const names[] = {"a b", "inventory-A.", "..", "a//b", "\xC3\xA4", "50%"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        expect(WORDS("leases", "break", names[i]), COMMAND_LEASES_BREAK, names[i], 0);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("arguments");
    TCase *parsing = tcase_create("parsing");
    tcase_add_test(parsing, every_command_is_understood);
    tcase_add_test(parsing, options_may_stand_anywhere);
    tcase_add_test(parsing, an_option_has_its_value);
    tcase_add_test(parsing, commands_that_change_something_are_told_from_those_that_read);
    tcase_add_test(parsing, an_option_belongs_to_its_commands);
    tcase_add_test(parsing, the_value_of_an_option_is_checked);
    tcase_add_test(parsing, a_difference_has_a_sign);
    tcase_add_test(parsing, what_is_no_difference_is_refused);
    tcase_add_test(parsing, help_is_given_whatever_else_is_asked);
    tcase_add_loop_test(parsing, the_help_names_every_command_and_exit_code, 0, 21);
    tcase_add_test(parsing, what_is_no_command_is_refused);
    tcase_add_test(parsing, operands_are_counted);
    tcase_add_test(parsing, a_total_is_a_whole_number_that_a_seed_may_have);
    tcase_add_test(parsing, whatever_the_list_of_leases_shows_can_be_broken);
    tcase_add_test(parsing, names_are_those_that_products_and_leases_can_have);
    suite_add_tcase(suite, parsing);
    return check_main(suite);
}
