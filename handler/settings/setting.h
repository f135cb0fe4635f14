/*
 * setting.h - one row of the settings table: what a setting is called, what it allows, where its
 * value goes, and what docs/settings.md says of it.
 *
 * Rules        An empty value means "use the default", unless the row says that it may be empty:
 *              then it is kept as the empty text.
 *              If both a setting and its alias are given, the setting wins.
 *              A row that is not used is not read, so its value cannot stop the start.
 *              A refusal is one line: the name as the user wrote it, the value, and what is
 *              allowed. A value that is or may hold a secret is not shown. Frequent mistakes are
 *              named.
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
 * Reads `text` into the field at `out`. Each parser names the type of its field.
 *
 * STATUS_INVALID_ARGUMENT   the row does not allow the text
 * STATUS_NO_MEMORY
 */
typedef enum status (*setting_parser)(const struct setting *setting, const char *text, void *out);

/* A word and the value of an enum that it stands for. */
struct setting_choice {
    const char *word; /* NULL ends the list */
    int value;
};

/* `base` is the struct that setting_read fills. The rows above this one have already been read. */
typedef bool (*setting_is_used)(const struct config_source *source, const void *base);

/* The parts of docs/settings.md, in its order. */
enum setting_group {
    SETTING_ACCOUNT,
    SETTING_SIGN_IN,
    SETTING_LEASES,
    SETTING_INVENTORY,
    SETTING_HANDLER,
    SETTING_GROUPS
};

struct setting {
    const char *name;
    const char *alias; /* NULL: none */
    setting_parser parse;
    size_t offset; /* of its field in the struct that setting_read fills */
    int64_t least; /* of a number, of a time span in milliseconds, of the characters of a text */
    int64_t most;
    const struct setting_choice *choices;
    const char *allowed; /* in words */

    /*
     * Returns what is wrong with a refused value, as the end of a sentence, or NULL. May be NULL.
     */
    const char *(*explain)(const char *text);
    setting_is_used is_used; /* NULL: always */

    /*
     * `default_text` is the default, in the form in which a user would write it; the row's parser
     * reads it. Where the default depends on other settings, `default_note` says how, and
     * `default_text` is NULL.
     */
    const char *default_text;
    const char *default_note;

    const char *about; /* what the setting is for, in Markdown */
    enum setting_group group;
    bool is_secret;
    bool may_be_empty;
};

/* Returns the item that gives the setting its value, borrowed, or NULL if it is not given. */
const struct config_item *setting_find(const struct setting *setting,
                                       const struct config_source *source);

/*
 * Refuses values that no setting may have: a reference that Azure has not resolved, and a value in
 * quotes.
 *
 * STATUS_INVALID_ARGUMENT   it is one of these; the message is the line to print
 */
enum status setting_check_item(const struct setting *setting, const struct config_item *item,
                               struct error *err) MUST_CHECK;

/* Sets the field of the setting in the struct at `base` to its default, if the row has one. */
void setting_set_standard(const struct setting *setting, void *base);

/*
 * Reads the setting into the struct at `base`. The field is untouched if the setting is not given
 * or not used.
 *
 * STATUS_INVALID_ARGUMENT   the value is refused; the message is the line to print
 * STATUS_NO_MEMORY
 */
enum status setting_read(const struct setting *setting, const struct config_source *source,
                         void *base, struct error *err) MUST_CHECK;

/* Writes the line that refuses the item's value, and returns STATUS_INVALID_ARGUMENT. */
enum status setting_refuse(const struct setting *setting, const struct config_item *item,
                           struct error *err);

/*
 * Reads a whole number that consists of digits alone and lies within least..most. `most` is below
 * INT64_MAX. Returns false for anything else.
 */
bool setting_whole_number(const char *text, int64_t least, int64_t most, int64_t *out);

/* ---- parsers, each with the type of its field ---- */

/* bool */
enum status setting_parse_bool(const struct setting *setting, const char *text, void *out);

/* int: a whole number */
enum status setting_parse_int(const struct setting *setting, const char *text, void *out);

/* int64_t: a time span in milliseconds */
enum status setting_parse_ms(const struct setting *setting, const char *text, void *out);

/* int or enum: one of the row's words */
enum status setting_parse_choice(const struct setting *setting, const char *text, void *out);

/* char *, to be freed: UTF-8 without control characters */
enum status setting_parse_text(const struct setting *setting, const char *text, void *out);

#endif
