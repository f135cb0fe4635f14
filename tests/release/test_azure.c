/*
 * deploy/azure.sh and deploy/teardown.sh, against the az of tests/release/bin, which keeps a small
 * Azure in a folder.
 *
 * golden/ has every call of a first run, plan by plan, and of one that goes on after an
 * interruption; test_az_arguments.c has the real az judge them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/processes/check_main.h"
#include "support/processes/process.h"
#include "support/processes/temp_folder.h"

enum { WAIT_MS = 280000, COMMAND_BYTES = 4096, PATH_BYTES = 1024, MOST_SHOWN = 3000 };

static struct temp_folder folder;
static struct process shell;
static char *output;

static const char *const plans[] = {"flex", "premium", "consumption"};
enum { PLANS = 3 };

static void set_up(void) {
    temp_folder_make(&folder);
    temp_folder_write_folder(&folder, "azure");
    temp_folder_write(&folder, "leasehold.zip", "a package");
}

static void tear_down(void) {
    process_cleanup(&shell);
    free(output);
    output = NULL;
    temp_folder_remove(&folder);
}

/*
 * What each bash program below can use: $W, a folder that has a package; $A, in it, the small
 * Azure; $G, there, the app's group.
 */
static const char prelude[] =
    "A=$AZ_WORLD W=${AZ_WORLD%/azure}; G=$A/shop-1\n"
    "again() { deploy/azure.sh --name shop-1 --package $W/leasehold.zip \"$@\"; }\n"
    "azure() { again --location westeurope \"$@\"; }\n"
    "teardown() { deploy/teardown.sh --name shop-1 \"$@\"; }\n"
    "nothing_there() { rm -rf $A; mkdir $A; }\n"
    "what_is_there() { (cd $A; ls -d */; cd ${1:-shop-1}; sort settings roles; cat group account-* "
    "app-* tag; ls); }\n"
    "nothing_changes() { rm -f $A/changes; \"$@\"; [ ! -e $A/changes ]; }\n";

/* Runs a bash program after the prelude. */
static int bash(const char *program) {
    const char *root = getenv("LEASEHOLD_ROOT");
    ck_assert_msg(root != NULL, "LEASEHOLD_ROOT is not set: run the tests with `make test-deploy`");
    char path[PATH_BYTES], world[PATH_BYTES], whole[COMMAND_BYTES];
    snprintf(path, sizeof path, "PATH=%s/tests/release/bin:/usr/bin:/bin", root);
    snprintf(world, sizeof world, "AZ_WORLD=%s/azure", folder.path);
    snprintf(whole, sizeof whole, "%s%s", prelude, program);
    const char *const argv[] = {"bash", "-euo", "pipefail", "-c", whole, NULL};
    const char *const env[] = {path, world, NULL};
    process_cleanup(&shell);
    process_start(&shell, &(struct process_options){.argv = argv, .env = env, .cwd = root});
    int exit_code = process_wait(&shell, WAIT_MS);
    free(output);
    output = process_output_from(&shell, 0);
    size_t length = strlen(output);
    memmove(output, length > MOST_SHOWN ? output + length - MOST_SHOWN : output,
            (length > MOST_SHOWN ? MOST_SHOWN : length) + 1);
    return exit_code;
}

static void assert_goes_well(const char *program) {
    int exit_code = bash(program);
    ck_assert_msg(exit_code == EXIT_SUCCESS, "%s\nexit code %d:\n%s", program, exit_code, output);
}

static void assert_goes_well_for(const char *plan, const char *program) {
    char whole[COMMAND_BYTES];
    snprintf(whole, sizeof whole, "plan=%s\n%s", plan, program);
    assert_goes_well(whole);
}

/* It fails, and says `said`. */
static void assert_refused(const char *program, const char *said) {
    int exit_code = bash(program);
    ck_assert_msg(exit_code == EXIT_FAILURE, "%s\nexit code %d:\n%s", program, exit_code, output);
    ck_assert_msg(strstr(output, said) != NULL, "%s\nsays nothing of \"%s\":\n%s", program, said,
                  output);
}

START_TEST(a_first_run_makes_all_that_the_golden_list_says) {
    assert_goes_well_for(
        plans[_i],
        "azure --plan $plan --setting 'Inventory:SeedProducts=PROD-001=100;PROD-002=50'\n"
        "diff -u tests/release/golden/$plan.txt $A/calls");
}
END_TEST

START_TEST(a_second_run_changes_nothing) {
    assert_goes_well_for(plans[_i], "azure --plan $plan; nothing_changes azure --plan $plan");
}
END_TEST

START_TEST(in_the_end_no_key_opens_the_account_and_no_setting_has_one) {
    assert_goes_well_for(plans[_i],
                         "azure --plan $plan; [ $(cat $G/account-shop1) = false ]\n"
                         "! grep -E 'AccountKey|^AzureWebJobsStorage\t|CONTENT' $G/settings");
}
END_TEST

START_TEST(a_dry_run_calls_nothing_and_its_commands_can_be_pasted) {
    assert_goes_well_for(
        plans[_i],
        "say=(--plan $plan --setting \"Inventory:SeedProducts=PROD-001=1;it's a \\$HOME\")\n"
        "say+=(--setting AzureWebJobs.GetInventory.Disabled=true)\n"
        "azure --dry-run \"${say[@]}\" >$W/pasted; [ ! -e $A/calls ]; ! grep -F PROD-001 "
        "$W/pasted\n"
        "export Inventory__SeedProducts=\"PROD-001=1;it's a \\$HOME\"\n"
        "export AzureWebJobs_GetInventory_Disabled=true\n"
        "bash -euo pipefail $W/pasted; mv $A/changes $W/by_hand; nothing_there\n"
        "azure \"${say[@]}\"; diff -u $A/changes $W/by_hand\n"
        "grep -F \"Inventory__SeedProducts\tPROD-001=1;it's a \\$HOME\" $G/settings");
}
END_TEST

/*
 * Whatever call fails, before or after it has done its work: the next run brings Azure to where one
 * good run does.
 */
START_TEST(an_interrupted_run_is_completed_by_the_next) {
    static const char *const moments[] = {"break_before", "break_after"};
    char program[COMMAND_BYTES / 2];
    snprintf(program, sizeof program,
             "azure --plan $plan; changes=$(wc -l <$A/changes); [ $changes -ge 9 ]\n"
             "what_is_there >$W/good\n"
             "for ((broken = 1; broken <= changes; broken++)); do\n"
             "  nothing_there; touch $A/%s; echo $broken >$A/break_at\n"
             "  azure --plan $plan || true\n"
             "  [ $(wc -l <$A/changes) -ge $broken ]; rm $A/break_*; azure --plan $plan\n"
             "  what_is_there | diff -u $W/good -\n"
             "done",
             moments[_i / PLANS]);
    assert_goes_well_for(plans[_i % PLANS], program);
}
END_TEST

START_TEST(a_region_may_be_written_in_two_ways) {
    assert_goes_well("azure; echo West Europe >$G/location; nothing_changes azure");
}
END_TEST

/* golden/interrupted.txt has what only a later run calls, for test_az_arguments.c. */
START_TEST(an_app_that_was_made_by_half_gets_its_identity) {
    assert_goes_well("touch $A/half_made; ! azure; rm $A/calls; again\n"
                     "diff -u tests/release/golden/interrupted.txt $A/calls; [ -e $G/identity ]; [ "
                     "$(wc -l <$G/roles) = 2 ]");
}
END_TEST

START_TEST(a_role_is_asked_for_again_until_the_identity_is_known) {
    assert_goes_well("echo 6 >$A/role_failures; azure; [ $(grep -c '^sleep 10$' $A/calls) = 6 ]; [ "
                     "$(wc -l <$G/roles) = 2 ]");
}
END_TEST

START_TEST(a_role_that_cannot_be_had_ends_the_run_before_anything_is_published) {
    assert_refused("echo 7 >$A/role_failures; azure", "run this again later");
    assert_goes_well("! grep -E 'config-zip|appsettings' $A/calls");
}
END_TEST

START_TEST(a_new_package_is_published_and_nothing_else_changes) {
    assert_goes_well(
        "azure; rm $A/changes; echo new >>$W/leasehold.zip; azure\n"
        "[ \"$(cut -d' ' -f2-3 $A/changes)\" = $'functionapp deployment\\ntag update' ]");
}
END_TEST

START_TEST(a_setting_that_has_another_value_is_set_alone) {
    assert_goes_well(
        "azure --setting Inventory:ReservationLifetime=00:10:00; rm $A/changes\n"
        "azure --setting Inventory:ReservationLifetime=00:20:00\n"
        "grep -- '--settings Inventory__ReservationLifetime=00:20:00 --output none' $A/changes\n"
        "[ $(wc -l <$A/changes) = 1 ]");
}
END_TEST

/* What a first run may be given, and the resource group that it fills. */
static const struct {
    const char *options, *group;
} first_runs[] = {
    {"", "shop-1"},
    {"--group stock", "stock"},
    {"--storage stock9", "shop-1"},
    {"--plan premium", "shop-1"},
    {"--plan consumption", "shop-1"},
    {"--setting Inventory:ReservationLifetime=00:10:00", "shop-1"},
    {"--setting DistributedLeasing:StorageAccountUri=https://other.blob.core.windows.net",
     "shop-1"},
    {"--group Stock --storage stock9 --plan premium", "Stock"},
};
enum { FIRST_RUNS = sizeof first_runs / sizeof first_runs[0] };

START_TEST(an_option_that_a_later_run_leaves_out_stays_as_it_is) {
    char program[COMMAND_BYTES / 2];
    snprintf(program, sizeof program,
             "publishing() { grep -E '^az (functionapp (deployment|restart)|storage "
             "(blob|container)|rest)' $A/changes; }\n"
             "azure %s; publishing >$W/first; nothing_changes again\n"
             "echo new >>$W/leasehold.zip; again; publishing | diff -u $W/first -\n"
             "[ $(wc -l <$A/changes) = $(($(wc -l <$W/first) + 1)) ]; grep -x %s <(ls -I calls -I "
             "changes $A)\n",
             first_runs[_i].options, first_runs[_i].group);
    assert_goes_well(program);
}
END_TEST

static const struct {
    const char *first, *later, *said;
} other_runs[] = {
    {"", "--storage stock9", "--storage is stock9, but shop-1 has shop1"},
    {"--storage stock9", "--storage shop1", "--storage is shop1, but shop-1 has stock9"},
    {"", "--plan premium", "--plan is premium, but shop-1 has flex"},
    {"--plan premium", "--plan consumption", "--plan is consumption, but shop-1 has premium"},
    {"--plan consumption", "--plan flex", "--plan is flex, but shop-1 has consumption"},
    {"", "--location eastus", "--location is eastus, but shop-1 has westeurope"},
    {"", "--group stock", "--group is stock, but shop-1 has shop-1"},
};
enum { OTHER_RUNS = sizeof other_runs / sizeof other_runs[0] };

START_TEST(a_later_run_that_asks_for_something_else_is_refused) {
    char program[COMMAND_BYTES / 2];
    snprintf(program, sizeof program, "azure %s; rm $A/changes; again %s", other_runs[_i].first,
             other_runs[_i].later);
    assert_refused(program, other_runs[_i].said);
    assert_goes_well("[ ! -e $A/changes ]");
}
END_TEST

/* From the moment that the app is there: before that it has nothing that could be asked. */
START_TEST(an_interrupted_run_is_completed_by_one_without_its_options) {
    assert_goes_well_for(
        plans[_i],
        "azure --plan $plan --storage stock9; changes=$(wc -l <$A/changes); what_is_there "
        ">$W/good\n"
        "completed=0\n"
        "for ((broken = 3; broken <= changes; broken++)); do\n"
        "  nothing_there; echo $broken >$A/break_at; ! azure --plan $plan --storage stock9\n"
        "  rm $A/break_at; [ -e $G/app-shop-1 ] || continue\n"
        "  again; what_is_there | diff -u $W/good -; completed=$((completed + 1))\n"
        "done\n"
        "[ $completed -ge 6 ]");
}
END_TEST

START_TEST(an_app_that_does_not_say_what_it_is_made_of_is_left_alone) {
    assert_refused("azure; rm $A/changes; sed -i /accountName/d $G/settings; again",
                   "say which with --storage");
    assert_refused("[ ! -e $A/changes ]; echo Basic >$G/app-shop-1; again --storage shop1",
                   "plan is Basic");
    assert_goes_well(
        "[ ! -e $A/changes ]; echo FlexConsumption >$G/app-shop-1; again --storage shop1; azure");
}
END_TEST

/* A new account would take the name, and with it the way back. */
START_TEST(an_account_that_was_removed_under_its_app_is_not_made_again) {
    assert_refused("azure; rm $G/account-shop1 $A/changes; again",
                   "no storage account shop1 in shop-1");
    assert_goes_well("[ ! -e $A/changes ]");
}
END_TEST

START_TEST(a_first_run_is_told_what_it_lacks) {
    assert_refused("again", "--location is missing");
    assert_refused("azure --name a-b", "--storage is ab");
    assert_goes_well("[ ! -e $A/changes ]; azure --name a-b --storage stock9");
}
END_TEST

/* Beside the package lies what `make package` has made since. */
static const char old_package[] =
    "mkdir -p $W/in/bin $W/old $W/tmp; echo new >$W/old/host.json; echo old >$W/in/host.json\n"
    "echo elf >$W/in/bin/handler; chmod 755 $W/in/bin/handler; (cd $W/in; zip -q -X -D -r "
    "../old.zip .)\n"
    "export TMPDIR=$W/tmp\n"
    "F=$PWD/tests/release/func; with_func() { PATH=$F:$PATH \"$@\"; }\n";

static void assert_old_package_goes_well(const char *program) {
    char whole[COMMAND_BYTES];
    snprintf(whole, sizeof whole, "%s%s", old_package, program);
    assert_goes_well(whole);
}

START_TEST(core_tools_publish_what_is_in_the_package) {
    assert_old_package_goes_well(
        "with_func azure --package $W/old.zip; ! grep config-zip $A/changes\n"
        "grep -x 'func azure functionapp publish shop-1 --custom' $A/changes\n"
        "mv $A/published $W/published; (cd $W/in; with_func func)\n"
        "diff -u $A/published $W/published; grep '^755 bin/handler' $W/published");
}
END_TEST

START_TEST(core_tools_leave_no_folder_behind) {
    assert_old_package_goes_well(
        "touch $A/func_fails; ! with_func azure --package $W/old.zip; rm $A/func_fails\n"
        "[ -e $A/published ]; [ ! -e $G/tag ]; rmdir $W/tmp; mkdir $W/tmp\n"
        "with_func azure --package $W/old.zip; [ -e $G/tag ]; rmdir $W/tmp");
}
END_TEST

START_TEST(a_dry_run_with_core_tools_can_be_pasted) {
    assert_old_package_goes_well(
        "with_func azure --package $W/old.zip --dry-run >$W/pasted; [ ! -e $A/calls ]\n"
        "with_func bash -euo pipefail $W/pasted; mv $A/changes $W/by_hand\n"
        "mv $A/published $W/published; nothing_there; with_func azure --package $W/old.zip\n"
        "diff -u $A/changes $W/by_hand; diff -u $A/published $W/published");
}
END_TEST

START_TEST(without_unzip_the_package_goes_up_as_it_is) {
    assert_old_package_goes_well(
        "mkdir $W/tools; ln -s /usr/bin/* /bin/* $W/tools 2>/dev/null || true; rm $W/tools/unzip\n"
        "PATH=$F:$PWD/tests/release/bin:$W/tools azure --package $W/old.zip\n"
        "grep 'config-zip .* --src WORLD/old.zip' $A/changes; ! grep ^func $A/changes");
}
END_TEST

/*
 * As Core Tools read it (GitIgnoreParser.cs): each line is the beginning of a path, and one with !
 * is stronger than all.
 */
START_TEST(the_funcignore_leaves_what_is_in_the_package) {
    assert_goes_well(
        "{ git -c safe.directory='*' ls-files\n"
        "  printf '%s\\n' bin/handler bin/devhost bin/leasectl build/bin/handler "
        "dist/leasehold/host.json\n"
        "  sed '/^!/d; s,^/,,; s,/$,/x,; s,[*],x,' .gitignore; } | sort -u >$W/files\n"
        "grep -v '^#' .funcignore | sed 's,[.],[.],g; s,[*],[^/]+,g' >$W/patterns\n"
        "sed -n 's,^!,^,p' $W/patterns >$W/kept; sed -n '/^!/!s,^,^,p' $W/patterns >$W/left_out\n"
        "{ grep -vEf $W/left_out $W/files; grep -Ef $W/kept $W/files || true; } | sort "
        ">$W/published\n"
        "{ echo bin/handler; ls host.json */function.json; } | sort | diff -u - $W/published");
}
END_TEST

/* In a first run, in one that changes a value, in a dry one, and where a call fails. */
START_TEST(the_value_of_a_setting_is_shown_nowhere) {
    assert_goes_well_for(
        plans[_i], "secret() { azure --plan $plan --setting \"A:Key=hunter2 $1\" --setting "
                   "A.B=hunter2 >>$W/said 2>&1; }\n"
                   "secret 1; secret 2; ! (azure --dry-run --setting A:Key=hunter2 | tee -a "
                   "$W/said | grep hunter2)\n"
                   "echo 1 >$A/break_at; ! secret 3; rm $A/break_at; secret 3\n"
                   "! grep hunter2 $W/said; grep -F ' A__Key=\"$A__Key\" A.B=\"$A_B\" ' $W/said\n"
                   "grep -x $'A__Key\thunter2 3' $G/settings; grep -x $'A.B\thunter2' $G/settings");
}
END_TEST

/* Nor what may be one by mistake. */
START_TEST(what_is_refused_may_be_a_secret_and_is_not_shown) {
    static const char *const mistakes[] = {"--setting hunter2",       "--setting 'hunter2+/=='",
                                           "--setting A=1 hunter2",   "--setting=A:Key=hunter2",
                                           "--setting A=1 B=hunter2", "--settings A=hunter2",
                                           "--setting -=hunter2"};
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        char program[COMMAND_BYTES];
        snprintf(program, sizeof program, "azure %s", mistakes[i]);
        assert_refused(program, "azure.sh: ");
        ck_assert_msg(strstr(output, "hunter2") == NULL, "%s", output);
    }
    assert_goes_well("[ ! -e $A/calls ]");
}
END_TEST

START_TEST(a_function_can_be_disabled) {
    assert_goes_well(
        "azure --setting AzureWebJobs.ReconcileInventory.Disabled=true\n"
        "grep -x $'AzureWebJobs.ReconcileInventory.Disabled\ttrue' $G/settings\n"
        "nothing_changes azure --setting AzureWebJobs.ReconcileInventory.Disabled=true\n"
        "azure --setting Logging:LogLevel:Azure.Core=Warning\n"
        "grep -x $'Logging__LogLevel__Azure.Core\tWarning' $G/settings");
}
END_TEST

START_TEST(make_deploy_hands_on_options_as_they_are_quoted) {
    assert_goes_well(
        "make -s deploy NAME=shop-1 LOCATION=westeurope "
        "    DEPLOY=\"--package $W/leasehold.zip --setting 'Inventory:SeedProducts=P=1;Q=2' "
        "--storage stock9\"\n"
        "grep $'^Inventory__SeedProducts\tP=1;Q=2$' $G/settings; [ -e $G/account-stock9 ]; rm "
        "$A/changes\n"
        "export NAME=shop-1 DEPLOY=\"--package $W/leasehold.zip --setting 'A:B=\\$HOME \\`id\\` *  "
        "\\\"x\\\"'\"; make "
        "-s deploy\n"
        "grep -Fx $'A__B\t$HOME `id` *  \"x\"' $G/settings; [ $(wc -l <$A/changes) = 1 ]");
}
END_TEST

/*
 * What the script changes, but for the tag by which it knows the package again, is what
 * docs/deploy.md has its readers paste.
 */
START_TEST(the_commands_in_the_readme_do_what_the_script_does) {
    assert_goes_well("azure; grep -v '^az tag' $A/changes | sed 's,WORLD/,dist/,; s/ --output "
                     "none$//' >$W/wanted\n"
                     "awk '/^name=/ && fence ~ /^```sh/ { on = 1 } on && /^```/ { exit } on; { "
                     "fence = $0 }' docs/deploy.md "
                     ">$W/pasted\n"
                     "nothing_there; mkdir $W/dist; mv $W/leasehold.zip $W/dist; cd $W; bash -euo "
                     "pipefail pasted >&2\n"
                     "diff -u wanted $A/changes");
}
END_TEST

static const struct {
    const char *options, *said;
} refused[] = {
    {"--name Shop", "--name is Shop"},
    {"--name a", "--name is a:"},
    {"--name -shop", "--name is -shop"},
    {"--name shop-", "--name is shop-"},
    {"--name \"shop'|| @\"", "--name is shop'"},
    {"--name $(printf 'a%.0s' {1..61})", "2 to 60"},
    {"--location 'West Europe'", "--location is West Europe"},
    {"--group shop.", "--group is shop."},
    {"--group $(printf 'a%.0s' {1..91})", "1 to 90"},
    {"--storage Shop", "--storage is Shop"},
    {"--storage ab", "3 to 24"},
    {"--storage abcdefghijklmnopqrstuvwxy", "3 to 24"},
    {"--plan dedicated", "flex, premium or consumption"},
    {"--setting Inventory", "NAME=VALUE"},
    {"--setting 'Inv entory=1'", "--setting number 1 has a NAME"},
    {"--setting A=1 --setting A-B=1", "--setting number 2 has a NAME"},
    {"--setting A::B=1", "--setting number 1 has a NAME"},
    {"--setting .A=1", "a letter first"},
    {"--setting =1", "a letter first"},
    {"quiet", "belongs to no option"},
    {"--package $W/none.zip", "make package"},
    {"--package", "--package wants a value"},
    {"--quiet", "unknown option: --quiet"},
};
enum { REFUSED = sizeof refused / sizeof refused[0] };

START_TEST(what_azure_would_refuse_is_refused_before_anything_is_called) {
    char program[COMMAND_BYTES];
    snprintf(program, sizeof program, "azure %s", refused[_i].options);
    assert_refused(program, refused[_i].said);
    assert_goes_well("[ ! -e $A/calls ]");
}
END_TEST

START_TEST(names_as_long_as_azure_allows_are_taken) {
    assert_goes_well(
        "azure --dry-run --name $(printf 'a%.0s' {1..60}) --group \"$(printf '(%.0s' {1..89})_\" "
        "--storage abcdefghijklmnopqrstuvwx");
}
END_TEST

/*
 * Where the log would be by default, in a group of the whole subscription's, it would outlive the
 * app.
 */
START_TEST(the_log_has_a_workspace_in_the_apps_own_group) {
    assert_goes_well_for(
        plans[_i], "azure --plan $plan; [ -e $G/workspace-shop-1-westeurope ]\n"
                   "grep '^az functionapp create .* --workspace shop-1-westeurope ' $A/changes");
    assert_goes_well("n=$(printf 'a%.0s' {1..60}); azure --dry-run --name $n | grep -E -- \"-name "
                     "$n-we --location\"");
}
END_TEST

START_TEST(an_old_az_and_one_that_is_not_logged_in_change_nothing) {
    assert_refused("echo 2.59.9 >$A/version; azure", "this is Azure CLI 2.59.9: 2.60 is needed");
    assert_refused("echo 2.100.0 >$A/version; touch $A/logged_out; azure", "run az login");
    assert_goes_well("[ ! -e $A/changes ]");
}
END_TEST

START_TEST(a_resource_group_of_others_is_left_alone) {
    assert_refused("mkdir $G; echo >$G/group; azure", "it is not this app's own");
    assert_refused("echo shop-2 >$G/group; teardown --yes", "it is not this app's own");
    assert_goes_well("[ ! -e $A/changes ]");
}
END_TEST

START_TEST(a_question_that_az_cannot_answer_ends_the_run) {
    assert_refused("azure; rm $G/account-shop1 $A/changes; mkdir $G/account-shop1; azure",
                   "it was: az storage account list");
    assert_refused("nothing_there; azure; rm $G/settings $A/changes; mkdir $G/settings; azure",
                   "settings cannot be read");
    assert_goes_well("[ ! -e $A/changes ]");
}
END_TEST

START_TEST(teardown_removes_everything_when_it_is_told_the_name) {
    assert_goes_well("azure; rm $A/calls; echo shop-1 | teardown; [ ! -e $G ]\n"
                     "diff -u tests/release/golden/teardown.txt $A/calls");
}
END_TEST

START_TEST(teardown_removes_nothing_when_it_is_told_another) {
    assert_refused("azure; rm $A/changes; echo shop-2 | teardown", "nothing was removed");
    assert_refused("teardown </dev/null", "");
    assert_goes_well("[ ! -e $A/changes ]; teardown --dry-run; [ ! -e $A/changes ]");
}
END_TEST

START_TEST(teardown_finds_the_resource_group_that_the_app_is_in) {
    assert_goes_well("azure --group stock; teardown --yes; [ ! -e $A/stock ]");
}
END_TEST

START_TEST(teardown_does_not_ask_when_it_is_told_so_and_is_content_when_nothing_is_there) {
    assert_goes_well("azure; teardown --yes </dev/null; [ ! -e $G ]\n"
                     "teardown </dev/null | grep 'nothing to remove'");
}
END_TEST

static void add_azure(Suite *suite) {
    TCase *azure = tcase_create("azure.sh");
    tcase_set_timeout(azure, 300);
    tcase_add_checked_fixture(azure, set_up, tear_down);
    tcase_add_loop_test(azure, a_first_run_makes_all_that_the_golden_list_says, 0, PLANS);
    tcase_add_loop_test(azure, a_second_run_changes_nothing, 0, PLANS);
    tcase_add_loop_test(azure, in_the_end_no_key_opens_the_account_and_no_setting_has_one, 0,
                        PLANS);
    tcase_add_loop_test(azure, a_dry_run_calls_nothing_and_its_commands_can_be_pasted, 0, PLANS);
    tcase_add_test(azure, a_region_may_be_written_in_two_ways);
    tcase_add_test(azure, an_app_that_was_made_by_half_gets_its_identity);
    tcase_add_test(azure, a_role_is_asked_for_again_until_the_identity_is_known);
    tcase_add_test(azure, a_role_that_cannot_be_had_ends_the_run_before_anything_is_published);
    tcase_add_test(azure, a_new_package_is_published_and_nothing_else_changes);
    tcase_add_test(azure, a_setting_that_has_another_value_is_set_alone);
    tcase_add_loop_test(azure, an_option_that_a_later_run_leaves_out_stays_as_it_is, 0, FIRST_RUNS);
    tcase_add_loop_test(azure, a_later_run_that_asks_for_something_else_is_refused, 0, OTHER_RUNS);
    tcase_add_test(azure, an_app_that_does_not_say_what_it_is_made_of_is_left_alone);
    tcase_add_test(azure, an_account_that_was_removed_under_its_app_is_not_made_again);
    tcase_add_test(azure, a_first_run_is_told_what_it_lacks);
    tcase_add_test(azure, core_tools_publish_what_is_in_the_package);
    tcase_add_test(azure, core_tools_leave_no_folder_behind);
    tcase_add_test(azure, a_dry_run_with_core_tools_can_be_pasted);
    tcase_add_test(azure, without_unzip_the_package_goes_up_as_it_is);
    tcase_add_test(azure, the_funcignore_leaves_what_is_in_the_package);
    tcase_add_loop_test(azure, the_value_of_a_setting_is_shown_nowhere, 0, PLANS);
    tcase_add_test(azure, what_is_refused_may_be_a_secret_and_is_not_shown);
    tcase_add_test(azure, a_function_can_be_disabled);
    tcase_add_test(azure, make_deploy_hands_on_options_as_they_are_quoted);
    tcase_add_test(azure, the_commands_in_the_readme_do_what_the_script_does);
    tcase_add_loop_test(azure, what_azure_would_refuse_is_refused_before_anything_is_called, 0,
                        REFUSED);
    tcase_add_test(azure, names_as_long_as_azure_allows_are_taken);
    tcase_add_loop_test(azure, the_log_has_a_workspace_in_the_apps_own_group, 0, PLANS);
    tcase_add_test(azure, an_old_az_and_one_that_is_not_logged_in_change_nothing);
    tcase_add_test(azure, a_resource_group_of_others_is_left_alone);
    tcase_add_test(azure, a_question_that_az_cannot_answer_ends_the_run);
    suite_add_tcase(suite, azure);
}

int main(void) {
    Suite *suite = suite_create("azure");
    add_azure(suite);
    TCase *interruptions = tcase_create("interruptions");
    tcase_set_timeout(interruptions, 300);
    tcase_add_checked_fixture(interruptions, set_up, tear_down);
    tcase_add_loop_test(interruptions, an_interrupted_run_is_completed_by_the_next, 0, 2 * PLANS);
    tcase_add_loop_test(interruptions, an_interrupted_run_is_completed_by_one_without_its_options,
                        0, PLANS);
    suite_add_tcase(suite, interruptions);
    TCase *teardown = tcase_create("teardown.sh");
    tcase_add_checked_fixture(teardown, set_up, tear_down);
    tcase_add_test(teardown, teardown_removes_everything_when_it_is_told_the_name);
    tcase_add_test(teardown, teardown_removes_nothing_when_it_is_told_another);
    tcase_add_test(teardown, teardown_finds_the_resource_group_that_the_app_is_in);
    tcase_add_test(teardown,
                   teardown_does_not_ask_when_it_is_told_so_and_is_content_when_nothing_is_there);
    suite_add_tcase(suite, teardown);
    return check_main(suite);
}
