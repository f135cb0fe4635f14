/*
 * setting.h - one row of the settings table: what a setting is called, what it may be, and where its value goes.
 *
 * Rules        A value that is empty counts as not given, but where a row says that it may be empty. Of a setting and
 *              its alias, the setting wins. A row that is not used is not read, and its value stops nothing.
 *              A refusal is one line: the name as the user wrote it, the value unless it is or might hold a secret, and what
 *              is allowed. Mistakes that are often made are named.
 * Threads: none of its own.
 */
#ifndef SETTINGS_SETTING_H
#define SETTINGS_SETTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "settings/config_source.h"

struct setting;

/*
 * Reads `text` into the field at `out`, whose type each parser names; untouched on failure.
 * STATUS_INVALID_ARGUMENT   not what the row allows
 * STATUS_NO_MEMORY
 */
typedef enum status (*setting_parser)(const struct setting *setting, const char *text, void *out);

/* A word and the enum's value that it stands for. */
struct setting_choice {
    const char *word; /* NULL ends the list */
    int value;
};

/* `base` is the struct that setting_read fills, as far as the rows above have filled it. */
typedef bool (*setting_is_used)(const struct config_source *source, const void *base);

struct setting {
    const char *name;
    const char *alias; /* NULL: none */
    setting_parser parse;
    size_t offset; /* of its field in the struct that setting_read fills */
    int64_t least; /* of a number, of a time span in milliseconds, of a text's characters */
    int64_t most;
    const struct setting_choice *choices;
    bool is_secret;
    bool may_be_empty;
    const char *allowed; /* for people */

    /* What is wrong with a value that is refused, as a sentence's end, static; NULL: nothing more to say. NULL: never. */
    const char *(*explain)(const char *text);
    setting_is_used is_used; /* NULL: always */
};

/* The item that gives the setting its value, borrowed; NULL: not given. */
const struct config_item *setting_find(const struct setting *setting,
                                       const struct config_source *source);

/*
 * Refuses what no setting may be: a reference that Azure has not resolved, or a value in quotes.
 * STATUS_INVALID_ARGUMENT: err has the one line.
 */
enum status setting_check_item(const struct setting *setting, const struct config_item *item,
                               struct error *err) MUST_CHECK;

/*
 * Reads the setting into the struct at `base`; leaves it alone when it is not given or not used.
 * STATUS_INVALID_ARGUMENT   refused, as above
 * STATUS_NO_MEMORY
 */
enum status setting_read(const struct setting *setting, const struct config_source *source,
                         void *base, struct error *err) MUST_CHECK;

/* The refusal of the item's value: STATUS_INVALID_ARGUMENT, and the one line in `err`. */
enum status setting_refuse(const struct setting *setting, const struct config_item *item,
                           struct error *err);

/* A whole number of digits alone within least..most (most < INT64_MAX). False: not that; untouched. */
bool setting_whole_number(const char *text, int64_t least, int64_t most, int64_t *out);

/* Parsers, and the type of their field. */
enum status setting_parse_bool(const struct setting *setting, const char *text,
                               void *out); /* bool */
enum status setting_parse_int(const struct setting *setting, const char *text, void *out); /* int */
enum status setting_parse_ms(const struct setting *setting, const char *text,
                             void *out); /* int64_t: a time span */
enum status setting_parse_choice(const struct setting *setting, const char *text,
                                 void *out); /* int or enum: a word */
enum status setting_parse_text(const struct setting *setting, const char *text,
                               void *out); /* char *, to be freed */

#endif
