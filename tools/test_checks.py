#!/usr/bin/env python3
"""Test the checks of ./dev check: each must pass a clean tree and fail one in
which its fault is planted, because a check that cannot fail is worth nothing.

Usage: test_checks.py [-v] [TEST...]
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import check_layers
import stages

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOLS = ROOT / "tools"

GOOD_H = """#ifndef BASE_GOOD_H
#define BASE_GOOD_H
/** good_two - two. */
int good_two(void);
#endif /* BASE_GOOD_H */
"""
GOOD_C = """#include "base/good.h"

int good_two(void)
{
    return 2;
}
"""
USER_C = """#include "base/good.h"

int main(void)
{
    return good_two() - 2;
}
"""


class TreeTest(unittest.TestCase):
    """A test with a small clean tree in a temporary folder."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.tree = pathlib.Path(folder.name).resolve()
        self.write("src/base/good.h", GOOD_H)
        self.write("src/base/good.c", GOOD_C)
        self.write("test/unit/base/test_good.c", USER_C)

    def write(self, path, text):
        file = self.tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def run_tool(self, *command):
        """Run a command in the tree; return its exit code and output."""
        environment = dict(os.environ, XDG_CACHE_HOME=str(self.tree / "cache"))
        done = subprocess.run(
            list(map(str, command)), cwd=self.tree, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout

    def passes(self, *command):
        code, output = self.run_tool(*command)
        self.assertEqual(code, 0, output)
        return output

    def fails(self, words, *command):
        """The command fails and names the fault."""
        code, output = self.run_tool(*command)
        self.assertEqual(code, 1, output)
        self.assertIn(words, output)
        return output

    def compile(self, *flags):
        """Build build/libxmbl_<folder>.a and compile_commands.json."""
        build = self.tree / "build"
        shutil.rmtree(build, ignore_errors=True)
        build.mkdir()
        commands = []
        for source in sorted(self.tree.rglob("*.c")):
            name = "_".join(source.relative_to(self.tree).parts) + ".o"
            command = ["gcc", "-std=c17", "-O1", *flags, f"-I{self.tree}/src",
                       "-o", name, "-c", str(source)]
            subprocess.run(command, cwd=build, check=True)
            commands.append({"directory": str(build), "file": str(source),
                             "command": " ".join(command)})
            if source.parts[-3] == "src":
                library = f"libxmbl_{source.parts[-2]}.a"
                subprocess.run(["ar", "rc", library, name], cwd=build,
                               check=True)
        (build / "compile_commands.json").write_text(json.dumps(commands))


class Layers(TreeTest):
    check = (sys.executable, TOOLS / "check_layers.py")

    def plant(self, path, text, words):
        self.passes(*self.check)
        self.write(path, text)
        self.fails(words, *self.check)

    def test_arrow_that_is_not_in_the_table(self):
        self.plant("src/base/up.c", '#include "crypto/hash.h"\n',
                   "src/base/up.c:1: base/ may not use crypto/")

    def test_unknown_folder(self):
        self.plant("src/misc/a.c", "int a;\n", "src/misc: not a row of LAYERS")

    def test_folder_in_a_folder(self):
        self.plant("src/base/deep/a.c", "int a;\n", "have no folders")

    def test_system_header_in_pure_folder(self):
        self.plant("src/base/a.c", "\n#include <time.h>\n",
                   "src/base/a.c:2: a pure folder may not include <time.h>")

    def test_system_header_in_closed_folder(self):
        self.plant("src/store/a.c", "# include <stdio.h>\n",
                   "a closed folder may not include <stdio.h>")

    def test_stdlib_only_in_the_memory_file(self):
        self.write("src/base/mem.c", "#include <stdlib.h>\n")
        self.plant("src/base/a.c", "#include <stdlib.h>\n", "<stdlib.h>")

    def test_private_header(self):
        self.write("src/crypto/b.c", '#include "crypto/x_priv.h"\n')
        self.plant("src/ipld/a.c", '#include "crypto/x_priv.h"\n',
                   "crypto/x_priv.h is private to crypto/")

    def test_include_without_folder(self):
        self.plant("src/base/a.c", '#include "good.h"\n', 'write "good.h" as')

    def test_malloc(self):
        call = "void f(void)\n{\n    %s(8);\n}\n"
        self.write("src/base/mem.c", call % "malloc")
        self.write("src/os/said.c", '/* malloc(1) */ char *s = "free(p)";\n')
        self.write("src/os/ours.c", call % "mem_free" + call % "a->free")
        for name in ("malloc", "calloc", "realloc", "free", "strdup"):
            self.plant("src/os/bad.c", call % name,
                       f"src/os/bad.c:3: {name}() is for src/base/mem.c only")
            (self.tree / "src/os/bad.c").unlink()

    def test_floating_point(self):
        self.write("src/base/said.c", "/* double the size */\n")
        self.plant("src/base/a.c", "\ndouble weight;\n",
                   "src/base/a.c:2: double in a pure folder")

    def test_atoms(self):
        self.write("src/base/amount.c", "int f(struct a *a) { a->atoms++; }\n")
        self.plant("src/wallet/a.c", "int f(struct a a) { a.atoms++; }\n",
                   "atoms of an amount")

    def test_worker_alone_uses_wasm(self):
        self.write("src/app/xmbl_worker.c", '#include "wasm/run.h"\n')
        self.plant("src/app/xmbl.c", '#include "wasm/run.h"\n',
                   "app/ may not use wasm/")

    def test_table_that_points_up(self):
        self.assertEqual(list(check_layers.table_faults()), [])
        upward = {"low": check_layers.Layer("pure", "high"),
                  "high": check_layers.Layer("pure")}
        with mock.patch.object(check_layers, "LAYERS", upward):
            self.assertEqual(len(list(check_layers.table_faults())), 1)


class Size(TreeTest):
    check = (sys.executable, TOOLS / "check_size.py")

    def test_limit(self):
        self.write("src/base/long.c", "\n" * 1000)
        self.passes(*self.check)
        self.write("src/base/long.c", "\n" * 1001)
        self.fails("src/base/long.c: 1001 lines", *self.check)


class Headers(TreeTest):
    check = (TOOLS / "check_headers.sh",)

    def test_header_that_needs_another(self):
        self.passes(*self.check)
        self.write("src/base/good.h", GOOD_H.replace("(void)", "(size_t a)"))
        self.fails("src/base/good.h: does not compile alone", *self.check)

    def test_wrong_guard(self):
        self.write("src/base/good.h", GOOD_H.replace("BASE_GOOD", "GOOD"))
        self.fails("include guard must be BASE_GOOD_H", *self.check)

    def test_own_header_comes_first(self):
        self.write("src/base/good.c", "#include <stddef.h>\n" + GOOD_C)
        self.fails('must include "base/good.h" first', *self.check)


class Symbols(TreeTest):
    check = (sys.executable, TOOLS / "check_symbols.py", "build")

    def plant(self, path, text, words):
        self.compile()
        self.passes(*self.check)
        self.write(path, text)
        self.compile()
        self.fails(words, *self.check)

    def test_empty_build(self):
        (self.tree / "build").mkdir()
        self.fails("no library to look at", *self.check)

    def test_pure_folder_reads_the_clock(self):
        self.plant("src/ipld/a.c", "long time(long *);\n"
                   "long f(void) { return time(0); }\n",
                   "ipld/ calls time(), which a pure folder may not")

    def test_closed_folder_prints(self):
        self.write("src/store/good.c", "int strcmp(const char *, const char *);"
                   "int g(const char *s) { return strcmp(s, s + 1); }\n")
        self.plant("src/store/a.c", "int puts(const char *);\n"
                   'int f(void) { return puts(""); }\n',
                   "store/ calls puts(), which a closed folder may not")

    def test_open_folder_allocates(self):
        self.write("src/os/good.c", "#include <unistd.h>\n"
                   "int g(void) { return getpid(); }\n")
        self.plant("src/os/a.c", "#include <stdlib.h>\n"
                   "void *f(void) { return malloc(9); }\n",
                   "os/ calls malloc(): use base/mem.h")

    def test_chance_from_a_library(self):
        self.write("src/crypto/good.c", "#include <openssl/evp.h>\n"
                   "const void *g(void) { return EVP_sha256(); }\n")
        self.plant("src/crypto/a.c", "#include <openssl/rand.h>\n"
                   "int f(unsigned char *p) { return RAND_bytes(p, 8); }\n",
                   "crypto/ calls RAND_bytes(): chance comes from struct rng")

    def test_call_into_a_folder_above(self):
        self.write("src/crypto/up.c", "int up(void) { return 1; }\n")
        self.plant("src/base/a.c", "int up(void);\nint f(void) { return up(); }"
                   "\n", "base/ calls up()")

    def test_mutable_global(self):
        self.write("src/base/names.c", "const char *const names[] ="
                   ' {"a", "b"};\n')
        self.compile("-fPIC")
        self.passes(*self.check)
        self.plant("src/os/a.c", "int f(void)\n{\n"
                   "    static int calls;\n    return ++calls;\n}\n",
                   "os/ has the mutable global calls")


class Static(TreeTest):
    check = (sys.executable, TOOLS / "check_static.py", "build")

    def test_nobody_calls(self):
        self.compile()
        self.passes(*self.check)
        self.write("test/unit/base/test_good.c", "int main(void) {}\n")
        self.compile()
        self.fails("nothing outside this file uses good_two", *self.check)

    def test_no_header_declares(self):
        self.write("src/base/a.c", "int f(void);\nint f(void) { return 1; }\n")
        self.compile()
        self.fails("f is declared in no header", *self.check)


class Mutants(TreeTest):
    check = (sys.executable, TOOLS / "mutants.py", "build")

    def plant(self, old, new):
        self.compile()
        self.write("build/build.ninja",
                   "rule link\n"
                   " command = : && gcc test_unit_base_test_good.c.o -o $out"
                   " libxmbl_base.a && :\n"
                   "build test/test_base_good: link\n")
        self.write("tools/mutants.txt", "# A head.\n\n"
                   f"src/base/good.c base.good\n- {old}\n+ {new}\n")

    def test_fault(self):
        self.plant("    return 2;", "    return 3;")
        self.assertIn("1 caught, 0 not", self.passes(*self.check))
        self.fails("0 caught", *self.check, "other.c")
        self.plant("    return 2;", "    return 1 + 1;")
        self.fails("nobody noticed", *self.check)
        self.plant("    return 2;", "    return two;")
        self.fails("does not compile", *self.check)
        self.plant("    return 4;", "    return 3;")
        self.fails("its text is not there once", *self.check)


class Lint(TreeTest):
    check = (sys.executable, TOOLS / "lint.py", "build")

    def setUp(self):
        super().setUp()
        shutil.copy(ROOT / ".clang-tidy", self.tree)

    def test_clang_tidy_and_its_cache(self):
        self.compile()
        self.assertIn("\n4 runs", "\n" + self.passes(*self.check))
        self.assertIn("\n0 runs", "\n" + self.passes(*self.check))
        self.write("src/base/good.h", GOOD_H + "\n")
        self.assertIn("\n4 runs", "\n" + self.passes(*self.check))
        self.write("src/base/good.c", GOOD_C.replace(
            "return 2", "return good_two()"))
        self.fails("misc-no-recursion", *self.check)
        # What has findings is looked at again.
        self.fails("misc-no-recursion", *self.check)

    def test_cppcheck(self):
        self.write(".clang-tidy", "Checks: '-*,misc-definitions-in-headers'\n")
        self.write("src/base/good.c", GOOD_C.replace(
            "return 2", "int a[2] = {1, 2};\n    return a[2]"))
        self.compile("-w")
        self.fails("arrayIndexOutOfBounds", *self.check)


class Format(TreeTest):
    def test_format(self):
        shutil.copy(ROOT / ".clang-format", self.tree)
        check = ("clang-format", "--dry-run", "-Werror", "src/base/good.c")
        self.passes(*check)
        self.write("src/base/good.c", GOOD_C.replace("    ", "\t"))
        self.fails("should be clang-formatted", *check)


class Build(TreeTest):
    """The presets refuse what compiles with a warning."""

    def setUp(self):
        super().setUp()
        for name in ("CMakeLists.txt", "CMakePresets.json"):
            shutil.copy(ROOT / name, self.tree)
        shutil.copytree(ROOT / "cmake", self.tree / "cmake")
        for name in ("tools/check_layers.py", "test/fuzz/replay.c"):
            self.write(name, (ROOT / name).read_text())

    def test_empty_corpus(self):
        self.write("test/fuzz/fuzz_base_good.c", "#include <stddef.h>\n"
                   "#include <stdint.h>\n"
                   "int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len);\n"
                   "int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)\n"
                   "{\n    return len > 0 && p[0] == 0;\n}\n")
        (self.tree / "test/fuzz/corpus/base_good").mkdir(parents=True)
        self.passes("cmake", "--preset", "dev")
        self.passes("cmake", "--build", "--preset", "dev")
        replay = ("build/dev/fuzz/fuzz_base_good", "test/fuzz/corpus/base_good")
        self.fails("the corpus is empty", *replay)
        self.write("test/fuzz/corpus/base_good/a", "x")
        self.assertIn("1 inputs replayed", self.passes(*replay))
        self.assertIn("out of 2", self.passes("ctest", "--preset", "dev"))

    def test_gcc(self):
        self.passes("cmake", "--preset", "dev")
        self.passes("cmake", "--build", "--preset", "dev")
        self.write("src/base/good.c", GOOD_C.replace(
            "return 2", "unsigned char c = 2;\n    long n = c + 1;\n    c = n;"
            "\n    return c"))
        self.fails("-Werror=conversion",
                   "cmake", "--build", "--preset", "dev")

    def test_dropped_result(self):
        self.write("src/base/good.h", GOOD_H.replace(
            "int good", "__attribute__((__warn_unused_result__)) int good"))
        self.write("test/unit/base/test_good.c", USER_C.replace(
            "    return", "    (void)good_two();\n    return"))
        for preset in ("dev", "clang"):
            self.passes("cmake", "--preset", preset)
            self.passes("cmake", "--build", "--preset", preset)
        self.write("test/unit/base/test_good.c", USER_C.replace(
            "    return", "    good_two();\n    return"))
        self.fails("-Wunused-result", "cmake", "--build", "--preset", "clang")

    def test_clang(self):
        self.write("src/base/good.c", GOOD_C + "int hidden(void);\n"
                   "int hidden(void)\n{\n    int n = 1;\n    {\n"
                   "        int n = 2;\n        return n;\n    }\n"
                   "    return n;\n}\n")
        self.passes("cmake", "--preset", "clang")
        self.fails("-Wshadow", "cmake", "--build", "--preset", "clang")


class Counting(unittest.TestCase):
    """What the stages of ./dev test say is what is counted."""

    def count(self, script):
        stage = stages.Stage("planted", 5, [["sh", "-c", script]])
        with mock.patch("builtins.print"):
            return str(stages.run_tests(stage))

    def test_summary_is_read(self):
        self.assertEqual(self.count("echo 3 passed, 0 failed, 2 skipped"),
                         "3 passed, 0 failed, 2 skipped")
        self.assertEqual(self.count("echo 3 passed, 1 failed; exit 1"),
                         "3 passed, 1 failed")
        self.assertEqual(self.count(
            "echo '80% tests passed, 1 tests failed out of 5'; exit 8"),
            "4 passed, 1 failed")

    def test_silence_is_a_failure(self):
        self.assertEqual(self.count("true"), "0 passed, 1 failed")

    def test_exit_code_is_a_failure(self):
        self.assertEqual(self.count("echo 3 passed, 0 failed; exit 1"),
                         "3 passed, 1 failed")

    def test_check_that_fails(self):
        stage = stages.Stage("planted", 5, [["false"], ["true"]])
        with mock.patch("builtins.print"):
            self.assertFalse(stages.run_check(stage))


class ContinuousIntegration(TreeTest):
    def plant(self, check, test):
        self.write("dev", f"#!/bin/sh\ncase $1 in\ncheck) {check} ;;\n"
                   f"test) {test} ;;\nesac\n")
        (self.tree / "dev").chmod(0o755)
        self.write(".ci/run", (ROOT / ".ci/run").read_text())
        code, output = self.run_tool("bash", ".ci/run")
        return code, output.splitlines()[-1]

    def test_sum(self):
        good = "echo 2 passed, 0 failed"
        self.assertEqual(self.plant(good, "echo 5 passed, 0 failed, 1 skipped"),
                         (0, "7 passed, 0 failed, 1 skipped"))
        self.assertEqual(self.plant(good, "echo 5 passed, 3 failed; exit 1"),
                         (1, "7 passed, 3 failed"))
        self.assertEqual(self.plant(good, "exit 1"), (1, "2 passed, 1 failed"))
        self.assertEqual(self.plant(good, "echo 5 passed, 0 failed; exit 1"),
                         (1, "7 passed, 1 failed"))


if __name__ == "__main__":
    unittest.main()
