# SPDX-License-Identifier: Apache-2.0
# containerd-meta: `make help` lists the targets. Everything built goes under $(BUILD).

BUILD      ?= build
CC         ?= gcc
PREFIX     ?= /usr
SYSCONFDIR ?= /etc
LIBDIR     ?= $(PREFIX)/lib
UNITDIR    ?= $(PREFIX)/lib/systemd
FALCO_PLUGINS ?= $(PREFIX)/share/falco/plugins
DESTDIR    ?=
SANITIZE   ?=
VERSION    := 0.8.0

# V=1 shows the commands.
ifeq ($(V),)
Q   := @
say  = @printf '  %-5s %s\n' $(1) $(2)
endif

CSTD     := -std=gnu11
WARN     := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wvla -Werror
OPT      ?= -O2 -g
CPPFLAGS += -D_GNU_SOURCE -DCMETA_VERSION='"$(VERSION)"' -I. -Ishm -Icontainerd-meta
CFLAGS   += $(CSTD) $(WARN) $(OPT) -fvisibility=hidden -fno-strict-aliasing -fstack-protector-strong
LDFLAGS  += -Wl,-z,relro,-z,now
ifneq ($(SANITIZE),)
CFLAGS  += -fsanitize=$(SANITIZE) -fno-omit-frame-pointer
LDFLAGS += -fsanitize=$(SANITIZE)
# ThreadSanitizer knows no fences; gcc says so at each. The fences are the protocol's, see docs/region.md.
CFLAGS  += $(if $(findstring thread,$(SANITIZE)),-Wno-tsan)
export CMETA_SANITIZE := $(SANITIZE)
endif

# pkg-config is asked once, when something is built that needs it (not by `make deps`).
pc = $(shell pkg-config --$(1) $(2))

SHM_SRC    := $(wildcard shm/*.c)
DAEMON_SRC := $(filter-out containerd-meta/main.c,$(wildcard containerd-meta/*.c containerd-meta/engine/*.c \
              containerd-meta/transport/*.c containerd-meta/watch/*.c))
CTL_SRC    := $(wildcard containerd-meta/ctl/*.c)
# What the plugin takes from shm/: the reader's side only.
PLUGIN_SHM := $(addprefix shm/,container_id.c key.c reader.c record_view.c record_names.c region.c follow.c)
PLUGIN_SRC := $(wildcard plugin/*.c)
HOST_SRC   := $(wildcard tests/host/*.c)
FAKE_SRC   := $(filter-out %_main.c,$(wildcard tests/fake/*.c))
SUPPORT_SRC := $(wildcard tests/unit/support/*.c)
UNIT_SRC   := $(wildcard tests/unit/*_test.c)
BENCH_SRC  := $(wildcard tests/bench/*_bench.c)
FUZZ_SRC   := $(wildcard tests/fuzz/*_fuzz.c)

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
pic = $(patsubst %.c,$(BUILD)/pic/%.o,$(1))

DAEMON_PKGS := libsystemd jansson libcurl yaml-0.1
CTL_PKGS    := smartcols jansson
HOST_PKGS   := smartcols jansson

.PHONY: help deps all demo test test-unit test-engines test-faults bench lint fuzz sanitize install uninstall clean
.DEFAULT_GOAL := all

help:
	@echo 'deps          install the Debian packages that building and testing need (as root)'
	@echo 'all           build daemon, CLI, plugin and plugin host into $(BUILD)/'
	@echo 'demo          show the main job with a real Docker engine (as root)'
	@echo 'test          all tests; the last line counts them'
	@echo 'test-unit, test-engines, test-faults   parts of it'
	@echo 'bench         the figures, into $(BUILD)/bench.json'
	@echo 'lint          clang-format, clang-tidy, gcc -fanalyzer'
	@echo 'fuzz          each fuzz target for FUZZ_SECONDS (60)'
	@echo 'sanitize      the unit tests under ASan+UBSan and TSan'
	@echo 'install, uninstall   DESTDIR, PREFIX are honoured'

deps:
	packaging/deps.sh

all: $(BUILD)/containerd-meta $(BUILD)/containerd-meta-ctl $(BUILD)/libcontainer.so $(BUILD)/plugin-host

# --- objects -------------------------------------------------------------------------------------

$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(EXTRA_CPPFLAGS) $(CFLAGS) -fPIE -MMD -MP -c -o $@ $<

$(BUILD)/pic/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(PLUGIN_CFLAGS) -fPIC -MMD -MP -c -o $@ $<

$(call obj,$(DAEMON_SRC) containerd-meta/main.c): EXTRA_CPPFLAGS = $(call pc,cflags,$(DAEMON_PKGS))
$(call obj,$(CTL_SRC) $(HOST_SRC)): EXTRA_CPPFLAGS = $(call pc,cflags,$(CTL_PKGS))

$(BUILD)/libcmeta.a: $(call obj,$(SHM_SRC))
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/libdaemon.a: $(call obj,$(DAEMON_SRC))
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/libhost.a: $(call obj,$(filter-out tests/host/main.c,$(HOST_SRC)))
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/libtest.a: $(call obj,$(FAKE_SRC) $(SUPPORT_SRC))
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# --- programs ------------------------------------------------------------------------------------

$(BUILD)/containerd-meta: $(call obj,containerd-meta/main.c) $(BUILD)/libdaemon.a $(BUILD)/libcmeta.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) -pie $(LDFLAGS) -o $@ $^ $(call pc,libs,$(DAEMON_PKGS)) -lpthread

$(BUILD)/containerd-meta-ctl: $(call obj,$(CTL_SRC)) $(BUILD)/libcmeta.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) -pie $(LDFLAGS) -o $@ $^ $(call pc,libs,$(CTL_PKGS))

# The plugin is libc only: jansson comes in as its static archive, all of it hidden. Debian's
# archive addresses stdin, stdout and stderr as in a program that isn't position-independent; the
# three are wrapped by hidden definitions of ours (plugin/stdio_wrap.c).
PLUGIN_CFLAGS := -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables
JANSSON_A     ?= $(shell pkg-config --variable=libdir jansson)/libjansson.a
PLUGIN_LDFLAGS = -shared -Wl,--version-script=plugin/libcontainer.map -Wl,-z,defs -Wl,-Bsymbolic \
	-Wl,--gc-sections -Wl,--as-needed -Wl,--exclude-libs,ALL -Wl,-soname,libcontainer.so \
	-Wl,-z,noseparate-code
PLUGIN_LIBS = -Wl,--wrap=stdin -Wl,--wrap=stdout -Wl,--wrap=stderr $(JANSSON_A) -lpthread

$(BUILD)/libcontainer.so: $(call pic,$(PLUGIN_SRC) $(PLUGIN_SHM)) plugin/libcontainer.map
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(PLUGIN_LDFLAGS) -o $@ $(filter %.o,$^) $(PLUGIN_LIBS)

$(BUILD)/plugin-host: $(call obj,tests/host/main.c) $(BUILD)/libhost.a $(BUILD)/libcmeta.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) -pie $(LDFLAGS) -rdynamic -o $@ $^ $(call pc,libs,$(HOST_PKGS)) -ldl -lpthread

# --- tests ---------------------------------------------------------------------------------------

TEST_LIBS = $(BUILD)/libtest.a $(BUILD)/libhost.a $(BUILD)/libdaemon.a $(BUILD)/libcmeta.a
UNIT_BIN := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(UNIT_SRC))
SELFTEST_SO := $(patsubst tests/host/selftest/%.c,$(BUILD)/tests/selftest/%.so,$(wildcard tests/host/selftest/*.c))

$(call obj,$(UNIT_SRC) $(SUPPORT_SRC) $(FAKE_SRC) $(wildcard tests/fake/*_main.c)): \
	EXTRA_CPPFLAGS = $(call pc,cflags,$(DAEMON_PKGS) check) -Itests -DTEST_DATA='"$(abspath tests/unit/data)"' \
	-DTEST_BUILD='"$(abspath $(BUILD))"'

$(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(TEST_LIBS)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) -pie $(LDFLAGS) -rdynamic -o $@ $^ $(call pc,libs,$(DAEMON_PKGS) $(CTL_PKGS) check) -ldl -lpthread

$(BUILD)/tests/selftest/%.so: tests/host/selftest/%.c
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(SELFTEST_CFLAGS) -fPIC -shared -o $@ $<

$(BUILD)/fake-http-engine: $(call obj,tests/fake/http_engine_main.c) $(BUILD)/libtest.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) -pie $(LDFLAGS) -o $@ $^ $(call pc,libs,$(DAEMON_PKGS)) -lpthread

# Programs that tests run; each is a dependency only where its sources are there.
TEST_PROGRAMS := $(if $(wildcard containerd-meta/main.c),$(BUILD)/containerd-meta) \
	$(if $(wildcard containerd-meta/ctl/main.c),$(BUILD)/containerd-meta-ctl) \
	$(if $(wildcard plugin/plugin.c),$(BUILD)/libcontainer.so) \
	$(if $(wildcard tests/host/main.c),$(BUILD)/plugin-host) \
	$(if $(wildcard tests/fake/http_engine_main.c),$(BUILD)/fake-http-engine)

test: deps
	@$(MAKE) --no-print-directory test-run

.PHONY: test-run
test-run: $(UNIT_BIN) $(SELFTEST_SO) $(TEST_PROGRAMS)
	BUILD="$(abspath $(BUILD))" tests/run $(UNIT_BIN) $(wildcard tests/faults/*.sh tests/packaging/*_test.sh tests/engines/*_test.sh)

test-unit: $(UNIT_BIN) $(SELFTEST_SO) $(TEST_PROGRAMS)
	BUILD="$(abspath $(BUILD))" tests/run $(UNIT_BIN)

test-engines: $(TEST_PROGRAMS)
	BUILD="$(abspath $(BUILD))" tests/run $(wildcard tests/engines/*_test.sh)

test-faults: $(TEST_PROGRAMS)
	BUILD="$(abspath $(BUILD))" tests/run $(wildcard tests/faults/*.sh)

# --- figures, checks -----------------------------------------------------------------------------

BENCH_BIN := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(BENCH_SRC))

$(call obj,$(BENCH_SRC) tests/bench/bench.c tests/bench/docker_visible.c): EXTRA_CPPFLAGS = $(call pc,cflags,$(DAEMON_PKGS) check) -Itests \
	-DTEST_BUILD='"$(abspath $(BUILD))"'

$(BUILD)/bench/%: $(BUILD)/obj/tests/bench/%.o $(BUILD)/obj/tests/bench/bench.o $(TEST_LIBS)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) -pie $(LDFLAGS) -rdynamic -o $@ $^ $(call pc,libs,$(DAEMON_PKGS) $(CTL_PKGS) check) -ldl -lpthread

bench: $(BENCH_BIN) $(BUILD)/bench/docker_visible $(TEST_PROGRAMS)
	BUILD="$(abspath $(BUILD))" tests/bench/run $(BUILD)/bench.json $(BENCH_BIN) $(wildcard tests/bench/*_bench.sh)

OURS = $(SHM_SRC) $(DAEMON_SRC) $(wildcard containerd-meta/main.c) $(CTL_SRC) $(PLUGIN_SRC)
FORMATTED = $(shell git ls-files '*.c' '*.h')
LINT_FLAGS = $(CPPFLAGS) $(CSTD) $(call pc,cflags,$(DAEMON_PKGS) $(CTL_PKGS)) -Itests

# gcc 12 takes whatever a list owns for leaked; the sanitizers look for leaks.
lint:
	clang-format --dry-run -Werror $(FORMATTED)
	clang-tidy --quiet $(OURS) -- $(LINT_FLAGS)
	@failed=0; for source in $(OURS); do \
		gcc $(LINT_FLAGS) $(WARN) -O1 -fanalyzer -Wno-analyzer-malloc-leak -c -o /dev/null $$source || failed=1; done; exit $$failed

FUZZ_SECONDS ?= 60
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(FUZZ_SRC))
FUZZ_LIB_SRC := $(SHM_SRC) $(DAEMON_SRC)

$(BUILD)/fuzz/%: tests/fuzz/%.c $(FUZZ_LIB_SRC)
	@mkdir -p $(@D)
	clang $(CPPFLAGS) $(CSTD) -O1 -g -fsanitize=fuzzer,address,undefined $(call pc,cflags,$(DAEMON_PKGS)) \
		-o $@ $^ $(call pc,libs,$(DAEMON_PKGS)) -lpthread

fuzz: $(FUZZ_BIN)
	@for target in $(FUZZ_BIN); do mkdir -p $(BUILD)/corpus/$$(basename $$target); \
		echo "== $$(basename $$target)"; \
		$$target -max_total_time=$(FUZZ_SECONDS) -print_final_stats=0 $(BUILD)/corpus/$$(basename $$target) || exit 1; done

sanitize:
	$(MAKE) BUILD=$(BUILD)/asan SANITIZE=address,undefined test-unit
	$(MAKE) BUILD=$(BUILD)/tsan SANITIZE=thread test-unit

-include $(wildcard $(BUILD)/obj/*/*.d $(BUILD)/obj/*/*/*.d $(BUILD)/obj/*/*/*/*.d $(BUILD)/pic/*/*.d)

# --- demo, installation --------------------------------------------------------------------------

demo: deps
	@$(MAKE) --no-print-directory all
	BUILD="$(abspath $(BUILD))" packaging/demo

BINDIR  ?= $(PREFIX)/bin
SBINDIR ?= $(PREFIX)/sbin
DATADIR ?= $(PREFIX)/share
DOCDIR  ?= $(DATADIR)/doc/containerd-meta
PLUGINDIR ?= $(LIBDIR)/containerd-meta
FALCO_FILES := falco.container_plugin.yaml falco.yaml.snippet
# What `make install` lays out; `make uninstall` takes away just that.
INSTALLED = $(SBINDIR)/containerd-meta $(BINDIR)/containerd-meta-ctl $(PLUGINDIR)/libcontainer.so \
	$(UNITDIR)/system/containerd-meta.service $(LIBDIR)/tmpfiles.d/containerd-meta.conf \
	$(LIBDIR)/sysusers.d/containerd-meta.conf $(DOCDIR)/README.md $(DOCDIR)/CHANGELOG.md \
	$(addprefix $(DOCDIR)/,$(notdir $(wildcard docs/*.md))) \
	$(addprefix $(DATADIR)/containerd-meta/falco/,$(FALCO_FILES) README.md) \
	$(DATADIR)/containerd-meta/config.yaml
fill = sed -e 's|@BINDIR@|$(SBINDIR)|' -e 's|@PLUGIN@|$(PLUGINDIR)/libcontainer.so|'

# The configuration is the administrator's: it is never overwritten.
install: all
	install -Dm755 $(BUILD)/containerd-meta $(DESTDIR)$(SBINDIR)/containerd-meta
	install -Dm755 $(BUILD)/containerd-meta-ctl $(DESTDIR)$(BINDIR)/containerd-meta-ctl
	install -Dm755 -s $(BUILD)/libcontainer.so $(DESTDIR)$(PLUGINDIR)/libcontainer.so
	install -d $(DESTDIR)$(UNITDIR)/system $(DESTDIR)$(DATADIR)/containerd-meta/falco $(DESTDIR)$(DOCDIR)
	$(fill) systemd/containerd-meta.service >$(DESTDIR)$(UNITDIR)/system/containerd-meta.service
	install -Dm644 systemd/containerd-meta.tmpfiles $(DESTDIR)$(LIBDIR)/tmpfiles.d/containerd-meta.conf
	install -Dm644 systemd/containerd-meta.sysusers $(DESTDIR)$(LIBDIR)/sysusers.d/containerd-meta.conf
	install -m644 README.md CHANGELOG.md $(wildcard docs/*.md) $(DESTDIR)$(DOCDIR)/
	install -m644 packaging/falco/README.md $(DESTDIR)$(DATADIR)/containerd-meta/falco/README.md
	for file in $(FALCO_FILES); do \
		$(fill) packaging/falco/$$file >$(DESTDIR)$(DATADIR)/containerd-meta/falco/$$file || exit 1; done
	install -m644 packaging/config.yaml $(DESTDIR)$(DATADIR)/containerd-meta/config.yaml
	test -e $(DESTDIR)$(SYSCONFDIR)/containerd-meta/config.yaml || \
		install -Dm644 packaging/config.yaml $(DESTDIR)$(SYSCONFDIR)/containerd-meta/config.yaml

uninstall:
	rm -f $(addprefix $(DESTDIR),$(INSTALLED))
	-rmdir $(addprefix $(DESTDIR),$(DATADIR)/containerd-meta/falco $(DATADIR)/containerd-meta $(DOCDIR) $(PLUGINDIR))

clean:
	rm -rf $(BUILD)
