/*
 * Answers to entity group transactions: a multipart body, under a Content-Type that names its
 * boundary.
 */
#include <string.h>

#include "base/utf8.h"
#include "fuzz/input.h"
#include "storage/table_batch.h"

enum { MOST_OPERATIONS = 4 };

static bool ends(const char *text, size_t bytes) {
    return memchr(text, '\0', bytes) != NULL;
}

static void check_accepted(const struct table_batch_answer *answer, size_t count, const char *body,
                           size_t length) {
    bool succeeded = answer->http_status == 204;
    REQUIRE(succeeded ||
            (answer->http_status >= 400 && answer->http_status <= 599 && answer->code[0] != '\0'));
    REQUIRE(answer->answer_count >= 1);
    REQUIRE(ends(answer->code, sizeof answer->code) &&
            ends(answer->message, sizeof answer->message));
    REQUIRE(ends(answer->first_etag, sizeof answer->first_etag));
    REQUIRE(strpbrk(answer->code, "\r\n") == NULL && strpbrk(answer->message, "\r\n") == NULL);
    if (succeeded) {
        REQUIRE((size_t)answer->answer_count == count && answer->code[0] == '\0' &&
                answer->message[0] == '\0');
    }
    /* The status line and the ETag that were read stand in the body. */
    char status[16];
    snprintf(status, sizeof status, " %d", answer->http_status);
    REQUIRE(memmem(body, length, status, strlen(status)) != NULL);
    REQUIRE(strpbrk(answer->first_etag, "\r\n") == NULL);
    REQUIRE(memmem(body, length, answer->first_etag, strlen(answer->first_etag)) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = input_of(data, size);
    size_t count = 1 + input_take_choice(&input, MOST_OPERATIONS), length;
    char *content_type = input_take_line(&input);
    char *body = input_take_bytes(&input, &length);
    struct table_batch_answer answer, before;
    memset(&answer, 0x5a, sizeof answer);
    before = answer;
    struct error err = {0};
    if (table_batch_read(content_type, body, length, count, &answer, &err) == STATUS_OK) {
        check_accepted(&answer, count, body, length);
    } else {
        REQUIRE(err.status == STATUS_MALFORMED && memcmp(&answer, &before, sizeof before) == 0);
    }
    free(body);
    free(content_type);
    return 0;
}
