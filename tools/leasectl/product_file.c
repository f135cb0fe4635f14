#include "leasectl/product_file.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "leasectl/operand.h"

/* The longest right line has 146 bytes, without blanks. */
enum { LINE_BYTES = 1024 };

struct line {
    char text[LINE_BYTES]; /* cut if it is too long */
    size_t length;         /* of the whole line, without its LF */
    bool has_zero;
};

#define BYTE_ORDER_MARK "\xEF\xBB\xBF"
#define BLANKS " \t\r"

/* Returns false at the end of the file, or if it cannot be read. */
static bool read_line(FILE *stream, struct line *line) {
    int c;
    line->length = 0;
    line->has_zero = false;
    while ((c = getc(stream)) != EOF && c != '\n') {
        if (line->length < LINE_BYTES - 1) {
            line->text[line->length] = (char)c;
        }
        line->has_zero = line->has_zero || c == '\0';
        line->length++;
    }
    line->text[line->length < LINE_BYTES ? line->length : LINE_BYTES - 1] = '\0';
    return c == '\n' || line->length > 0;
}

/* Cuts the blanks around a value, then its quotes. Returns where it begins. */
static char *trim(char *text) {
    text += strspn(text, BLANKS);
    size_t length = strlen(text);
    while (length > 0 && strchr(BLANKS, text[length - 1]) != NULL) {
        length--;
    }
    if (length >= 2 && text[0] == '"' && text[length - 1] == '"') {
        text++;
        length -= 2;
    }
    text[length] = '\0';
    return text;
}

/* Splits a line into its two values. Returns false if it has another number of them. */
static bool split(char *text, char **out_product, char **out_total) {
    char *comma = strchr(text, ',');
    if (comma == NULL || strchr(comma + 1, ',') != NULL) {
        return false;
    }
    *comma = '\0';
    *out_product = trim(text);
    *out_total = trim(comma + 1);
    return true;
}

static bool is_heading(const char *product, const char *total) {
    return strcasecmp(product, "product") == 0 && strcasecmp(total, "total") == 0;
}

/* ---- the lines ---- */

static int by_id(const void *a, const void *b) {
    return strcmp(((const struct product_line *)a)->product.id,
                  ((const struct product_line *)b)->product.id);
}

/*
 * Adds a copy of a line.
 *
 * STATUS_ALREADY_EXISTS   an earlier line has the product
 * STATUS_NO_MEMORY
 */
static enum status add_line(struct product_file *file, const struct product_line *like,
                            struct error *err) {
    struct product_line *line = malloc(sizeof *line);
    if (line != NULL) {
        *line = *like;
        const struct product_line *const *found = tsearch(line, &file->by_id, by_id);
        if (found != NULL && *found == line) {
            STAILQ_INSERT_TAIL(&file->lines, line, link);
            file->count++;
            return STATUS_OK;
        }
        free(line);
        if (found != NULL) {
            return error_set(err, STATUS_ALREADY_EXISTS, "line %zu has product %s already",
                             (*found)->number, like->product.id);
        }
    }
    return error_set(err, STATUS_NO_MEMORY, "no memory for the products of the file");
}

/* Reads a line into the file, or says in `err` why it is refused. */
static enum status take_line(struct product_file *file, size_t number, struct line *line,
                             struct error *err) {
    struct product_line draft = {.number = number};
    char *product, *total;
    if (line->length >= LINE_BYTES) {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the line has %zu bytes; a right one has "
                         "less than %d",
                         line->length, LINE_BYTES);
    }
    if (!split(line->text, &product, &total)) {
        return error_set(err, STATUS_INVALID_ARGUMENT, "a line is PRODUCT,TOTAL: \"%s\"",
                         line->text);
    }
    if (number == 1 && is_heading(product, total)) {
        return STATUS_OK;
    }
    enum status status = operand_check_product(product, err);
    if (status == STATUS_OK) {
        status = operand_read_total(total, &draft.product.total, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    snprintf(draft.product.id, sizeof draft.product.id, "%s", product);
    return add_line(file, &draft, err);
}

static bool is_empty(const struct line *line) {
    return line->text[strspn(line->text, BLANKS)] == '\0' && line->length < LINE_BYTES;
}

static void drop_byte_order_mark(struct line *line) {
    size_t length = strlen(BYTE_ORDER_MARK);
    if (strncmp(line->text, BYTE_ORDER_MARK, length) == 0) {
        memmove(line->text, line->text + length, strlen(line->text + length) + 1);
    }
}

enum status product_file_read(struct product_file *file, FILE *stream, struct error *err) {
    struct line line;
    STAILQ_INIT(&file->lines);
    errno = 0;
    for (size_t number = 1; read_line(stream, &line); number++) {
        struct error why = {.status = STATUS_OK};
        if (line.has_zero) {
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "line %zu has a zero byte: it is no text in UTF-8", number);
        }
        if (number == 1) {
            drop_byte_order_mark(&line);
        }
        if (is_empty(&line)) {
            continue;
        }
        enum status status = take_line(file, number, &line, &why);
        if (status == STATUS_NO_MEMORY) {
            return error_set(err, status, "%s", why.message);
        }
        if (status != STATUS_OK) {
            file->refuse(file->context, number, &why);
        }
    }
    if (ferror(stream)) {
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s", strerror(errno));
    }
    return STATUS_OK;
}

static void keep_node(void *node) {
    (void)node; /* the list frees the lines */
}

void product_file_cleanup(struct product_file *file) {
    struct product_line *line;
    tdestroy(file->by_id, keep_node);
    file->by_id = NULL;
    while ((line = STAILQ_FIRST(&file->lines)) != NULL) {
        STAILQ_REMOVE_HEAD(&file->lines, link);
        free(line);
    }
}
