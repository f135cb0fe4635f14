#include "base/clean_text.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"

/* A signature has 44 characters, an id 36. No word of a message is so long. */
enum { SECRET_LENGTH = 40 };

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

/* Words before secrets, and how many pieces of text behind them belong to the secret. */
static const struct {
    const char *word;
    int pieces;
    bool needs_colon; /* else it is a word like others: "the Authorization header" */
} names[] = {
    {"authorization", 2, true}, {"sharedkey", 1, false}, {"sharedkeylite", 1, false},
    {"bearer", 1, false},       {"basic", 1, false},     {"sig", 1, true},
    {"signature", 1, true},
};

struct output {
    char *out;
    size_t size, length;
};

static void append(struct output *output, const char *text, size_t length) {
    size_t room = output->size - 1 - output->length;
    size_t taken = length < room ? length : room;
    memcpy(output->out + output->length, text, taken);
    output->length += taken;
}

static void append_removed(struct output *output) {
    append(output, REMOVED, strlen(REMOVED));
}

/* How many of the first `length` characters are of one of the kinds, or, where `inside` is false, of none of them. */
static size_t span(const char *text, size_t length, int of_kinds, bool inside) {
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

/* The index of the name that the piece is, or begins with before a colon; -1: none. `length` is that of all text from the piece on. */
static int find_name(const char *piece, size_t word_length, size_t length) {
    size_t behind =
        word_length + span(piece + word_length, length - word_length, GAP | BACKSLASH, true);
    bool has_colon = behind < length && (piece[behind] == ':' || piece[behind] == '=');
    for (int i = 0; i < (int)(sizeof names / sizeof names[0]); i++) {
        if (strlen(names[i].word) == word_length &&
            strncasecmp(piece, names[i].word, word_length) == 0 &&
            (has_colon || !names[i].needs_colon)) {
            return i;
        }
    }
    return -1;
}

static bool may_be_secret(const char *piece, size_t length) {
    return length >= SECRET_LENGTH || contains(piece, length, "sig=") ||
           contains(piece, length, "sig%3d") || (length > 3 && strncmp(piece, "eyJ", 3) == 0);
}

/* Copies a piece that follows no name. */
static void append_piece(struct output *output, const char *piece, size_t length) {
    size_t address = span(piece, length, QUESTION_MARK, false);
    if (may_be_secret(piece, length)) {
        append_removed(output);
    } else if (address + 1 < length) { /* a query follows */
        append(output, piece, address + 1);
        append_removed(output);
    } else {
        append(output, piece, length);
    }
}

/* Pieces are what stands between spaces and quotes; punctuation at their begin stands alone. */
static void clean(struct output *output, const char *text, size_t length) {
    int secret_pieces = 0;
    for (size_t at = 0; at < length;) {
        const char *piece = text + at;
        size_t gap = span(piece, length - at, GAP | PUNCTUATION, true);
        append(output, piece, gap);
        piece += gap;
        at += gap;
        size_t piece_length = span(piece, length - at, GAP, false);
        size_t word_length = span(piece, piece_length, PUNCTUATION, false);
        int name = secret_pieces > 0 ? -1 : find_name(piece, word_length, length - at);
        if (name >= 0) {
            append(output, piece, word_length);
            secret_pieces = names[name].pieces;
            piece_length = word_length;
        } else if (piece_length > 0 && secret_pieces > 0) {
            append_removed(output);
            secret_pieces--;
        } else {
            append_piece(output, piece, piece_length);
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
    clean(&output, text, line);
    out[output.length] = '\0';
    utf8_make_line(out);
}
