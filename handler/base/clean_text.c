#include "base/clean_text.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"

/* A signature has 44 characters and an id 36. No word of a message is this long. */
enum { SECRET_LENGTH = 40 };

/* The kinds of characters at which a line is cut into pieces, as bits. */
enum { GAP = 1, PUNCTUATION = 2, BACKSLASH = 4, QUESTION_MARK = 8 };
static const unsigned char kinds[UCHAR_MAX + 1] = {
    [' '] = GAP,           ['\t'] = GAP,
    ['"'] = GAP,           ['\''] = GAP,
    ['<'] = GAP,           ['>'] = GAP,
    ['`'] = GAP,           [':'] = PUNCTUATION,
    ['='] = PUNCTUATION,   [','] = PUNCTUATION,
    [';'] = PUNCTUATION,   ['('] = PUNCTUATION,
    [')'] = PUNCTUATION,   ['{'] = PUNCTUATION,
    ['}'] = PUNCTUATION,   ['['] = PUNCTUATION,
    [']'] = PUNCTUATION,   ['|'] = PUNCTUATION,
    ['?'] = QUESTION_MARK, ['\\'] = PUNCTUATION | BACKSLASH,
};

#define REMOVED "***"

/*
 * Words that stand before secrets, and how many pieces after them are the secret. A word that needs
 * a colon is otherwise ordinary text: "the Authorization header".
 */
static const struct {
    const char *word;
    int pieces;
    bool needs_colon;
} secret_names[] = {
    {"authorization", 2, true}, {"sharedkey", 1, false}, {"sharedkeylite", 1, false},
    {"bearer", 1, false},       {"basic", 1, false},     {"sig", 1, true},
    {"signature", 1, true},
};

struct output {
    char *out;
    size_t size, length;
};

static void output_append(struct output *output, const char *text, size_t length) {
    size_t room = output->size - 1 - output->length;
    size_t taken = length < room ? length : room;
    memcpy(output->out + output->length, text, taken);
    output->length += taken;
}

static void output_append_removed(struct output *output) {
    output_append(output, REMOVED, strlen(REMOVED));
}

/*
 * Returns how many characters at the start of `text` are of one of the kinds, or, with `inside`
 * false, of none of them.
 */
static size_t span_length(const char *text, size_t length, int of_kinds, bool inside) {
    size_t count = 0;
    while (count < length && ((kinds[(unsigned char)text[count]] & of_kinds) != 0) == inside) {
        count++;
    }
    return count;
}

/* `word` begins with a small letter. */
static bool contains(const char *text, size_t length, const char *word) {
    size_t word_length = strlen(word);
    for (size_t at = 0; at + word_length <= length; at++) { /* a letter's bit 5 is its case */
        if ((text[at] | 0x20) == word[0] && strncasecmp(text + at, word, word_length) == 0) {
            return true;
        }
    }
    return false;
}

/*
 * Returns the index of the name that a piece begins with, or -1. `word_length` is the piece up to
 * its first punctuation; `length` is all the text from the piece to the end of the line.
 */
static int find_name(const char *piece, size_t word_length, size_t length) {
    size_t behind =
        word_length + span_length(piece + word_length, length - word_length, GAP | BACKSLASH, true);
    bool has_colon = behind < length && (piece[behind] == ':' || piece[behind] == '=');
    for (int i = 0; i < (int)(sizeof secret_names / sizeof secret_names[0]); i++) {
        if (strlen(secret_names[i].word) == word_length &&
            strncasecmp(piece, secret_names[i].word, word_length) == 0 &&
            (has_colon || !secret_names[i].needs_colon)) {
            return i;
        }
    }
    return -1;
}

static bool may_be_secret(const char *piece, size_t length) {
    return length >= SECRET_LENGTH || contains(piece, length, "sig=") ||
           contains(piece, length, "sig%3d") || (length > 3 && strncmp(piece, "eyJ", 3) == 0);
}

/*
 * Copies a piece that follows no name. If it looks secret it is removed; so is an address's query.
 */
static void clean_piece(struct output *output, const char *piece, size_t length) {
    size_t address = span_length(piece, length, QUESTION_MARK, false);
    if (may_be_secret(piece, length)) {
        output_append_removed(output);
    } else if (address + 1 < length) {
        output_append(output, piece, address + 1);
        output_append_removed(output);
    } else {
        output_append(output, piece, length);
    }
}

/*
 * A piece is the text between two spaces or quotes, without the punctuation before it. A name sets
 * how many of the next pieces are removed.
 */
static void clean_line(struct output *output, const char *text, size_t length) {
    int secret_pieces = 0;
    for (size_t at = 0; at < length;) {
        const char *piece = text + at;
        size_t gap = span_length(piece, length - at, GAP | PUNCTUATION, true);
        output_append(output, piece, gap);
        piece += gap;
        at += gap;
        size_t piece_length = span_length(piece, length - at, GAP, false);
        size_t word_length = span_length(piece, piece_length, PUNCTUATION, false);
        int name = secret_pieces > 0 ? -1 : find_name(piece, word_length, length - at);
        if (name >= 0) {
            output_append(output, piece, word_length);
            secret_pieces = secret_names[name].pieces;
            piece_length = word_length;
        } else if (piece_length > 0 && secret_pieces > 0) {
            output_append_removed(output);
            secret_pieces--;
        } else {
            clean_piece(output, piece, piece_length);
        }
        at += piece_length;
    }
}

void clean_text_copy(const char *text, size_t length, char *out, size_t size) {
    struct output output = {.out = out, .size = size};
    size_t line = 0;
    while (line < length && text[line] != '\0' && text[line] != '\r' && text[line] != '\n') {
        line++;
    }
    clean_line(&output, text, line);
    out[output.length] = '\0';
    utf8_make_line(out);
}
