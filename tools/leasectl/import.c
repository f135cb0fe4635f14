#include "leasectl/import.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "inventory/inventory_store_wait.h"
#include "leasectl/product_file.h"

enum { PROGRESS_MS = 200 };

struct import {
    struct services *services;
    struct product_file file;
    bool shows_progress; /* stderr is a terminal */
    int64_t shown_ms;    /* when the progress was shown last */
    int64_t created, existing, refused;
};

/* ---- stderr ---- */

/* Moves to the start of the line, and erases it. (Source: "XTerm Control Sequences".) */
static void clear_progress(const struct import *import) {
    if (import->shows_progress) {
        fputs("\r\033[K", stderr);
    }
}

static void show_progress(struct import *import, size_t done) {
    int64_t now_ms = clock_now_ms(import->services->platform.clock);
    if (import->shows_progress && now_ms - import->shown_ms >= PROGRESS_MS) {
        import->shown_ms = now_ms;
        fprintf(stderr, "\r\033[K%zu of %zu products", done, import->file.count);
    }
}

static void refuse_line(void *context, size_t number, const struct error *why) {
    struct import *import = context;
    import->refused++;
    clear_progress(import);
    fprintf(stderr, "leasectl: line %zu: %s\n", number, why->message);
}

/* ---- the import ---- */

static enum status read_file(struct import *import, const char *path, struct error *err) {
    FILE *stream = fopen(path, "re");
    if (stream == NULL) {
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s: %s", path, strerror(errno));
    }
    enum status status = product_file_read(&import->file, stream, err);
    fclose(stream);
    if (status != STATUS_OK) {
        error_wrap(err, "%s", path);
    } else if (import->file.count == 0 && import->refused == 0) {
        status = error_set(err, STATUS_PRECONDITION_FAILED, "%s names no product", path);
    }
    return status;
}

static enum status create_product(struct import *import, const struct product_line *line,
                                  struct error *err) {
    struct error why;
    enum status status =
        inventory_store_add_and_wait(&import->services->table_store, &line->product, &why);
    if (status == STATUS_OK) {
        import->created++;
    } else if (status == STATUS_ALREADY_EXISTS) {
        import->existing++;
    } else if (status == STATUS_PRECONDITION_FAILED) {
        refuse_line(import, line->number, &why);
    } else {
        return error_set(err, status,
                         "line %zu: adding product %s: %s. The lines before it are done. To go on, "
                         "run the import again",
                         line->number, line->product.id, why.message);
    }
    return STATUS_OK;
}

static enum status create_products(struct import *import, struct interrupt *interrupt,
                                   struct error *err) {
    const struct product_line *line;
    enum status status = STATUS_OK;
    size_t done = 0;
    STAILQ_FOREACH(line, &import->file.lines, link) {
        if (interrupt_wait(interrupt, 0)) {
            status = error_set(err, STATUS_CANCELLED,
                               "interrupted before line %zu. The lines before it are done. To go "
                               "on, run the import again",
                               line->number);
        } else {
            status = create_product(import, line, err);
        }
        if (status != STATUS_OK) {
            break;
        }
        show_progress(import, ++done);
    }
    clear_progress(import);
    return status;
}

static enum status print_result(const struct import *import, const struct output *output,
                                struct error *err) {
    static const struct table_column columns[] = {
        {"created", "CREATED", true}, {"existing", "EXISTING", true}, {"refused", "REFUSED", true}};
    cJSON *row = cJSON_CreateObject();
    bool complete = json_add_int64(row, "created", import->created) &&
                    json_add_int64(row, "existing", import->existing) &&
                    json_add_int64(row, "refused", import->refused);
    enum status status =
        output_row(output, columns, sizeof columns / sizeof columns[0], complete ? row : NULL, err);
    cJSON_Delete(row);
    return status;
}

enum status import_run(struct services *services, const struct output *output, const char *path,
                       struct interrupt *interrupt, struct error *err) {
    struct import import = {.services = services,
                            .file = {.lines = STAILQ_HEAD_INITIALIZER(import.file.lines),
                                     .refuse = refuse_line,
                                     .context = &import},
                            .shows_progress = isatty(STDERR_FILENO) == 1};
    enum status status = read_file(&import, path, err);
    if (status == STATUS_OK) {
        status = create_products(&import, interrupt, err);
    }
    if (status == STATUS_OK) {
        status = print_result(&import, output, err);
    }
    if (status == STATUS_OK && import.refused > 0) {
        status =
            error_set(err, STATUS_PRECONDITION_FAILED, "%s: %" PRId64 " of its lines %s refused",
                      path, import.refused, import.refused == 1 ? "was" : "were");
    }
    product_file_cleanup(&import.file);
    return status;
}
