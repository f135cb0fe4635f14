/* Answers to List Blobs: XML, as leasectl reads it. */
#include <string.h>

#include "base/utf8.h"
#include "fuzz/input.h"
#include "leasectl/blob_list.h"

enum { MOST_BLOBS = 8, MARKER_BYTES = 100 };

struct visits {
    unsigned count;
    unsigned most; /* the visit after so many fails */
};

static bool is_text(const char *text, size_t bytes) {
    const char *end = memchr(text, '\0', bytes);
    return end != NULL && utf8_is_valid(text, (size_t)(end - text));
}

static enum status visit(void *context, const struct blob_item *item, struct error *err) {
    struct visits *visits = context;
    REQUIRE(visits->count <= visits->most); /* no visit follows the one that failed */
    REQUIRE(is_text(item->name, sizeof item->name) &&
            is_text(item->lease_state, sizeof item->lease_state));
    REQUIRE(is_text(item->lease_duration, sizeof item->lease_duration));
    REQUIRE(is_text(item->created_at, sizeof item->created_at));
    return visits->count++ == visits->most ? error_set(err, STATUS_NO_MEMORY, "no more")
                                           : STATUS_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = input_of(data, size);
    struct visits visits = {.most = input_take_choice(&input, MOST_BLOBS)};
    size_t length;
    char *xml = input_take_bytes(&input, &length);
    struct strbuf marker;
    strbuf_init(&marker, MARKER_BYTES);
    struct error err = {0};
    enum status status = blob_list_read_page(xml, length, visit, &visits, &marker, &err);
    REQUIRE((status == STATUS_NO_MEMORY) == (visits.count > visits.most));
    if (status == STATUS_OK) {
        REQUIRE(is_text(marker.data, marker.length + 1));
    } else {
        REQUIRE((status == STATUS_NO_MEMORY || status == STATUS_MALFORMED) && err.status == status);
    }
    strbuf_cleanup(&marker);
    free(xml);
    return 0;
}
