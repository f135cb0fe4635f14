#include "identity/sign_in.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/http_transport.h"
#include "support/fakes/http_fake.h"
#include "support/processes/check_main.h"

static struct http_fake *fake;
static struct http_transport *transport;
static struct platform platform;
static struct storage_account account;
static struct sign_in_options options;
static struct sign_in sign_in;
static struct error err;

static char tenant[] = "tenant", id[] = "client", azure_id[] = "azure client", secret[] = "hunter2",
            file[] = "/nowhere/f";

static void set_up(void) {
    fake = http_fake_new();
    memset(&account, 0, sizeof account);
    options = (struct sign_in_options){.imds_host = "http://127.0.0.1:1",
                                       .authority = "http://127.0.0.1:1"};
    ck_assert_int_eq(http_transport_new(&transport, clock_system(), &err), STATUS_OK);
}

static void tear_down(void) {
    sign_in_stop(&sign_in);
    http_transport_free(transport);
    sign_in_cleanup(&sign_in);
    http_fake_free(fake);
}

static void start(void) {
    platform = http_transport_platform(transport, random_system());
    enum status status = sign_in_start(&sign_in, &account, &options, &platform, &err);
    ck_assert_msg(status == STATUS_OK, "%s", err.message);
}

static void start_as(enum sign_in_mode mode) {
    options.mode = mode;
    start();
    ck_assert_ptr_eq(sign_in.credential, &sign_in.cache.base);
}

static void use_identity_endpoint(void) {
    static char endpoint[128], header[] = "hdr";
    snprintf(endpoint, sizeof endpoint, "%s/msi/token", http_fake_url(fake));
    options.identity_endpoint = endpoint;
    options.identity_header = header;
}

START_TEST(an_account_with_a_key_or_a_sas_needs_no_token) {
    account.key_length = 16;
    start();
    ck_assert_ptr_eq(sign_in.credential, &sign_in.shared_key.base);
    sign_in_cleanup(&sign_in);
    strcpy(account.sas, "sv=1&sig=2");
    start();
    ck_assert_ptr_eq(sign_in.credential, &sign_in.sas.base);
    ck_assert(!sign_in.has_cache);
}
END_TEST

START_TEST(a_mode_by_name_is_that_source_alone) {
    options.workload_tenant_id = options.principal_tenant_id = tenant;
    options.workload_client_id = options.principal_client_id = id;
    options.workload_token_file_path = file;
    options.principal_certificate_path = file;
    start_as(SIGN_IN_WORKLOAD_IDENTITY);
    ck_assert_ptr_eq(sign_in.cache.source, &sign_in.workload.http.base);
    ck_assert_str_eq(sign_in.workload.token_file, file);
    sign_in_stop(&sign_in);
    sign_in_cleanup(&sign_in);
    start_as(SIGN_IN_SERVICE_PRINCIPAL);
    ck_assert_ptr_eq(sign_in.cache.source, &sign_in.principal.http.base);
    ck_assert_ptr_null(sign_in.principal.secret);
    ck_assert_str_eq(sign_in.principal.certificate_path, file);
    sign_in_stop(&sign_in);
    sign_in_cleanup(&sign_in);
    start_as(SIGN_IN_MANAGED_IDENTITY);
    ck_assert_ptr_eq(sign_in.cache.source, &sign_in.imds.http.base);
    ck_assert(!sign_in.imds.probe);
    sign_in_stop(&sign_in);
    sign_in_cleanup(&sign_in);
    use_identity_endpoint();
    start_as(SIGN_IN_MANAGED_IDENTITY);
    ck_assert_ptr_eq(sign_in.cache.source, &sign_in.app_service.http.base);
    sign_in_stop(&sign_in);
    sign_in_cleanup(&sign_in);
    options.identity_header = NULL; /* App Service gives both */
    start_as(SIGN_IN_MANAGED_IDENTITY);
    ck_assert_ptr_eq(sign_in.cache.source, &sign_in.imds.http.base);
}
END_TEST

START_TEST(a_developers_login_is_a_source_of_its_own) {
    char path[4096];
    snprintf(path, sizeof path, "%s", getenv("PATH"));
    setenv("PATH", "/nowhere", 1); /* az is not to be found */
    start_as(SIGN_IN_DEVELOPMENT);
    ck_assert_ptr_eq(sign_in.cache.source, &sign_in.cli.base);
    ck_assert_ptr_nonnull(sign_in.cli.base.name);
    sign_in_stop(&sign_in);
    setenv("PATH", path, 1);
}
END_TEST

START_TEST(a_secret_goes_before_a_certificate) {
    options.principal_tenant_id = tenant;
    options.principal_client_id = id;
    options.principal_client_secret = secret;
    options.principal_certificate_path = file;
    start_as(SIGN_IN_SERVICE_PRINCIPAL);
    ck_assert_str_eq(sign_in.principal.secret, secret);
}
END_TEST

START_TEST(auto_has_the_order_of_azures_own_sdks) {
    use_identity_endpoint();
    options.workload_tenant_id = options.principal_tenant_id = tenant;
    options.workload_client_id = options.principal_client_id = id;
    options.workload_token_file_path = file;
    options.principal_client_secret = secret;
    start_as(SIGN_IN_AUTO);
    const struct token_source_choice *choices = sign_in.automatic.choices;
    ck_assert_uint_eq(sign_in.automatic.count, 4);
    ck_assert_ptr_eq(choices[0].source, &sign_in.principal.http.base);
    ck_assert_ptr_eq(choices[1].source, &sign_in.workload.http.base);
    ck_assert_ptr_eq(choices[2].source, &sign_in.app_service.http.base);
    ck_assert_ptr_eq(choices[3].source, &sign_in.cli.base);
    for (size_t i = 0; i < sign_in.automatic.count; i++) {
        ck_assert_ptr_nonnull(choices[i].source->name); /* it has been initialised */
    }
}
END_TEST

START_TEST(auto_passes_over_what_is_not_configured) {
    options.principal_tenant_id = options.workload_tenant_id = tenant;
    options.principal_client_id = options.workload_client_id = id;
    start_as(SIGN_IN_AUTO);
    sign_in_stop(&sign_in); /* the sources are the loop's */
    ck_assert_ptr_null(sign_in.automatic.choices[0].source);
    ck_assert_ptr_null(sign_in.automatic.choices[1].source);
    ck_assert_ptr_eq(sign_in.automatic.choices[2].source, &sign_in.imds.http.base);
    ck_assert(sign_in.imds.probe);
}
END_TEST

START_TEST(azures_client_id_is_a_managed_identitys_in_auto_alone) {
    use_identity_endpoint();
    options.azure_client_id = azure_id;
    start_as(SIGN_IN_AUTO);
    ck_assert_str_eq(sign_in.app_service.client_id, azure_id);
    sign_in_stop(&sign_in);
    sign_in_cleanup(&sign_in);
    start_as(SIGN_IN_MANAGED_IDENTITY);
    ck_assert_ptr_null(sign_in.app_service.client_id);
    sign_in_stop(&sign_in);
    sign_in_cleanup(&sign_in);
    options.managed_identity_client_id = id;
    start_as(SIGN_IN_AUTO);
    ck_assert_str_eq(sign_in.app_service.client_id, id);
}
END_TEST

START_TEST(stopping_cuts_a_question_short_that_nobody_answers) {
    use_identity_endpoint();
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_HANG});
    start_as(SIGN_IN_MANAGED_IDENTITY);
    http_fake_wait(fake, 1);
    int64_t before_ms = clock_now_ms(clock_system());
    sign_in_stop(&sign_in);
    ck_assert_int_lt(clock_now_ms(clock_system()) - before_ms, 1000);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("sign_in");
    TCase *tcase = tcase_create("sign_in");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, an_account_with_a_key_or_a_sas_needs_no_token);
    tcase_add_test(tcase, a_mode_by_name_is_that_source_alone);
    tcase_add_test(tcase, a_developers_login_is_a_source_of_its_own);
    tcase_add_test(tcase, a_secret_goes_before_a_certificate);
    tcase_add_test(tcase, auto_has_the_order_of_azures_own_sdks);
    tcase_add_test(tcase, auto_passes_over_what_is_not_configured);
    tcase_add_test(tcase, azures_client_id_is_a_managed_identitys_in_auto_alone);
    tcase_add_test(tcase, stopping_cuts_a_question_short_that_nobody_answers);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
