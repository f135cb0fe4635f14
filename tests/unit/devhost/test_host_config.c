/*
 * host_config: apps in a folder of their own, good and bad; and the environment and routes that
 * follow from them.
 */
#include "devhost/host_config.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devhost/handler_environment.h"
#include "devhost/http_front.h"
#include "support/processes/check_main.h"
#include "support/processes/temp_folder.h"

#define HOST_JSON                                                                               \
    "{\"version\":\"2.0\",\"customHandler\":{\"description\":{\"defaultExecutablePath\":\"bin/" \
    "handler\"}%s}%s}"
#define HTTP_JSON                                                                       \
    "{\"bindings\":[{\"type\":\"httpTrigger\",\"name\":\"req\",%s},{\"type\":\"http\"," \
    "\"direction\":\"out\",\"name\":"                                                   \
    "\"res\"}]}"

static struct temp_folder folder;
static struct host_config config;
static struct error err;

static void write_function(const char *name, const char *text) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder.path, name);
    if (access(path, F_OK) != 0) {
        temp_folder_write_folder(&folder, name);
    }
    snprintf(path, sizeof path, "%s/function.json", name);
    temp_folder_write(&folder, path, text);
}

static void write_host(const char *custom, const char *rest) {
    char text[1024];
    snprintf(text, sizeof text, HOST_JSON, custom, rest);
    temp_folder_write(&folder, "host.json", text);
}

static void write_http(const char *name, const char *trigger) {
    char text[1024];
    snprintf(text, sizeof text, HTTP_JSON, trigger);
    write_function(name, text);
}

static void set_up(void) {
    temp_folder_make(&folder);
    write_host("", "");
    config = (struct host_config){0};
    err = (struct error){.message = ""};
}

static void tear_down(void) {
    host_config_cleanup(&config);
    temp_folder_remove(&folder);
}

static void load(void) {
    host_config_cleanup(&config);
    enum status status = host_config_load(&config, folder.path, &err);
    ck_assert_msg(status == STATUS_OK, "%s", err.message);
}

static void assert_fails(enum status expected, const char *part) {
    ck_assert_int_eq(host_config_load(&config, folder.path, &err), expected);
    ck_assert_msg(strstr(err.message, part) != NULL, "%s", err.message);
    ck_assert_ptr_null(config.folder);
}

START_TEST(an_app_is_read_as_the_host_reads_it) {
    write_http("Get", "\"methods\":[\"get\",\"Head\"],\"route\":\"inventory/{productId}\"");
    write_function("Clean", "{\"bindings\":[{\"type\":\"timerTrigger\",\"name\":\"timer\","
                            "\"schedule\":\"0 */5 * * * *\"}]}");
    temp_folder_write(&folder, "local.settings.json",
                      "{\"IsEncrypted\":false,\"Values\":{\"A:B\":\"1\",\"C\":\"\"}}");
    load();
    char executable[PATH_MAX];
    snprintf(executable, sizeof executable, "%s/bin/handler", config.folder);
    ck_assert_str_eq(config.executable, executable);
    ck_assert_int_eq(config.shape, HOST_SHAPE_INVOCATION);
    ck_assert_uint_eq(config.setting_count, 2);
    ck_assert_str_eq(config.settings[0].name, "A:B");
    ck_assert_str_eq(config.settings[0].value, "1");
    ck_assert_uint_eq(config.function_count, 2);
    const struct host_function *timer = &config.functions[0];
    ck_assert_str_eq(timer->name, "Clean");
    ck_assert_int_eq(timer->trigger, HOST_TRIGGER_TIMER);
    ck_assert_str_eq(timer->trigger_name, "timer");
    ck_assert_uint_eq(timer->schedule.cron.seconds, 1);
    ck_assert(!timer->run_on_startup);
    const struct host_function *http = host_config_find(&config, "GET");
    ck_assert_ptr_eq(http, &config.functions[1]);
    ck_assert_str_eq(http->route, "api/inventory/{productId}");
    ck_assert_str_eq(http->output_name, "res");
    ck_assert_uint_eq(http->method_count, 2);
    ck_assert_str_eq(http->methods[1], "HEAD");
    ck_assert_ptr_null(host_config_find(&config, "Nothing"));
}
END_TEST

START_TEST(comments_and_a_byte_order_mark_are_fine) {
    write_http("Get", "\"route\":\"x\"");
    temp_folder_write(&folder, "local.settings.json",
                      "\xef\xbb\xbf{ // comment\n\"Values\":{\"A\":\"http://x\"}}");
    load();
    ck_assert_str_eq(config.settings[0].value, "http://x");
}
END_TEST

START_TEST(the_shape_follows_the_host_s_switches) {
    write_http("Get", "\"route\":\"x\"");
    write_host(",\"enableForwardingHttpRequest\":true", "");
    load();
    ck_assert_int_eq(config.shape, HOST_SHAPE_FORWARD);
    write_host(",\"enableForwardingHttpRequest\":true,\"enableProxyingHttpRequest\":true", "");
    load();
    ck_assert_int_eq(config.shape, HOST_SHAPE_PROXY);
    enum host_shape shape = HOST_SHAPE_PROXY;
    ck_assert(host_shape_parse("Invocation", &shape) && shape == HOST_SHAPE_INVOCATION);
    ck_assert(host_shape_parse("forward", &shape) && shape == HOST_SHAPE_FORWARD);
    ck_assert(host_shape_parse("proxy", &shape) && shape == HOST_SHAPE_PROXY);
    ck_assert(!host_shape_parse("other", &shape));
}
END_TEST

START_TEST(the_route_prefix_may_be_another_or_none) {
    write_http("Get", "\"route\":\"/x/{id}\"");
    write_http("Named", "\"methods\":[]");
    write_host("", ",\"extensions\":{\"http\":{\"routePrefix\":\"v1\"}}");
    load();
    ck_assert_str_eq(config.functions[0].route, "v1/x/{id}");
    ck_assert_str_eq(config.functions[1].route, "v1/Named");
    write_host("", ",\"extensions\":{\"http\":{\"routePrefix\":\"\"}}");
    load();
    ck_assert_str_eq(config.functions[0].route, "x/{id}");
}
END_TEST

START_TEST(bad_apps_are_refused_with_the_file_and_the_reason) {
    assert_fails(STATUS_INVALID_ARGUMENT, "holds no function");
    write_http("Get", "\"route\":\"{id:int}\"");
    assert_fails(STATUS_INVALID_ARGUMENT, "Get/function.json");
    write_http("Get", "\"route\":\"x\",\"methods\":[1]");
    assert_fails(STATUS_INVALID_ARGUMENT, "methods");
    write_function("Get", "{\"bindings\":[]}");
    assert_fails(STATUS_INVALID_ARGUMENT, "no trigger");
    write_function("Get", "{\"bindings\":[{\"type\":\"queueTrigger\",\"name\":\"q\"}]}");
    assert_fails(STATUS_INVALID_ARGUMENT, "queueTrigger");
    write_function("Get", "{\"bindings\":[{\"type\":\"timerTrigger\",\"name\":\"t\"}]}");
    assert_fails(STATUS_INVALID_ARGUMENT, "no schedule");
    write_function("Get", "{");
    assert_fails(STATUS_MALFORMED, "Get/function.json");
    write_http("Get", "\"route\":\"x\"");
    temp_folder_write(&folder, "local.settings.json", "{\"Values\":{\"A\":[]}}");
    assert_fails(STATUS_INVALID_ARGUMENT, "A is not a string");
    temp_folder_write(&folder, "local.settings.json", "{\"IsEncrypted\":true,\"Values\":{}}");
    assert_fails(STATUS_INVALID_ARGUMENT, "encrypted");
    temp_folder_write(&folder, "local.settings.json", "[]");
    assert_fails(STATUS_MALFORMED, "local.settings.json");
    write_host("", ",\"functionTimeout\":\"00:00:00.5\"");
    assert_fails(STATUS_MALFORMED, "local.settings.json");
    temp_folder_write(&folder, "local.settings.json", "{}");
    assert_fails(STATUS_INVALID_ARGUMENT, "functionTimeout");
    temp_folder_write(&folder, "host.json", "{}");
    assert_fails(STATUS_INVALID_ARGUMENT, "defaultExecutablePath");
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/host.json", folder.path);
    ck_assert_int_eq(unlink(path), 0);
    assert_fails(STATUS_NOT_FOUND, "host.json");
}
END_TEST

START_TEST(a_request_finds_its_function_by_route_and_method) {
    write_http("Get", "\"methods\":[\"get\"],\"route\":\"inventory/{id}\"");
    write_http("Reserve", "\"methods\":[\"post\"],\"route\":\"inventory/{id}/reserve\"");
    write_http("Put", "\"methods\":[\"put\"],\"route\":\"inventory/{id}\"");
    write_http("Any", "\"route\":\"any\"");
    load();
    struct route_values params;
    ck_assert_str_eq(http_front_find(&config, "GET", "/api/inventory/a", &params)->name, "Get");
    ck_assert_str_eq(http_front_find(&config, "PUT", "/api/inventory/a", &params)->name, "Put");
    ck_assert_str_eq(http_front_find(&config, "POST", "/api/inventory/a/reserve", &params)->name,
                     "Reserve");
    ck_assert_str_eq(params.items[0].value, "a");
    ck_assert_str_eq(http_front_find(&config, "PATCH", "/api/any", &params)->name, "Any");
    ck_assert_ptr_null(http_front_find(&config, "GET", "/api/inventory/a/reserve", &params));
    ck_assert_ptr_null(http_front_find(&config, "GET", "/inventory/a", &params));
}
END_TEST

START_TEST(values_that_are_no_strings_become_text) {
    write_http("Get", "\"route\":\"x\"");
    temp_folder_write(
        &folder, "local.settings.json",
        "{\"Values\":{\"A\":true,\"B\":false,\"C\":12,\"D\":1.5,\"E\":null,\"F\":\"x\"}}");
    load();
    static const char *const expected[][2] = {
        {"A", "true"}, {"B", "false"}, {"C", "12"}, {"D", "1.5"}, {"F", "x"}};
    ck_assert_uint_eq(config.setting_count, 5);
    for (size_t i = 0; i < 5; i++) {
        ck_assert_str_eq(config.settings[i].name, expected[i][0]);
        ck_assert_str_eq(config.settings[i].value, expected[i][1]);
    }
}
END_TEST

START_TEST(functions_are_switched_off_by_setting_and_by_file) {
    static const struct {
        const char *value;
        bool is_disabled;
    } values[] = {{"true", true}, {"True", true}, {"1", true}, {"false", false},
                  {"0", false},   {"yes", false}, {"", false}};
    write_http("Get", "\"route\":\"x\"");
    write_function(
        "Off", "{\"disabled\":true,\"bindings\":[{\"type\":\"httpTrigger\",\"name\":\"req\"}]}");
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char text[128];
        snprintf(text, sizeof text, "{\"Values\":{\"AzureWebJobs.get.disabled\":\"%s\"}}",
                 values[i].value);
        temp_folder_write(&folder, "local.settings.json", text);
        load();
        ck_assert_msg(config.functions[0].is_disabled == values[i].is_disabled, "%s",
                      values[i].value);
        ck_assert(config.functions[1].is_disabled);
    }
    setenv("AzureWebJobs.Get.Disabled", "true", 1); /* the environment wins */
    load();
    unsetenv("AzureWebJobs.Get.Disabled");
    ck_assert(config.functions[0].is_disabled);
}
END_TEST

START_TEST(settings_stand_for_members_of_host_json) {
    write_http("Get", "\"route\":\"x\"");
    write_host(",\"enableProxyingHttpRequest\":true",
               ",\"extensions\":{\"http\":{\"routePrefix\":\"v1\"}}");
    load();
    ck_assert_int_eq(config.function_timeout_ms, 30 * 60 * 1000);
    temp_folder_write(
        &folder, "local.settings.json",
        "{\"Values\":{\"AzureFunctionsJobHost__extensions__http__routePrefix\":\"v2\","
        "\"azurefunctionsjobhost:customHandler:enableProxyingHttpRequest\":false,"
        "\"AzureFunctionsJobHost__customhandler__enableForwardingHttpRequest\":\"True\","
        "\"AzureFunctionsJobHost__functionTimeout\":\"00:10:00\",\"AzureFunctionsJobHostess\":"
        "\"x\"}}");
    load();
    ck_assert_str_eq(config.functions[0].route, "v2/x");
    ck_assert_int_eq(config.shape, HOST_SHAPE_FORWARD);
    ck_assert_int_eq(config.function_timeout_ms, 10 * 60 * 1000);
    setenv("AzureFunctionsJobHost__extensions__http__routePrefix", "", 1);
    setenv("AzureFunctionsJobHost__functionTimeout", "-1", 1);
    load();
    unsetenv("AzureFunctionsJobHost__extensions__http__routePrefix");
    unsetenv("AzureFunctionsJobHost__functionTimeout");
    ck_assert_str_eq(config.functions[0].route, "x");
    ck_assert_int_eq(config.function_timeout_ms, 0);
}
END_TEST

START_TEST(a_schedule_may_be_a_setting_and_a_bad_one_disables_its_function_alone) {
    static const char *const schedules[] = {"* * * *", "%NOT_SET%", "61 * * * * *", "%", "%%"};
    write_http("Get", "\"route\":\"x\"");
    write_function("Clean", "{\"bindings\":[{\"type\":\"timerTrigger\",\"name\":\"t\",\"schedule\":"
                            "\"%Clean:When%\"}]}");
    temp_folder_write(&folder, "local.settings.json",
                      "{\"Values\":{\"Clean__When\":\"00:05:00\"}}");
    load();
    ck_assert_int_eq(config.functions[0].schedule.interval_ms, 5 * 60 * 1000);
    ck_assert_str_eq(config.functions[0].schedule_text, "00:05:00");
    ck_assert(!config.functions[0].is_disabled);
    for (size_t i = 0; i < sizeof schedules / sizeof schedules[0]; i++) {
        char text[256];
        snprintf(text, sizeof text,
                 "{\"bindings\":[{\"type\":\"timerTrigger\",\"name\":\"t\",\"schedule\":\"%s\"}]}",
                 schedules[i]);
        write_function("Clean", text);
        load();
        ck_assert_msg(config.functions[0].is_disabled && !config.functions[1].is_disabled, "%s",
                      schedules[i]);
    }
}
END_TEST

static bool has_variable(char **environment, const char *expected) {
    for (; *environment != NULL; environment++) {
        if (strcmp(*environment, expected) == 0) {
            return true;
        }
    }
    return false;
}

START_TEST(the_environment_wins_over_the_settings_and_the_host_over_both) {
    char *const own[] = {(char[]){"PATH=/bin"}, (char[]){"inventory__ProcessingTime=5"},
                         (char[]){"FUNCTIONS_CUSTOMHANDLER_PORT=1"}, (char[]){"EMPTY="}, NULL};
    struct host_setting settings[] = {{(char[]){"Inventory:ProcessingTime"}, (char[]){"1"}},
                                      {(char[]){"Inventory:Store"}, (char[]){"a=b"}},
                                      {(char[]){"EMPTY"}, (char[]){"x"}},
                                      {(char[]){"FUNCTIONS_HTTPWORKER_PORT"}, (char[]){"y"}},
                                      {(char[]){"PATH2"}, (char[]){"z"}}};
    static const char *const expected[] = {"PATH=/bin",
                                           "inventory__ProcessingTime=5",
                                           "EMPTY=",
                                           "Inventory:Store=a=b",
                                           "PATH2=z",
                                           "FUNCTIONS_CUSTOMHANDLER_PORT=4711",
                                           "FUNCTIONS_CUSTOMHANDLER_WORKER_ID=id",
                                           "FUNCTIONS_HTTPWORKER_PORT=4711",
                                           "FUNCTIONS_HTTPWORKER_ID=id",
                                           "FUNCTIONS_APP_ROOT_PATH=/app"};
    enum { EXPECTED = sizeof expected / sizeof expected[0] };
    const struct host_config app = {
        .folder = (char[]){"/app"}, .settings = settings, .setting_count = 5};
    char **environment = handler_environment_new(&app, own, 4711, "id");
    ck_assert_ptr_nonnull(environment);
    size_t count = 0;
    while (environment[count] != NULL) {
        count++;
    }
    for (size_t i = 0; i < EXPECTED; i++) {
        ck_assert_msg(has_variable(environment, expected[i]), "%s is missing", expected[i]);
    }
    ck_assert_uint_eq(count, EXPECTED);
    handler_environment_free(environment);
}
END_TEST

START_TEST(variables_come_in_an_order_that_differs_from_start_to_start) {
    char *const own[] = {(char[]){"A__B=1"}, (char[]){"A:B=2"}, NULL};
    const struct host_config app = {.folder = (char[]){"/app"}};
    int first_count = 0;
    enum { STARTS = 200 };
    for (int i = 0; i < STARTS; i++) {
        char **environment = handler_environment_new(&app, own, 1, "id");
        ck_assert_ptr_nonnull(environment);
        char **variable = environment;
        while (strncmp(*variable, "A", 1) != 0) {
            variable++;
        }
        first_count += strcmp(*variable, "A__B=1") == 0;
        handler_environment_free(environment);
    }
    ck_assert_int_gt(first_count, STARTS / 10); /* by chance in fewer than one of 10^30 runs */
    ck_assert_int_lt(first_count, STARTS - STARTS / 10);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("host_config");
    TCase *tcase = tcase_create("host_config");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, an_app_is_read_as_the_host_reads_it);
    tcase_add_test(tcase, comments_and_a_byte_order_mark_are_fine);
    tcase_add_test(tcase, the_shape_follows_the_host_s_switches);
    tcase_add_test(tcase, the_route_prefix_may_be_another_or_none);
    tcase_add_test(tcase, bad_apps_are_refused_with_the_file_and_the_reason);
    tcase_add_test(tcase, a_request_finds_its_function_by_route_and_method);
    tcase_add_test(tcase, the_environment_wins_over_the_settings_and_the_host_over_both);
    tcase_add_test(tcase, values_that_are_no_strings_become_text);
    tcase_add_test(tcase, functions_are_switched_off_by_setting_and_by_file);
    tcase_add_test(tcase, settings_stand_for_members_of_host_json);
    tcase_add_test(tcase, a_schedule_may_be_a_setting_and_a_bad_one_disables_its_function_alone);
    tcase_add_test(tcase, variables_come_in_an_order_that_differs_from_start_to_start);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
