#include "settings/config_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/processes/check_main.h"
#include "support/processes/temp_folder.h"

#define STARTED_BY_HOST "FUNCTIONS_CUSTOMHANDLER_PORT=7071"

static struct temp_folder folder;
static struct config_source source;
static struct error err;

static void set_up(void) {
    temp_folder_make(&folder);
    source = (struct config_source){0};
    err = (struct error){0};
}

static void tear_down(void) {
    config_source_cleanup(&source);
    temp_folder_remove(&folder);
}

/* Loads with up to three environment variables; NULL ends them. */
static enum status load(const char *first, const char *second, const char *third) {
    const char *given[] = {first, second, third};
    char *environment[4] = {NULL};
    size_t count = 0;
    for (size_t i = 0; i < 3 && given[i] != NULL; i++) {
        environment[count++] = strdup(given[i]);
    }
    enum status status = config_source_load(folder.path, environment, &source, &err);
    for (size_t i = 0; i < count; i++) {
        free(environment[i]);
    }
    return status;
}

static void load_ok(const char *first, const char *second, const char *third) {
    enum status status = load(first, second, third);
    ck_assert_msg(status == STATUS_OK, "%s", err.message);
}

/* Expects the file to be refused, with a line that names it and holds `why`. */
static void assert_refused(const char *name, const char *why) {
    struct config_source untouched = source;
    ck_assert_int_eq(load(NULL, NULL, NULL), STATUS_INVALID_ARGUMENT);
    ck_assert_mem_eq(&source, &untouched, sizeof source);
    ck_assert_msg(strstr(err.message, name) != NULL, "%s", err.message);
    ck_assert_msg(strstr(err.message, why) != NULL, "%s", err.message);
}

#define assert_value(name, expected) ck_assert_pstr_eq(config_source_get(&source, name), expected)

START_TEST(the_environment_wins_over_local_settings_and_those_over_appsettings) {
    temp_folder_write(&folder, "local.settings.json",
                      "{\"Values\":{\"A\":\"local\",\"B\":\"local\"}}");
    temp_folder_write(&folder, "appsettings.json", "{\"A\":\"app\",\"B\":\"app\",\"C\":\"app\"}");
    load_ok("A=environment", NULL, NULL);
    assert_value("A", "environment");
    assert_value("B", "local");
    assert_value("C", "app");
    assert_value("D", NULL);
}
END_TEST

START_TEST(local_settings_are_not_even_opened_when_a_host_has_started_us) {
    temp_folder_write(&folder, "local.settings.json", "this is no JSON");
    temp_folder_write(&folder, "appsettings.json", "{\"A\":\"app\"}");
    load_ok("functions_customhandler_port=7071", NULL, NULL);
    assert_value("A", "app");
}
END_TEST

START_TEST(two_underscores_are_a_colon_everywhere_and_case_does_not_count) {
    temp_folder_write(&folder, "local.settings.json",
                      "{\"Values\":{\"Local__One\":\"1\",\"Local:Two\":\"2\"}}");
    temp_folder_write(&folder, "appsettings.json", "{\"App\":{\"One\":\"3\"},\"App:Two\":\"4\"}");
    load_ok("ENV__ONE__x=5", "Env:Two=6", "A___B_C=7");
    assert_value("local:ONE", "1");
    assert_value("LOCAL:two", "2");
    assert_value("app:one", "3");
    assert_value("app:two", "4");
    assert_value("Env:One:X", "5");
    assert_value("ENV:TWO", "6");
    assert_value("A:_B_C", "7");
}
END_TEST

/* Loads the variables in both orders; the value must be the same. */
static void assert_wins(const char *winner, const char *loser) {
    load_ok(winner, loser, NULL);
    assert_value("A:B:C", "winner");
    config_source_cleanup(&source);
    load_ok(loser, winner, NULL);
    assert_value("A:B:C", "winner");
    config_source_cleanup(&source);
}

START_TEST(underscores_win_over_a_colon_whatever_the_order_of_the_environment) {
    assert_wins("A__B__C=winner", "A:B:C=loser");
    assert_wins("a__b__c=winner", "A:B:C=loser");
    assert_wins("A__B__C=winner", "A:B__C=loser");
    assert_wins("A__B__C=winner", "a__b__c=loser");
    assert_wins("A:B:C=winner", "a:B:C=loser");
    load_ok("A__B=", "A:B=x", NULL);
    assert_value("A:B", "");
}
END_TEST

START_TEST(underscores_win_over_a_colon_in_each_file) {
    temp_folder_write(&folder, "local.settings.json",
                      "{\"Values\":{\"L__One\":\"winner\",\"L:One\":\"x\",\"L:Two\":\"x\",\"L__"
                      "Two\":\"winner\"}}");
    temp_folder_write(&folder, "appsettings.json",
                      "{\"A__One\":\"winner\",\"A\":{\"One\":\"x\",\"Two\":\"x\"},\"A__Two\":"
                      "\"winner\",\"L__One\":\"x\"}");
    load_ok("A:Two=environment", NULL, NULL);
    assert_value("L:One", "winner");
    assert_value("L:Two", "winner");
    assert_value("A:One", "winner");
    assert_value("A:Two", "environment"); /* the higher place wins */
}
END_TEST

START_TEST(of_one_name_that_stands_twice_in_a_file_the_last_wins) {
    temp_folder_write(&folder, "local.settings.json",
                      "{\"Values\":{\"A\":\"x\"},\"Values\":{\"B\":\"x\",\"B\":\"last\"}}");
    temp_folder_write(
        &folder, "appsettings.json",
        "{\"C\":{\"D\":\"x\"},\"C:D\":\"x\",\"c\":{\"d\":\"last\"},\"E\":\"x\",\"E\":null}");
    load_ok(NULL, NULL, NULL);
    assert_value("A", NULL);
    assert_value("B", "last");
    assert_value("C:D", "last");
    assert_value("E", NULL);
}
END_TEST

START_TEST(an_item_knows_its_name_as_it_was_written) {
    temp_folder_write(&folder, "local.settings.json", "{\"Values\":{\"Local__One\":\"1\"}}");
    temp_folder_write(&folder, "appsettings.json", "{\"App\":{\"oNe\":\"3\"}}");
    load_ok("ENV__ONE__x=5", NULL, NULL);
    ck_assert_str_eq(config_source_find(&source, "Env:One:X")->written, "ENV__ONE__x");
    ck_assert_str_eq(config_source_find(&source, "Local:One")->written, "Local__One");
    ck_assert_str_eq(config_source_find(&source, "App:One")->written, "App:oNe");
    ck_assert_ptr_null(config_source_find(&source, "App:Two"));
}
END_TEST

START_TEST(white_space_around_a_value_is_dropped_everywhere) {
    temp_folder_write(&folder, "local.settings.json", "{\"Values\":{\"B\":\" b c\\n\"}}");
    temp_folder_write(&folder, "appsettings.json", "{\"C\":\"\\tc\\r\\n\",\"D\":\"  \"}");
    load_ok("A= \t a  b\v\f\r\n", NULL, NULL);
    assert_value("A", "a  b");
    assert_value("B", "b c");
    assert_value("C", "c");
    assert_value("D", "");
}
END_TEST

START_TEST(a_value_is_all_that_follows_the_first_equals_sign) {
    load_ok("A=x=y;z==\nnext line", "no equals sign", "=nameless");
    assert_value("A", "x=y;z==\nnext line");
    ck_assert_uint_eq(source.count, 1);
}
END_TEST

START_TEST(an_empty_value_hides_the_lower_places) {
    temp_folder_write(&folder, "appsettings.json", "{\"A\":\"app\"}");
    load_ok("A=", NULL, NULL);
    assert_value("A", "");
}
END_TEST

START_TEST(json_is_flattened_as_dotnet_does_it) {
    temp_folder_write(
        &folder, "appsettings.json",
        "{\"Deep\":{\"Er\":{\"Est\":\"text\"}},\"List\":[\"zero\",1,[true],{\"Name\":false}],"
        "\"Number\":-12,\"Half\":0.95,\"Large\":12345678901,\"Null\":null,\"None\":{},\"Empty\":[]"
        "}");
    load_ok(NULL, NULL, NULL);
    assert_value("Deep:Er:Est", "text");
    assert_value("List:0", "zero");
    assert_value("List:1", "1");
    assert_value("List:2:0", "true");
    assert_value("List:3:Name", "false");
    assert_value("Number", "-12");
    assert_value("Half", "0.95");
    assert_value("Large", "12345678901");
    ck_assert_uint_eq(source.count, 8);
}
END_TEST

START_TEST(comments_a_last_comma_and_a_byte_order_mark_are_allowed) {
    temp_folder_write(&folder, "appsettings.json",
                      "\xEF\xBB\xBF{ // one\n \"A\": \"a//b\", /* two */ }");
    load_ok(NULL, NULL, NULL);
    assert_value("A", "a//b");
}
END_TEST

START_TEST(of_local_settings_only_the_values_are_app_settings) {
    temp_folder_write(&folder, "local.settings.json",
                      "{\"IsEncrypted\":false,\"values\":{\"A\":\"1\"},\"Host\":{\"CORS\":\"*\"},"
                      "\"ConnectionStrings\":{}}");
    load_ok(NULL, NULL, NULL);
    assert_value("A", "1");
    ck_assert_uint_eq(source.count, 1);
}
END_TEST

START_TEST(local_settings_without_values_are_fine) {
    temp_folder_write(&folder, "local.settings.json", "{}");
    load_ok(NULL, NULL, NULL);
    ck_assert_uint_eq(source.count, 0);
}
END_TEST

START_TEST(host_json_is_below_the_app_settings_that_override_it) {
    temp_folder_write(&folder, "host.json",
                      "{\"version\":\"2.0\",\"extensions\":{\"http\":{\"routePrefix\":\"file\"}}}");
    load_ok(STARTED_BY_HOST, NULL, NULL);
    assert_value("AzureFunctionsJobHost:extensions:http:routePrefix", "file");
    assert_value("version", NULL);
    config_source_cleanup(&source);
    load_ok(STARTED_BY_HOST, "AzureFunctionsJobHost__extensions__http__routePrefix=setting", NULL);
    assert_value("AzureFunctionsJobHost:extensions:http:routePrefix", "setting");
}
END_TEST

#define PREFIX "AzureFunctionsJobHost:extensions:http:routePrefix"

static const struct {
    const char *text;
    const char *prefix;
} host_files[] = {
    {"{\"version\":\"2.0\",\"version\":\"2.0\",\"extensions\":{\"http\":{\"routePrefix\":\"a\","
     "\"routePrefix\":\"b\"}}"
     "}",
     "b"},
    {"{\"extensions\":{\"http\":{\"routePrefix\":\"a\"}},\"extensions\":{\"queues\":{}}}", NULL},
    {"{\"extensions\":{\"http\":{\"routePrefix\":\"a\"}},\"extensions\":{\"http\":{\"routePrefix\":"
     "\"b\"}}}",
     "b"},
    {"{\"Extensions\":{\"HTTP\":{\"RoutePrefix\":\"a\"}},\"extensions\":{\"http\":{\"routePrefix\":"
     "\"b\"}}}",
     "b"},
    {"\xEF\xBB\xBF// the host's\n{\"extensions\":{/* http */\"http\":{\"routePrefix\":\"b\",},},}",
     "b"},
    {"{\"logging\":{\"logLevel\":[1e999,{}]},\"functionTimeout\":-1,\"extensions\":{\"http\":{"
     "\"routePrefix\":\"\"}}}",
     ""},
    {"{\"extensions\":[],\"customHandler\":7}", NULL},
};
enum { HOST_FILE_COUNT = sizeof host_files / sizeof host_files[0] };

START_TEST(what_the_host_takes_in_host_json_stops_nothing) {
    temp_folder_write(&folder, "host.json", host_files[_i].text);
    load_ok(STARTED_BY_HOST, NULL, NULL);
    assert_value(PREFIX, host_files[_i].prefix);
}
END_TEST

static const char *const broken[] = {
    "", "{", "[]", "{'extensions':{}}", "{\"a\":\"\\u0000\"}", "{\"a\":\"\xff\"}", "NaN"};
enum { BROKEN_COUNT = sizeof broken / sizeof broken[0] };

START_TEST(a_host_json_that_is_beyond_us_stops_nothing) {
    temp_folder_write(&folder, "host.json", broken[_i]);
    load_ok(STARTED_BY_HOST, "AzureFunctionsJobHost__extensions__http__routePrefix=setting", NULL);
    assert_value(PREFIX, "setting");
}
END_TEST

START_TEST(a_host_json_that_cannot_be_read_stops_nothing) {
    temp_folder_write_folder(&folder, "host.json");
    load_ok(STARTED_BY_HOST, NULL, NULL);
    assert_value(PREFIX, NULL);
}
END_TEST

START_TEST(no_files_and_no_environment_are_no_settings) {
    load_ok(NULL, NULL, NULL);
    ck_assert_uint_eq(source.count, 0);
}
END_TEST

static const char *const file_names[] = {"local.settings.json", "appsettings.json"};
enum { FILE_COUNT = sizeof file_names / sizeof file_names[0] };

START_TEST(a_file_that_is_not_a_json_object_is_refused_by_name) {
    const char *name = file_names[_i];
    temp_folder_write(&folder, name, "{\"A\": }");
    assert_refused(name, "not valid JSON");
    temp_folder_write(&folder, name, "");
    assert_refused(name, "not valid JSON");
    temp_folder_write(&folder, name, "[]");
    assert_refused(name, "is not a JSON object");
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_refused_by_name) {
    temp_folder_write_folder(&folder,
                             file_names[_i]); /* root can read every file, but not a folder */
    assert_refused(file_names[_i], "cannot be read: Is a directory");
}
END_TEST

START_TEST(a_file_that_cannot_be_opened_is_refused_by_name) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder.path, file_names[_i]);
    ck_assert_int_eq(symlink(file_names[_i], path), 0); /* it points to itself */
    assert_refused(file_names[_i], "cannot be read: Too many levels");
}
END_TEST

START_TEST(a_file_of_one_mebibyte_is_read_and_one_byte_more_refused) {
    size_t length = CONFIG_FILE_MAX_BYTES;
    char *text = malloc(length + 1);
    memset(text, ' ', length + 1);
    text[0] = '{';
    text[1] = '}';
    temp_folder_write_bytes(&folder, "appsettings.json", text, length);
    load_ok(NULL, NULL, NULL);
    temp_folder_write_bytes(&folder, "appsettings.json", text, length + 1);
    assert_refused("appsettings.json", "is over 1048576 bytes");
    free(text);
}
END_TEST

START_TEST(a_broken_file_is_not_quoted) {
    temp_folder_write(&folder, "appsettings.json",
                      "{\"ConnectionString\":\"AccountKey=c2VjcmV0\" oops}");
    assert_refused("appsettings.json", "at byte");
    ck_assert_ptr_null(strstr(err.message, "c2VjcmV0"));
}
END_TEST

START_TEST(values_that_are_no_object_are_refused) {
    temp_folder_write(&folder, "local.settings.json", "{\"Values\":[\"A=1\"]}");
    assert_refused("local.settings.json", "Values is not a JSON object");
}
END_TEST

START_TEST(encrypted_local_settings_are_refused) {
    temp_folder_write(&folder, "local.settings.json",
                      "{\"IsEncrypted\":true,\"Values\":{\"A\":\"CfDJ8\"}}");
    assert_refused("local.settings.json", "encrypted");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("config_source");
    TCase *tests = tcase_create("config_source");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, the_environment_wins_over_local_settings_and_those_over_appsettings);
    tcase_add_test(tests, local_settings_are_not_even_opened_when_a_host_has_started_us);
    tcase_add_test(tests, two_underscores_are_a_colon_everywhere_and_case_does_not_count);
    tcase_add_test(tests, underscores_win_over_a_colon_whatever_the_order_of_the_environment);
    tcase_add_test(tests, underscores_win_over_a_colon_in_each_file);
    tcase_add_test(tests, of_one_name_that_stands_twice_in_a_file_the_last_wins);
    tcase_add_test(tests, an_item_knows_its_name_as_it_was_written);
    tcase_add_test(tests, white_space_around_a_value_is_dropped_everywhere);
    tcase_add_loop_test(tests, what_the_host_takes_in_host_json_stops_nothing, 0, HOST_FILE_COUNT);
    tcase_add_loop_test(tests, a_host_json_that_is_beyond_us_stops_nothing, 0, BROKEN_COUNT);
    tcase_add_test(tests, a_value_is_all_that_follows_the_first_equals_sign);
    tcase_add_test(tests, an_empty_value_hides_the_lower_places);
    tcase_add_test(tests, json_is_flattened_as_dotnet_does_it);
    tcase_add_test(tests, comments_a_last_comma_and_a_byte_order_mark_are_allowed);
    tcase_add_test(tests, of_local_settings_only_the_values_are_app_settings);
    tcase_add_test(tests, local_settings_without_values_are_fine);
    tcase_add_test(tests, host_json_is_below_the_app_settings_that_override_it);
    tcase_add_test(tests, a_host_json_that_cannot_be_read_stops_nothing);
    tcase_add_test(tests, no_files_and_no_environment_are_no_settings);
    tcase_add_loop_test(tests, a_file_that_is_not_a_json_object_is_refused_by_name, 0, FILE_COUNT);
    tcase_add_loop_test(tests, a_file_that_cannot_be_read_is_refused_by_name, 0, FILE_COUNT);
    tcase_add_loop_test(tests, a_file_that_cannot_be_opened_is_refused_by_name, 0, FILE_COUNT);
    tcase_add_test(tests, a_file_of_one_mebibyte_is_read_and_one_byte_more_refused);
    tcase_add_test(tests, a_broken_file_is_not_quoted);
    tcase_add_test(tests, values_that_are_no_object_are_refused);
    tcase_add_test(tests, encrypted_local_settings_are_refused);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
