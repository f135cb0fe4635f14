/* Files of products, as leasectl imports them. */
#include <string.h>

#include "fuzz/input.h"
#include "inventory/inventory.h"
#include "leasectl/product_file.h"
#include "settings/setting_rules.h"

struct refusals {
    size_t count;
    size_t last_number;
};

static void refuse(void *context, size_t number, const struct error *why) {
    struct refusals *refusals = context;
    REQUIRE(number > refusals->last_number && why->status != STATUS_OK);
    refusals->last_number = number;
    refusals->count++;
}

static void check_lines(const struct product_file *file) {
    const struct product_line *line;
    size_t count = 0, last_number = 0;
    STAILQ_FOREACH(line, &file->lines, link) {
        REQUIRE(line->number > last_number);
        REQUIRE(inventory_is_product_id(line->product.id));
        REQUIRE(line->product.total >= 0 && line->product.total <= SEED_MAX_TOTAL);
        last_number = line->number;
        count++;
    }
    REQUIRE(count == file->count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct refusals refusals = {0};
    struct product_file file = {.refuse = refuse, .context = &refusals};
    struct input input = input_of(data, size);
    struct error err = {0};
    size_t length;
    char *bytes = input_take_bytes(&input, &length);
    FILE *stream = length == 0 ? NULL : fmemopen(bytes, length, "r");
    if (stream != NULL) {
        enum status status = product_file_read(&file, stream, &err);
        bool is_text = memchr(bytes, '\0', length) == NULL;
        REQUIRE(status == (is_text ? STATUS_OK : STATUS_INVALID_ARGUMENT));
        check_lines(&file);
        product_file_cleanup(&file);
        fclose(stream);
    }
    free(bytes);
    return 0;
}
