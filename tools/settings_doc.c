/*
 * settings_doc.c - prints docs/settings.md, which is made from the settings table.
 *
 * tools/docs.sh writes the page; tools/lint.sh checks that it is up to date.
 */
#include <stdio.h>
#include <string.h>

#include "settings/app_settings.h"

static const char introduction[] =
    "# Settings\n"
    "\n"
    "This page is made from the table in `handler/settings/app_settings.c` by `make docs`. Change\n"
    "the table, not the page.\n"
    "\n"
    "## Where settings come from\n"
    "\n"
    "The handler and `leasectl` read their settings once, at start. Of two places that have a\n"
    "setting, the first of this list wins:\n"
    "\n"
    "1. Environment variables. On Azure these are the app settings.\n"
    "2. `Values` in `local.settings.json`, unless a Functions host has started the handler. The "
    "host\n"
    "   then passes them as environment variables.\n"
    "3. `appsettings.json`. Nested members are joined by `:`, as in .NET.\n"
    "4. `host.json`, of which the handler needs only the route prefix.\n"
    "\n"
    "## Names and values\n"
    "\n"
    "- The parts of a name are joined by `:`. In an environment variable write `__` instead:\n"
    "  `Inventory__TableName` is `Inventory:TableName`. If one place has both, the name with `__`\n"
    "  wins.\n"
    "- The case of a name does not matter. White space around a value is dropped.\n"
    "- An empty value means \"use the default\". It also hides a value of the same name in a "
    "lower\n"
    "  place. In two settings, the route prefix and `BlobPrefix`, an empty value is kept as the\n"
    "  empty text.\n"
    "- A time span is written `hh:mm:ss`, `d.hh:mm:ss` or `hh:mm:ss.fff`.\n"
    "- If a setting and its other name are both given, the setting wins.\n"
    "\n"
    "## Bad values\n"
    "\n"
    "A bad value stops the handler with exit code 64 and one line. It has the name as you wrote "
    "it,\n"
    "the value, and what is allowed. A value that is or may be a secret is not shown. A setting "
    "that\n"
    "is not used, such as a client secret beside a connection string, stops nothing.\n"
    "[Operations](operations.md) explains the lines that are seen most "
    "often.\n";

static const char *const titles[SETTING_GROUPS] = {
    [SETTING_ACCOUNT] = "The storage account",
    [SETTING_SIGN_IN] = "Signing in without a key",
    [SETTING_LEASES] = "Leases",
    [SETTING_INVENTORY] = "Inventory",
    [SETTING_HANDLER] = "Host and log",
};

/* Prints plain text so that Markdown shows it as it is, also in a table. */
static void print_plain(const char *text) {
    for (; *text != '\0'; text++) {
        if (strchr("|*_~<`\\", *text) != NULL) {
            putchar('\\');
        }
        putchar(*text);
    }
}

static void print_row(const struct setting *row) {
    printf("| `%s` | ", row->name);
    if (row->default_text != NULL) {
        printf("`%s`", row->default_text);
    } else {
        print_plain(row->default_note != NULL ? row->default_note : "-");
    }
    printf(" | ");
    print_plain(row->allowed);
    printf(" | %s", row->about);
    if (row->alias != NULL) {
        printf(" Other name: `%s`.", row->alias);
    }
    printf("%s |\n", row->is_secret ? " It is a secret." : "");
}

int main(void) {
    fputs(introduction, stdout);
    for (enum setting_group group = 0; group < SETTING_GROUPS; group++) {
        printf("\n## %s\n\n| setting | default | allowed | what it is for |\n", titles[group]);
        printf("| --- | --- | --- | --- |\n");
        const struct setting *row;
        for (size_t i = 0; (row = app_settings_row(i)) != NULL; i++) {
            if (row->group == group) {
                print_row(row);
            }
        }
    }
    return fflush(stdout) == EOF || ferror(stdout) ? 1 : 0;
}
