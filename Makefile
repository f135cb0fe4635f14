# Leasehold's build: `make help` lists the commands.
#
# Every command installs what it needs (tools/deps.sh) and then runs a second make for the build,
# because pkg-config gives its answers only after the installation. One make builds one VARIANT into
# build/$(VARIANT)/:
#   release    the programs as they are used; copied to bin/ for `make run` and `make test`
#   asan tsan  the same with AddressSanitizer and UndefinedBehaviorSanitizer, or with
#              ThreadSanitizer
#   valgrind   with little optimisation, for readable traces
#   control    one handler for each fault of tests/controls/, which the tests must find
#   clang      the flags of release with the other compiler; `make lint` wants no message from
#              either
#   fuzz       clang's libFuzzer with AddressSanitizer and UndefinedBehaviorSanitizer, for
#              tests/fuzz/
#   package    what is deployed: for an old C library, with the other libraries linked in
#              (tools/package/)
# CC, CFLAGS and LDFLAGS may be given. A change of them rebuilds.

VARIANT ?= release
BUILD := build/$(VARIANT)

ifeq ($(VARIANT),package)
CC := tools/package/package-cc.sh
else ifeq ($(origin CC),default)
CC := $(if $(filter fuzz,$(VARIANT)),clang,gcc)
endif

warnings := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual \
            -Wwrite-strings -Wvla -Wformat=2 -Wswitch-enum -Werror
hardening := -fstack-protector-strong -fstack-clash-protection -D_FORTIFY_SOURCE=2
sanitize_asan := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
sanitize_tsan := -fsanitize=thread -fno-omit-frame-pointer
# It brings libFuzzer's main, so that only fuzz targets can be linked.
sanitize_fuzz := -fsanitize=fuzzer,address,undefined
# gcc's UBSan writes to stderr if it is a shared library, and run-tests.sh needs its reports in
# files. clang's is always static.
runtime_asan := $(if $(findstring clang,$(CC)),,-static-libasan -static-libubsan)

flags_release := -O2 -g $(hardening)
flags_clang := $(flags_release)
flags_control := $(flags_release)
flags_package := -O2 $(hardening) -ffunction-sections -fdata-sections
flags_valgrind := -O1 -g -fno-omit-frame-pointer
flags_asan := -O1 -g $(sanitize_asan)
flags_tsan := -O1 -g $(sanitize_tsan)
flags_fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
ifeq ($(flags_$(VARIANT)),)
$(error VARIANT is one of release, asan, tsan, valgrind, control, clang, fuzz, package)
endif

# The compiler of the package finds its libraries by itself.
ifneq ($(VARIANT),package)
library_flags = $(shell pkg-config --cflags libcurl libcjson libcrypto)
library_libs = $(shell pkg-config --libs libcurl libcjson libcrypto)
else
library_libs := -lcurl -lcjson -lssl -lcrypto
runtime_package := -static-libgcc -Wl,--gc-sections
endif

compile_flags = -std=c11 -D_GNU_SOURCE -fPIE -pthread $(warnings) $(flags_$(VARIANT)) -Ihandler $(library_flags) $(CFLAGS)
link_flags = -pie -pthread -Wl,-z,relro,-z,now $(sanitize_$(VARIANT)) $(runtime_$(VARIANT)) $(LDFLAGS)
shared_flags = -shared -pthread -Wl,-soname,$(soname) -Wl,--version-script=packaging/libleasehold.map \
               -Wl,-z,relro,-z,now,--no-undefined $(sanitize_$(VARIANT)) $(LDFLAGS)
libs = $(library_libs) -lm
leasectl_libs = $(shell pkg-config --libs smartcols expat) # the handler needs neither
test_flags = -Itests -Itools $(shell pkg-config --cflags check)
example_flags := -Ihandler/lease
test_libs = $(shell pkg-config --libs check libssl)

handler_sources := $(sort $(wildcard handler/*/*.c))
devhost_sources := $(sort $(filter-out tools/devhost/main.c,$(wildcard tools/devhost/*.c)))
leasectl_sources := $(sort $(filter-out tools/leasectl/main.c,$(wildcard tools/leasectl/*.c)))
torture_sources := tests/torture/torture.c
simulated_sources := $(sort $(wildcard tests/simulation/storage/*.c))
simulation_main_sources := tests/simulation/simulate.c tests/simulation/test_simulation.c
simulation_sources := $(sort $(filter-out $(simulation_main_sources),$(wildcard tests/simulation/*.c)))
support_sources := $(sort $(filter-out tests/support/preload/%,$(wildcard tests/support/*/*.c)) $(simulated_sources) \
                           $(filter-out $(torture_sources) tests/torture/test_%,$(wildcard tests/torture/*.c)))
test_sources := $(sort $(wildcard tests/unit/*/test_*.c tests/integration/test_*.c tests/e2e/test_*.c tests/torture/test_*.c \
                           tests/install/test_*.c tests/release/test_*.c))
fuzz_target_sources := $(sort $(wildcard tests/fuzz/fuzz_*.c))
fuzz_sources := $(sort $(filter-out $(fuzz_target_sources),$(wildcard tests/fuzz/*.c)))
main_sources := $(wildcard handler/main.c tools/devhost/main.c tools/leasectl/main.c tools/*.c)
host_sources := $(wildcard tests/host/*.c)
bench_sources := $(sort $(wildcard bench/*.c))
fake_sources := $(sort $(wildcard bench/storage/*.c))
example_sources := $(sort $(wildcard examples/*.c))
preload_sources := $(sort $(wildcard tests/support/preload/*.c))
library_sources := $(sort $(wildcard handler/lease/*.c handler/storage/*.c handler/identity/*.c handler/http/*.c handler/base/*.c))

object = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
handler_lib := $(BUILD)/libhandler.a
devhost_lib := $(BUILD)/libdevhost.a
leasectl_lib := $(BUILD)/libleasectl.a
support_lib := $(BUILD)/libsupport.a
fuzz_lib := $(BUILD)/libfuzz.a
library := $(BUILD)/libleasehold.a
version := $(shell awk '/^.define LEASEHOLD_VERSION_(MAJOR|MINOR|PATCH) / { printf "%s%s", dot, $$3; dot = "." }' handler/lease/leasehold.h)
soname := libleasehold.so.$(firstword $(subst ., ,$(version)))
shared_library := $(BUILD)/libleasehold.so.$(version)
shared_objects := $(patsubst %.c,$(BUILD)/pic/%.o,$(library_sources))
man_pages := $(patsubst docs/man/%.scd,$(BUILD)/man/%,$(wildcard docs/man/*.scd))
installed := $(library) $(shared_library) $(BUILD)/bin/leasectl $(man_pages)
test_programs := $(patsubst %.c,$(BUILD)/%,$(test_sources))
fuzz_programs := $(patsubst %.c,$(BUILD)/%,$(fuzz_target_sources))
simulation_programs := $(patsubst %.c,$(BUILD)/%,$(simulation_main_sources))
torture_program := $(patsubst %.c,$(BUILD)/%,$(torture_sources))
host_programs := $(patsubst %.c,$(BUILD)/%,$(host_sources))
tool_programs := $(patsubst %.c,$(BUILD)/%,$(wildcard tools/*.c))
bench_programs := $(patsubst %.c,$(BUILD)/%,$(bench_sources)) $(BUILD)/bench/fake_storage
example_programs := $(patsubst %.c,$(BUILD)/%,$(example_sources))
preload_libraries := $(patsubst tests/support/%.c,$(BUILD)/%.so,$(preload_sources))
all_objects := $(call object,$(handler_sources) $(devhost_sources) $(leasectl_sources) $(support_sources) $(test_sources) $(main_sources) \
               $(torture_sources) $(simulation_sources) $(simulation_main_sources) $(host_sources) $(bench_sources) $(fake_sources) $(example_sources) $(preload_sources) $(fuzz_target_sources) $(fuzz_sources))
built_programs := $(BUILD)/bin/handler $(BUILD)/bin/devhost $(BUILD)/bin/leasectl
control_handlers := $(patsubst tests/controls/%.patch,$(BUILD)/%/bin/handler,$(sort $(wildcard tests/controls/*.patch)))
control_simulations := $(control_handlers:%/handler=%/simulate)
programs := $(if $(filter control,$(VARIANT)),$(control_handlers) $(control_simulations),$(built_programs)) \
            $(if $(filter release,$(VARIANT)),bin/handler bin/devhost bin/leasectl)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# Commands
.PHONY: all help deps library install uninstall abi-baseline debs run test test-long test-host test-deploy torture simulate asan tsan valgrind fuzz lint format clean leasectl examples \
        simulate-builds mutants bench bench-leases bench-hot package test-package deploy docs
# Two commands at once would share apt, ports and folders. So `make -j test asan` runs them one
# after the other; each build is parallel.
ifneq ($(filter-out programs tests fuzzers benches objects installed compile_commands.json $(BUILD)/% bin/%,$(or $(MAKECMDGOALS),all)),)
.NOTPARALLEL:
endif
build = $(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))

all: ## build bin/handler, bin/devhost, bin/leasectl, what `make install` installs, and
## compile_commands.json for editors
	@tools/deps.sh build
	@$(build) programs $(if $(filter release,$(VARIANT)),installed) compile_commands.json

deps: ## install what `make run` and `make test` need (other targets install what they need)
	@tools/deps.sh build azurite test openapi

run: ## run the app on http://localhost:7071 (PORT=), with Azurite if none is running;
## Ctrl-C ends it
	@tools/deps.sh build azurite
	@$(build) programs
	@exec tools/run.sh

test: ## run the tests: unit, integration, end to end, installation
	@tools/deps.sh build azurite test openapi
	@$(build) VARIANT=release programs tests installed
	@KINDS="unit simulation integration e2e install" tools/run-tests.sh release

test-long: ## run the tests that take minutes; simulate for SIMULATION_SECONDS=600, and
## SIMULATION_PART=K/N of all pairs of faults (all: hours)
	@tools/deps.sh build azurite test
	@$(build) VARIANT=release programs tests
	@$(build) VARIANT=control programs
	@KINDS=torture JOBS=1 PROGRAM_TIMEOUT_S=14400 tools/run-tests.sh release

test-host: ## test the app behind the real host's own parts, tests/host/ (HOST=words: only
## these tests); needs the .NET 10 SDK
	@tools/deps.sh build azurite test openapi
	@$(build) VARIANT=release programs tests $(host_sources:%.c=build/release/%)
	@tools/test-host.sh $(HOST)

test-deploy: ## test the scripts in deploy/: what they call, and that the real Azure CLI
## accepts it
	@tools/deps.sh build test azure
	@$(build) VARIANT=release build/release/tests/release/test_azure build/release/tests/release/test_az_arguments
	@KINDS=release tools/run-tests.sh release azure az_arguments

torture: ## check that nothing is oversold: many callers, three instances and faults for
## DURATION=60 seconds (FAULTS=none|lost|all, CLIENTS=24, PRODUCTS=5, SEED=,
## OLD_HANDLER=path of one to run beside)
	@tools/deps.sh build azurite test
	@$(build) VARIANT=release programs build/release/tests/torture/torture build/release/preload/wall_clock.so
	@LEASEHOLD_ROOT=$(CURDIR) LEASEHOLD_BIN=$(CURDIR)/build/release/bin LEASEHOLD_AZURITE=$(CURDIR)/node_modules/.bin/azurite \
	    build/release/tests/torture/torture --duration $(or $(DURATION),60) --faults $(or $(FAULTS),all) \
	    $(if $(CLIENTS),--clients $(CLIENTS)) $(if $(PRODUCTS),--products $(PRODUCTS)) \
	    $(if $(SEED),--seed $(SEED)) $(if $(OLD_HANDLER),--old-handler $(OLD_HANDLER))

simulate: ## run the whole app in virtual time, with a seed: SECONDS=60 or RUNS=, SEED=1,
## OPERATIONS=1000, TRACE=1; SCENARIOS=singles|pairs, PART=0/50; FOUND=file
	@tools/deps.sh build test
	@$(build) VARIANT=release build/release/tests/simulation/simulate
	@build/release/tests/simulation/simulate $(if $(SEED),--seed $(SEED)) $(if $(OPERATIONS),--operations $(OPERATIONS)) \
	    $(if $(SCENARIOS),--scenarios $(SCENARIOS)) $(if $(PART),--part $(PART)) $(if $(TRACE),--trace) $(if $(FOUND),--found $(FOUND)) \
	    $(if $(RUNS),--runs $(RUNS),$(if $(TRACE)$(SCENARIOS)$(FOUND),,--seconds $(or $(SECONDS),60)))

simulate-builds: ## check that a simulated run is the same in the builds of gcc, of clang,
## and with sanitizers
	@tools/deps.sh build test fuzz
	@tools/simulate-builds.sh

mutants: ## break a line of inventory/, lease/ or storage/, COUNT=300 times, and count how
## often unit tests or RUNS=350 of the simulation notice (SEED=1, ONLY=path, JOBS=)
	@tools/deps.sh build test
	@$(build) VARIANT=release build/release/tests/simulation/simulate
	@$(build) --silent VARIANT=asan $(patsubst %.c,build/asan/%,$(wildcard $(foreach folder,inventory lease storage identity http,tests/unit/$(folder)/test_*.c)))
	@tools/mutants.py $(if $(COUNT),--count $(COUNT)) $(if $(SEED),--seed $(SEED)) $(if $(RUNS),--runs $(RUNS)) \
	    $(if $(ONLY),--only $(ONLY)) $(if $(JOBS),--jobs $(JOBS))

asan tsan: ## run the tests of `make test` under AddressSanitizer and UBSan, or under
## ThreadSanitizer
	@tools/deps.sh build azurite test openapi
	@$(build) VARIANT=$@ programs tests
	@tools/run-tests.sh $@

valgrind: ## run the tests of `make test` under valgrind
	@tools/deps.sh build azurite test openapi valgrind
	@$(build) VARIANT=valgrind programs tests
	@tools/run-tests.sh valgrind

fuzz: ## fuzz every parser of outside data, FUZZ_SECONDS=10 each, with AddressSanitizer and
## UBSan (FUZZ=words: only these targets)
	@tools/deps.sh build fuzz
	@$(build) VARIANT=fuzz fuzzers
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tools/fuzz.sh $(FUZZ)

library: ## build the lease library: build/release/libleasehold.a and libleasehold.so.VERSION
	@tools/deps.sh build
	@$(build) VARIANT=release $(library:$(BUILD)/%=build/release/%) $(shared_library:$(BUILD)/%=build/release/%)

# GNU's names of folders; each may be given.
PREFIX ?= /usr/local
prefix = $(PREFIX)
exec_prefix = $(prefix)
bindir = $(exec_prefix)/bin
libdir = $(exec_prefix)/lib
includedir = $(prefix)/include
datarootdir = $(prefix)/share
mandir = $(datarootdir)/man
install_folders = DESTDIR='$(DESTDIR)' prefix='$(prefix)' bindir='$(bindir)' libdir='$(libdir)' \
    includedir='$(includedir)' mandir='$(mandir)'

install: ## install the lease library, leasectl and the man pages: PREFIX=/usr/local DESTDIR=
## (`make` first, as yourself)
	@$(build) VARIANT=release installed
	@$(install_folders) tools/install.sh install $(version)

uninstall: ## remove what `make install` with the same folders has installed
	@$(install_folders) tools/install.sh uninstall $(version)

leasectl: ## build bin/leasectl, the command line for stock and leases (docs/leasectl.md)
	@tools/deps.sh build
	@$(build) bin/leasectl

examples: ## build the lease library, build/release/libleasehold.a, and the programs in
## examples/
	@tools/deps.sh build
	@$(build) VARIANT=release $(example_programs)

bench: ## measure against the same program in Go, Node and C#: ROUNDS=1, SCENARIOS=table
## (sweeps, all, names), STORAGE=fake (azurite), RUN_MS=
	@tools/deps.sh build azurite test bench
	@$(build) VARIANT=release programs benches
	@bench/peers/build.sh
	@if [ -e build/package/bin/handler ]; then $(build) VARIANT=package build/package/bin/handler; fi
	@bench/bench.py --publish --rounds $(or $(ROUNDS),1) --scenarios $(or $(SCENARIOS),table) --storage $(or $(STORAGE),fake) $(if $(RUN_MS),--run-ms $(RUN_MS))
	@bench/report.py --draw

bench-leases: ## measure lateness, threads and memory of 10,000 leases in one process, and
## of 1,000 against Azurite
	@tools/deps.sh build azurite test
	@$(build) VARIANT=release benches
	@bench/leases.sh

bench-hot: ## measure one product on sale: 64 clients against Azurite, compared with
## batches off and with a bare client; HOT="--strict ..." (see bench/hot.c)
	@tools/deps.sh build azurite test
	@$(build) VARIANT=release programs benches
	@$(build) VARIANT=control programs
	@bench/hot.sh $(HOT)

package: ## build what is deployed: dist/leasehold/ and dist/leasehold.zip
	@tools/deps.sh build package
	@tools/package/inputs.sh
	@tools/package/libraries.sh
	@$(build) VARIANT=package build/package/bin/handler
	@tools/package/assemble.sh

debs: ## build Debian packages of the lease library and leasectl: dist/debs/
	@tools/deps.sh build debs
	@tools/package/debs.sh $(version)

test-package: package debs ## test the package as root: in bare Debian 11 and 12 roots, with
## end-to-end tests, and built twice; and the Debian packages, in a root with compilers
	@tools/deps.sh build azurite test openapi package-test
	@$(build) VARIANT=release programs tests
	@tools/package/roots.sh
	@tools/package/develop-root.sh
	@install -D -t build/release/packaged dist/leasehold/bin/handler build/release/bin/devhost
	@LEASEHOLD_BIN=$(CURDIR)/build/release/packaged KINDS="release e2e" PROGRAM_TIMEOUT_S=1500 \
	    tools/run-tests.sh release bare_roots debs package_contents functions lifecycle

deploy: ## deploy to Azure what `make package` has built: NAME=app LOCATION=region
## DEPLOY="--setting 'Inventory:SeedProducts=A=1;B=2' ..."
	@printf '%s\n' "$$DEPLOY" | xargs deploy/azure.sh --name "$$NAME" --location "$$LOCATION"

docs: ## write docs/settings.md, draw the plots of docs/, and check diagrams, links and figures
	@tools/deps.sh build docs
	@$(build) VARIANT=release build/release/tools/settings_doc
	@tools/docs.sh

lint: ## check format, text, layers, symbols, manual pages, ABI and more; run both compilers,
## clang-tidy, cppcheck, shellcheck, yamllint
	@tools/deps.sh build test lint
	@tools/lint.sh

abi-baseline: ## write packaging/abi/libleasehold.abi, to which `make lint` compares the
## library; refuses to break programs that were built before (BREAK=1: does not)
	@tools/deps.sh build lint
	@$(build) VARIANT=release installed
	@tools/check-abi.sh $(if $(BREAK),--break,--write)

format: ## lay out the C files with clang-format
	@tools/deps.sh lint
	@find bench examples handler tools tests -name '*.[ch]' -exec clang-format -i {} +

clean: ## remove what was built (node_modules and Azurite's data stay)
	rm -rf build bin dist compile_commands.json

help: ## print this list
	@sed -nE 's/^([a-z -]+):.*## (.*)/\1\t\2/p; s/^## /\t/p' Makefile | expand -t 16

# The build of one variant
.PHONY: programs tests fuzzers benches objects installed
programs: $(programs)
installed: $(installed)
tests: $(test_programs) $(torture_program) $(simulation_programs) $(bench_programs) $(example_programs) $(preload_libraries)
fuzzers: $(fuzz_programs)
benches: $(bench_programs)
objects: $(all_objects)

$(BUILD)/bin/handler: $(call object,handler/main.c) $(handler_lib)
$(BUILD)/bin/devhost: $(call object,tools/devhost/main.c) $(devhost_lib) $(handler_lib)
$(BUILD)/bin/leasectl: $(call object,tools/leasectl/main.c) $(leasectl_lib) $(handler_lib)
$(BUILD)/bin/leasectl: libs += $(leasectl_libs)
$(built_programs):
	@mkdir -p $(@D)
	@echo '  link     $@'
	@$(CC) $(link_flags) -o $@ $(filter %.o %.a,$^) $(libs)

# A fault is a patch, which is applied to copies of the sources. A patch that no longer applies
# fails the build. The changed sources are linked in place of the library's.
$(control_handlers): $(BUILD)/%/bin/handler: tests/controls/%.patch $(call object,handler/main.c) $(handler_lib) $(BUILD)/bin/leasectl \
                     $(preload_libraries)
	@rm -rf $(BUILD)/$*
	@mkdir -p $(@D) $(BUILD)/$*/src
	@echo '  control  $*'
	@sed -n 's|^+++ b/||p' $< | xargs cp --parents -t $(BUILD)/$*/src
	@patch --quiet --strip=1 --fuzz=0 --no-backup-if-mismatch --directory=$(BUILD)/$*/src <$<
	@$(CC) $(compile_flags) $(link_flags) -o $@ $$(find $(BUILD)/$*/src -name '*.c') $(filter %.o %.a,$^) $(libs)
	@ln -s ../../bin/leasectl $(@D)/leasectl
	@ln -s ../preload $(BUILD)/$*/preload

bin/handler bin/devhost bin/leasectl: bin/%: $(BUILD)/bin/%
	@mkdir -p $(@D)
	@install $< $@ # it makes a new file, so that a running handler keeps its own

$(handler_lib): $(call object,$(handler_sources))
$(devhost_lib): $(call object,$(devhost_sources))
$(leasectl_lib): $(call object,$(leasectl_sources))
$(support_lib): $(call object,$(support_sources))
$(fuzz_lib): $(call object,$(fuzz_sources))
$(handler_lib) $(devhost_lib) $(leasectl_lib) $(support_lib) $(fuzz_lib): $(BUILD)/sources
	@mkdir -p $(@D)
	@rm -f $@.new
	@ar qcs $@.new $(filter %.o,$^) && mv $@.new $@

$(test_programs) $(torture_program) $(host_programs): $(BUILD)/%: $(BUILD)/obj/%.o $(support_lib) $(devhost_lib) $(leasectl_lib) $(handler_lib)
	@mkdir -p $(@D)
	@echo '  link     $@'
	@$(CC) $(link_flags) -o $@ $< $(support_lib) $(devhost_lib) $(leasectl_lib) $(handler_lib) $(test_libs) $(libs) $(leasectl_libs)

# In these programs tests/support/fakes/memory_limit.c decides which allocations succeed. send_...
# are functions of libcheck, in which all succeed.
$(filter %_out_of_memory %/test_table_setup,$(test_programs)): libs += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=reallocarray,--wrap=strdup,--wrap=tsearch,--wrap=send_loc_info,--wrap=send_failure_info

# In this program a file hangs for as long as the test wants.
$(filter %/test_file_read,$(test_programs)): libs += -Wl,--wrap=open
# In this one a test counts the bytes that are overwritten.
$(filter %/test_wiped_memory,$(test_programs)): libs += -Wl,--wrap=crypto_wipe
# In this one a test decides whether a program can be killed.
$(filter %/test_token_source_cli,$(test_programs)): libs += -Wl,--wrap=kill

# What is called __wrap_NAME in tests/fuzz/stub_*.c is called in place of NAME.
fuzz_wraps = $(patsubst __wrap_%,-Wl$(comma)--wrap=%,$(sort $(shell grep -ohE '__wrap_[a-z_]+' tests/fuzz/stub_*.c)))
comma := ,
$(fuzz_programs): $(BUILD)/%: $(BUILD)/obj/%.o $(fuzz_lib) $(devhost_lib) $(leasectl_lib) $(handler_lib)
	@mkdir -p $(@D)
	@echo '  link     $@'
	@$(CC) $(link_flags) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(libs) $(leasectl_libs) $(fuzz_wraps)

# The files stub_*.c take the place of the handler's modules of that name, so they come first.
# simulated_memory.c replaces malloc. simulated_transitions.c counts the calls of the functions that
# it wraps.
simulation_wraps := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=reallocarray,--wrap=strdup,--wrap=free \
    -Wl,--wrap=pipeline_enter,--wrap=lease_renewal_release,--wrap=lease_renewal_due \
    -Wl,--wrap=lease_renewal_on_renew_reply,--wrap=lease_renewal_on_release_reply
$(simulation_programs): $(BUILD)/%: $(BUILD)/obj/%.o $(call object,$(simulation_sources)) $(support_lib) $(handler_lib)
	@mkdir -p $(@D)
	@echo '  link     $@'
	@$(CC) $(link_flags) -o $@ $(filter %.o %.a,$^) $(libs) $(test_libs) $(simulation_wraps)

$(control_simulations): $(BUILD)/%/bin/simulate: $(BUILD)/%/bin/handler $(call object,tests/simulation/simulate.c $(simulation_sources)) \
                        $(support_lib) $(handler_lib)
	@$(CC) $(compile_flags) $(link_flags) -o $@ $$(find $(BUILD)/$*/src -name '*.c') $(filter %.o %.a,$^) $(libs) $(test_libs) \
	    $(simulation_wraps)

# They are for LD_PRELOAD, and are loaded before a sanitizer is ready. So they are built without
# one.
$(preload_libraries): $(BUILD)/%.so: $(BUILD)/obj/tests/support/%.o
	@mkdir -p $(@D)
	@echo '  link     $@'
	@$(CC) -shared -pthread -o $@ $<

$(BUILD)/bench/fake_storage: $(call object,$(fake_sources) $(simulated_sources)) $(handler_lib)
	@mkdir -p $(@D)
	@echo '  link     $@'
	@$(CC) $(link_flags) -o $@ $^ $(libs)

$(tool_programs): $(BUILD)/%: $(BUILD)/obj/%.o $(handler_lib)
	@mkdir -p $(@D)
	@echo '  link     $@'
	@$(CC) $(link_flags) -o $@ $^ $(libs)

$(filter-out %/fake_storage,$(bench_programs)): $(BUILD)/%: $(BUILD)/obj/%.o $(support_lib) $(devhost_lib) $(handler_lib)
	@mkdir -p $(@D)
	@echo '  link     $@'
	@$(CC) $(link_flags) -o $@ $< $(support_lib) $(devhost_lib) $(handler_lib) $(test_libs) $(libs)

# The library is one object. Only the names of leasehold.h can be seen from outside, so that it
# links with any program.
$(library): $(call object,$(library_sources)) $(BUILD)/sources
	@echo '  library  $@'
	@$(CC) -r -nostdlib -o $(@:.a=.o) $(filter %.o,$^)
	@objcopy --wildcard --keep-global-symbol='leasehold_*' $(@:.a=.o)
	@rm -f $@.new
	@ar qcs $@.new $(@:.a=.o) && mv $@.new $@

# In the shared library the version script hides the same names.
$(shared_library): $(shared_objects) packaging/libleasehold.map $(BUILD)/sources
	@echo '  library  $@'
	@$(CC) $(shared_flags) -o $@.new $(filter %.o,$^) $(libs)
	@mv $@.new $@
	@ln -sfn $(@F) $(BUILD)/libleasehold.so

$(shared_objects): extra_flags = -fPIC

$(man_pages): $(BUILD)/man/%: docs/man/%.scd
	@mkdir -p $(@D)
	@echo '  man      $@'
	@scdoc <$< >$@

$(example_programs): $(BUILD)/%: $(BUILD)/obj/%.o $(library)
	@mkdir -p $(@D)
	@echo '  link     $@'
	@$(CC) $(link_flags) -o $@ $< $(library) $(shell pkg-config --libs libcurl libcjson libcrypto) -lm

$(call object,$(bench_sources) $(fake_sources) $(test_sources) $(torture_sources) $(simulation_sources) $(simulation_main_sources) $(host_sources) $(support_sources) $(fuzz_target_sources) $(fuzz_sources)): extra_flags = $(test_flags)
$(call object,tests/simulation/simulated_memory.c): extra_flags = $(test_flags) \
    $(if $(filter release clang control,$(VARIANT)),-DSIMULATED_MEMORY_KEPT_SIZES=2048)
$(call object,$(preload_sources)): extra_flags = -fPIC -fno-sanitize=all
$(call object,$(devhost_sources) $(leasectl_sources) tools/devhost/main.c tools/leasectl/main.c): extra_flags = -Itools
$(call object,$(example_sources)): extra_flags = $(example_flags)

define compile =
	@mkdir -p $(@D)
	@echo '  compile  $<'
	@$(CC) $(compile_flags) $(extra_flags) -MMD -MP -c -o $@ $<
endef
$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	$(compile)
$(BUILD)/pic/%.o: %.c $(BUILD)/flags
	$(compile)

# These files hold what no file's time shows: the compiler with its flags, and the list of sources.
# They are written only when that changes.
$(BUILD)/flags: content = $(CC) $(compile_flags) $(link_flags) $(shared_flags)
$(BUILD)/sources: content = $(sort $(all_objects))
$(BUILD)/flags $(BUILD)/sources: force
	@mkdir -p $(@D)
	@echo '$(content)' | cmp -s - $@ || echo '$(content)' > $@

# For editors and clangd. All files get the flags of the tests, which include those of the programs.
all_sources := $(patsubst $(BUILD)/obj/%.o,%.c,$(all_objects))
compile_commands.json: $(BUILD)/flags $(BUILD)/sources
	@printf '%s\n' $(all_sources) | awk -v folder='$(CURDIR)' \
	    -v command='$(CC) $(compile_flags) $(test_flags) $(example_flags) -c' \
	    'BEGIN { printf "[" } \
	     { printf "%s\n{\"directory\": \"%s\", \"file\": \"%s\", \"command\": \"%s %s\"}", \
	           (NR > 1 ? "," : ""), folder, $$1, command, $$1 } \
	     END { print "\n]" }' >$@

.PHONY: force print-compile-flags
print-compile-flags: # for clang-tidy and cppcheck
	@echo '$(compile_flags) $(test_flags) $(example_flags)'

.SECONDARY: $(all_objects)
-include $(all_objects:.o=.d) $(shared_objects:.o=.d)
