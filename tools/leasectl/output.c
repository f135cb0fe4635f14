#include "leasectl/output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum status output_text(const char *text, struct error *err) {
    if (text == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "no memory to print the result");
    }
    if (fputs(text, stdout) == EOF || fflush(stdout) == EOF) {
        return error_set(err, STATUS_UNAVAILABLE, "writing the result: %s", strerror(errno));
    }
    return STATUS_OK;
}

enum status output_json(const cJSON *value, struct error *err) {
    char *text = value == NULL ? NULL : cJSON_PrintUnformatted(value);
    enum status status = output_text(text, err);
    cJSON_free(text);
    return status == STATUS_OK ? output_text("\n", err) : status;
}

enum status output_row(const struct output *output, const struct table_column *columns,
                       size_t count, cJSON *row, struct error *err) {
    if (output->json || row == NULL) {
        return output_json(row, err);
    }
    cJSON *rows = cJSON_CreateArray();
    bool complete = cJSON_AddItemReferenceToArray(rows, row);
    enum status status =
        complete ? output_rows(output, columns, count, rows, err) : output_text(NULL, err);
    cJSON_Delete(rows);
    return status;
}

enum status output_rows(const struct output *output, const struct table_column *columns,
                        size_t count, const cJSON *rows, struct error *err) {
    if (output->json) {
        return output_json(rows, err);
    }
    char *text = table_text(columns, count, rows, false);
    enum status status = output_text(text, err);
    free(text);
    return status;
}
