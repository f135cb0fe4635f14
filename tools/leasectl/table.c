#include "leasectl/table.h"

#include <libsmartcols/libsmartcols.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"

enum { DIGITS_BYTES = 320 }; /* room for any double without its fraction */

static bool add_columns(struct libscols_table *table, const struct table_column *columns,
                        size_t count) {
    bool complete = true;
    for (size_t i = 0; i < count && complete; i++) {
        int flags = (columns[i].is_number ? SCOLS_FL_RIGHT : 0) | (i == 0 ? SCOLS_FL_TRUNC : 0);
        const char *title = columns[i].title == NULL ? "" : columns[i].title;
        complete = scols_table_new_column(table, title, 1, flags) != NULL;
    }
    return complete;
}

/*
 * Every number in a row is whole. A number that was parsed is a double; an added one is raw text.
 */
static const char *text_of(const cJSON *value, char digits[DIGITS_BYTES]) {
    if (cJSON_IsNumber(value)) {
        snprintf(digits, DIGITS_BYTES, "%.0f", value->valuedouble);
        return digits;
    }
    return cJSON_IsString(value) || cJSON_IsRaw(value) ? value->valuestring : "-";
}

static bool add_rows(struct libscols_table *table, const struct table_column *columns, size_t count,
                     const cJSON *rows) {
    const cJSON *row;
    cJSON_ArrayForEach(row, rows) {
        struct libscols_line *line = scols_table_new_line(table, NULL);
        if (line == NULL) {
            return false;
        }
        for (size_t i = 0; i < count; i++) {
            char digits[DIGITS_BYTES];
            const cJSON *value = cJSON_GetObjectItemCaseSensitive(row, columns[i].key);
            if (scols_line_set_data(line, i, text_of(value, digits)) != 0) {
                return false;
            }
        }
    }
    return true;
}

/* Returns the headings alone, because libsmartcols prints nothing for a table without rows. */
static char *headings(const struct table_column *columns, size_t count) {
    struct strbuf text;
    strbuf_init(&text, 1024);
    for (size_t i = 0; i < count && columns[0].title != NULL; i++) {
        strbuf_appendf(&text, "%s%s", i == 0 ? "" : " ", columns[i].title);
    }
    strbuf_append_string(&text, columns[0].title == NULL ? "" : "\n");
    char *copy = strbuf_status(&text) == STATUS_OK ? strdup(text.data) : NULL;
    strbuf_cleanup(&text);
    return copy;
}

/* Adds a line break at the end, which libsmartcols leaves out. */
static char *print_table(struct libscols_table *table) {
    char *text = NULL;
    if (scols_print_table_to_string(table, &text) != 0) {
        return NULL;
    }
    char *ended = NULL;
    if (text != NULL && asprintf(&ended, "%s\n", text) < 0) {
        ended = NULL;
    }
    free(text);
    return ended;
}

static char *draw_table(const struct table_column *columns, size_t count, const cJSON *rows,
                        bool fits) {
    struct libscols_table *table = scols_new_table();
    if (table == NULL) {
        return NULL;
    }
    char *text = NULL;
    scols_table_set_termforce(table, fits ? SCOLS_TERMFORCE_ALWAYS : SCOLS_TERMFORCE_NEVER);
    if (scols_table_enable_noheadings(table, columns[0].title == NULL) == 0 &&
        add_columns(table, columns, count) && add_rows(table, columns, count, rows)) {
        text = print_table(table);
    }
    scols_unref_table(table);
    return text;
}

/*
 * The user's locale decides which characters can be printed. It applies only while the table is
 * drawn. Elsewhere it would change how names of settings and HTTP headers compare without case: in
 * Turkish, I is not the capital of i.
 */
char *table_text(const struct table_column *columns, size_t count, const cJSON *rows, bool fits) {
    if (cJSON_GetArraySize(rows) == 0) {
        return headings(columns, count);
    }
    locale_t user_locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
    locale_t previous = user_locale == (locale_t)0 ? (locale_t)0 : uselocale(user_locale);
    char *text = draw_table(columns, count, rows, fits);
    if (user_locale != (locale_t)0) {
        uselocale(previous);
        freelocale(user_locale);
    }
    return text;
}
