#include "fuzz/input.h"

#include <string.h>

#include "base/json.h"

struct input input_of(const uint8_t *data, size_t size) {
    return (struct input){(const char *)data, size};
}

unsigned input_take_choice(struct input *input, unsigned count) {
    if (input->length == 0) {
        return 0;
    }
    unsigned byte = (unsigned char)(*input->bytes - '0');
    input->bytes++;
    input->length--;
    return byte % count;
}

/* Returns a copy of the next `length` bytes, with `extra` zeros behind them. */
static char *take(struct input *input, size_t length, size_t extra) {
    char *piece = calloc(1, length + extra);
    REQUIRE(piece != NULL || length + extra == 0);
    if (length > 0) {
        memcpy(piece, input->bytes, length);
        input->bytes += length;
        input->length -= length;
    }
    return piece;
}

/* Shrinks a string to its NUL, so that it ends where its memory does. */
static char *fit(char *text) {
    char *fitting = strdup(text);
    REQUIRE(fitting != NULL);
    free(text);
    return fitting;
}

char *input_take_line(struct input *input) {
    const char *end = input->length > 0 ? memchr(input->bytes, '\n', input->length) : NULL;
    char *line = take(input, end != NULL ? (size_t)(end - input->bytes) : input->length, 1);
    if (end != NULL) {
        input->bytes++;
        input->length--;
    }
    return fit(line);
}

char *input_take_text(struct input *input) {
    return fit(take(input, input->length, 1));
}

char *input_take_bytes(struct input *input, size_t *out_length) {
    *out_length = input->length;
    return take(input, input->length, 0);
}

bool input_is_json(const char *text, size_t length) {
    cJSON *json = NULL;
    if (json_parse(text, length, &json, NULL) != STATUS_OK) {
        return false;
    }
    cJSON_Delete(json);
    return true;
}

bool input_consists_of(const char *text, const char *allowed, size_t least, size_t most) {
    size_t length = strlen(text);
    return length >= least && length <= most && strspn(text, allowed) == length;
}
