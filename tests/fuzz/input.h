/*
 * input.h - the bytes that a fuzz target is given, cut into the pieces that it needs, and how it
 * says that a promise was broken.
 *
 * A target is a file fuzz_NAME.c with LLVMFuzzerTestOneInput. Its seeds are in
 * tests/data/fuzz/NAME/. tools/fuzz.sh runs all targets.
 *
 * Rules   A piece is memory of its own, of exactly its size, so that AddressSanitizer sees a byte
 *         read beyond it.
 *         A target leaves nothing behind: the same bytes do the same at any time. It needs no
 *         network, and no file but those that it makes.
 * Threads One.
 */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* libFuzzer calls these. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Checks a promise that must hold for any input. Otherwise ends the program: a finding. */
#define REQUIRE(promise)                                                          \
    do {                                                                          \
        if (!(promise)) {                                                         \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #promise); \
            abort();                                                              \
        }                                                                         \
    } while (0)

/* The bytes that are left; not NUL-terminated. */
struct input {
    const char *bytes;
    size_t length;
};

struct input input_of(const uint8_t *data, size_t size);

/*
 * Takes a byte and returns a number from 0 to `count` - 1, which in a seed is '0', '1' and so on.
 * Returns 0 at the end.
 */
unsigned input_take_choice(struct input *input, unsigned count);

/* Take the next line without its end, or all that is left: a string, cut at a NUL. To be freed. */
char *input_take_line(struct input *input);
char *input_take_text(struct input *input);

/* Takes all that is left, as bytes that no NUL ends. To be freed. */
char *input_take_bytes(struct input *input, size_t *out_length);

/* Returns true for JSON in valid UTF-8. */
bool input_is_json(const char *text, size_t length);

/* Returns true if `text` has `least` to `most` bytes, all of them among `allowed`. */
bool input_consists_of(const char *text, const char *allowed, size_t least, size_t most);

#endif
