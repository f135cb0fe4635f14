/*
 * input.h - what a fuzz target is handed, cut into the pieces that it needs, and how it says that a
 * promise was broken.
 *
 * A target is a file fuzz_NAME.c with LLVMFuzzerTestOneInput, its seeds are tests/data/fuzz/NAME/;
 * tools/fuzz.sh runs them all.
 *
 * Rules        A piece is memory of its own, of just its size, so that AddressSanitizer sees a byte
 *              read beyond it. A target leaves nothing behind: the same bytes do the same at any
 *              time. It needs no network, and no file but those that it makes.
 * Threads: one.
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

/* A promise that must hold whatever comes in; ends the program, which is a finding. */
#define REQUIRE(promise)                                                          \
    do {                                                                          \
        if (!(promise)) {                                                         \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #promise); \
            abort();                                                              \
        }                                                                         \
    } while (0)

/* What is left of the bytes; not NUL-terminated. */
struct input {
    const char *bytes;
    size_t length;
};

struct input input_of(const uint8_t *data, size_t size);

/*
 * The next byte as one of 0 to `count` - 1, so that in a seed '0', '1', ... are those; 0 at the
 * end.
 */
unsigned input_take_choice(struct input *input, unsigned count);

/*
 * The next line, without its end, or all that is left: a string, cut at a NUL. The caller's to
 * free.
 */
char *input_take_line(struct input *input);
char *input_take_text(struct input *input);

/* All that is left, as bytes that no NUL ends. The caller's to free. */
char *input_take_bytes(struct input *input, size_t *out_length);

/* Is it JSON, in valid UTF-8? */
bool input_is_json(const char *text, size_t length);

/* Are all bytes of `text` among those of `allowed`, and there are `least` to `most` of them? */
bool input_consists_of(const char *text, const char *allowed, size_t least, size_t most);

#endif
