#include "leasectl/blob_list.h"

#include <stdio.h>
#include <string.h>

#include "support/fakes/fake_storage_steps.h"
#include "support/processes/check_main.h"

enum { MAX_BLOBS = 4 };

#define PAGE(blobs, marker)                                                           \
    "\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults "      \
    "ServiceEndpoint=\"http://x/\" "                                                  \
    "ContainerName=\"leases\"><Prefix>lease-</Prefix><Blobs>" blobs "</Blobs>" marker \
    "</EnumerationResults>"
#define BLOB(name, properties, metadata)                                                          \
    "<Blob><Name>" name "</Name><Properties><Etag>0x1</Etag>" properties "</Properties>" metadata \
    "</Blob>"
#define LEASED                                                                                    \
    BLOB("lease-a",                                                                               \
         "<LeaseStatus>locked</LeaseStatus><LeaseState>leased</LeaseState><LeaseDuration>fixed</" \
         "LeaseDuration>",                                                                        \
         "<Metadata><leaseName>a</leaseName><createdAt>2025-01-19T14:45:30.123Z</createdAt>"      \
         "<LeaseState>a lie</LeaseState></Metadata>")
#define FREE BLOB("lease-b", "<LeaseState>available</LeaseState>", "")

static struct blob_item items[MAX_BLOBS];
static int count;

static void set_up(void) {
    open_fake();
    count = 0;
}

static enum status take(void *context, const struct blob_item *item, struct error *failure) {
    const int *most = context;
    if (most != NULL && count == *most) {
        return error_set(failure, STATUS_NO_MEMORY, "no more");
    }
    ck_assert_int_lt(count, MAX_BLOBS);
    items[count++] = *item;
    return STATUS_OK;
}

static enum status list(void) {
    return blob_list(&storage.client, "leases", "lease-", deadline(), take, NULL, &err);
}

static void push(const char *body) {
    http_fake_push(fake, &(struct http_fake_answer){.headers = "Content-Type: application/xml\r\n",
                                                    .body = body});
}

START_TEST(a_blob_comes_with_its_lease_and_its_age) {
    push(PAGE(LEASED FREE, "<NextMarker />"));
    ck_assert_msg(list() == STATUS_OK, "%s", err.message);
    ck_assert_int_eq(count, 2);
    ck_assert_str_eq(items[0].name, "lease-a");
    ck_assert_str_eq(items[0].lease_state, "leased");
    ck_assert_str_eq(items[0].lease_duration, "fixed");
    ck_assert_str_eq(items[0].created_at, "2025-01-19T14:45:30.123Z");
    ck_assert_str_eq(items[1].name, "lease-b");
    ck_assert_str_eq(items[1].lease_state, "available");
    ck_assert_str_eq(items[1].lease_duration, "");
    ck_assert_str_eq(items[1].created_at, "");
    ck_assert_str_eq(http_fake_request(fake, 0)->method, "GET");
    ck_assert_str_eq(http_fake_request(fake, 0)->target,
                     "/acct/leases?restype=container&comp=list&include=metadata&prefix=lease-");
}
END_TEST

START_TEST(markers_are_followed_to_the_end) {
    push(PAGE(LEASED, "<NextMarker>2!8 a&amp;b</NextMarker>"));
    push(PAGE("", "<NextMarker>next</NextMarker>")); /* a page may be empty */
    push(PAGE(FREE, "<NextMarker/>"));
    ck_assert_msg(list() == STATUS_OK, "%s", err.message);
    ck_assert_int_eq(count, 2);
    ck_assert_uint_eq(http_fake_count(fake), 3);
    ck_assert_ptr_nonnull(strstr(http_fake_request(fake, 1)->target, "&marker=2%218%20a%26b"));
    ck_assert_ptr_nonnull(strstr(http_fake_request(fake, 2)->target, "&marker=next"));
}
END_TEST

START_TEST(characters_that_xml_escapes_are_read_as_they_are) {
    push(PAGE(BLOB("lease-&lt;a&gt; &amp; &#233;", "<LeaseState>available</LeaseState>", ""), ""));
    ck_assert_int_eq(list(), STATUS_OK);
    ck_assert_str_eq(items[0].name, "lease-<a> & é");
}
END_TEST

START_TEST(an_answer_that_is_no_such_list_is_malformed) {
    static const char *const bodies[] = {"", "{\"value\":[]}", "<EnumerationResults><Blobs>",
                                         "<Error><Code>x</Code></Error>",
                                         "<EnumerationResults></Blobs>"};
    push(bodies[_i]);
    ck_assert_int_eq(list(), STATUS_MALFORMED);
    ck_assert_int_eq(count, 0);
    ck_assert_uint_eq(http_fake_count(fake), 1);
}
END_TEST

START_TEST(a_name_or_marker_that_is_too_long_is_malformed_rather_than_cut) {
    static char body[BLOB_LIST_TEXT_BYTES + 512], text[BLOB_LIST_TEXT_BYTES + 1];
    static const char *const forms[] = {PAGE("<Blob><Name>%s</Name></Blob>", ""),
                                        PAGE("", "<NextMarker>%s</NextMarker>")};
    memset(text, 'x', BLOB_LIST_TEXT_BYTES);
    snprintf(body, sizeof body, "%s", forms[_i]);
    char *place = strstr(body, "%s");
    char rest[256];
    snprintf(rest, sizeof rest, "%s", place + 2);
    sprintf(place, "%s%s", text, rest);
    push(body);
    ck_assert_int_eq(list(), STATUS_MALFORMED);
    ck_assert_int_eq(count, 0);
}
END_TEST

START_TEST(a_member_that_is_too_long_is_not_there_rather_than_cut) {
    push(PAGE(BLOB("lease-a", "<LeaseState>leased</LeaseState>",
                   "<Metadata><createdAt>"
                   "0123456789012345678901234567890123456789012345678901234567890123</createdAt>"
                   "</Metadata>"),
              ""));
    ck_assert_int_eq(list(), STATUS_OK);
    ck_assert_str_eq(items[0].lease_state, "leased");
    ck_assert_str_eq(items[0].created_at, "");
}
END_TEST

START_TEST(a_visitor_that_fails_ends_the_list) {
    struct strbuf marker;
    int most = 1;
    strbuf_init(&marker, 100);
    static const char page[] = PAGE(LEASED FREE FREE, "<NextMarker>x</NextMarker>");
    ck_assert_int_eq(blob_list_read_page(page, strlen(page), take, &most, &marker, &err),
                     STATUS_NO_MEMORY);
    ck_assert_int_eq(count, 1);
    ck_assert_ptr_nonnull(strstr(err.message, "no more"));
    strbuf_cleanup(&marker);
}
END_TEST

START_TEST(a_container_that_is_missing_is_told) {
    http_fake_push(fake, &(struct http_fake_answer){
                             .status = 404, .headers = "x-ms-error-code: ContainerNotFound\r\n"});
    ck_assert_int_eq(list(), STATUS_CONTAINER_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.message, "leases"));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("blob_list");
    TCase *listing = tcase_create("listing");
    tcase_add_checked_fixture(listing, set_up, close_fake);
    tcase_add_test(listing, a_blob_comes_with_its_lease_and_its_age);
    tcase_add_test(listing, markers_are_followed_to_the_end);
    tcase_add_test(listing, characters_that_xml_escapes_are_read_as_they_are);
    tcase_add_loop_test(listing, an_answer_that_is_no_such_list_is_malformed, 0, 5);
    tcase_add_loop_test(listing, a_name_or_marker_that_is_too_long_is_malformed_rather_than_cut, 0,
                        2);
    tcase_add_test(listing, a_member_that_is_too_long_is_not_there_rather_than_cut);
    tcase_add_test(listing, a_visitor_that_fails_ends_the_list);
    tcase_add_test(listing, a_container_that_is_missing_is_told);
    suite_add_tcase(suite, listing);
    return check_main(suite);
}
