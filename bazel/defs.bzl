"""The rules that every package of jsp uses instead of bare cc_library, cc_test and cc_binary.

They add our warnings (and -Werror in our own workspace), link statically, and keep targets private unless they say
otherwise. No wrapper adds `defines` or `includes`: nothing leaks into a target that depends on ours.
"""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_library", "cc_test")
load("//bazel:copts.bzl", "JSP_COPTS", "JSP_FASTBUILD_COPTS", "JSP_WARNINGS")

def _is_own_workspace():
    # Bazel 7 and later know native.repo_name(), Bazel 9 only that.
    if hasattr(native, "repo_name"):
        return native.repo_name() == ""
    return native.repository_name() == "@"

def _own_copts():
    own = _is_own_workspace()
    warnings = select({
        "@platforms//os:windows": [],
        "//conditions:default": JSP_COPTS if own else JSP_WARNINGS,
    })
    if not own:
        return warnings
    return warnings + select({
        "//bazel:fastbuild": JSP_FASTBUILD_COPTS,
        "//conditions:default": [],
    })

# What the lint tests read.
_LINT_PATTERNS = ["**/*." + extension for extension in [
    "BUILD",
    "bazel",
    "bzl",
    "cc",
    "h",
    "html",
    "js",
    "json",
    "md",
    "mjs",
    "py",
    "sh",
    "toml",
    "txt",
]]

# buildifier: disable=unnamed-macro
def jsp_package(patterns = _LINT_PATTERNS):
    """Declares the package's files to the lint tests. The first call of every BUILD.bazel.

    Args:
      patterns: globs of the files that lint reads.
    """
    native.filegroup(
        name = "lint_srcs",
        srcs = native.glob(
            patterns,
            allow_empty = True,
            exclude = [
                "**/corpus/**",
                "**/node_modules/**",
            ],
        ),
        visibility = ["//visibility:public"],
    )

def jsp_cc_library(name, copts = [], linkstatic = True, **kwargs):
    """cc_library with our warnings.

    Args:
      name: the target's name; a directory's public target is named like the directory.
      copts: further options of this target only.
      linkstatic: True, so that no second, shared copy is built.
      **kwargs: as of cc_library.
    """
    cc_library(name = name, copts = _own_copts() + copts, linkstatic = linkstatic, **kwargs)

def jsp_cc_test(name, copts = [], deps = [], linkstatic = True, size = "small", gtest_main = True, **kwargs):
    """cc_test with our warnings and GoogleTest's main.

    Args:
      name: the target's name.
      copts: further options of this target only.
      deps: libraries under test; GoogleTest is added.
      linkstatic: True, so that a test is one binary.
      size: as of cc_test.
      gtest_main: False for a test that has its own main (GoogleTest is then linked without it).
      **kwargs: as of cc_test.
    """
    googletest = "@googletest//:gtest_main" if gtest_main else "@googletest//:gtest"
    cc_test(
        name = name,
        copts = _own_copts() + copts,
        linkstatic = linkstatic,
        size = size,
        deps = deps + [googletest],
        **kwargs
    )

def jsp_cc_binary(name, copts = [], **kwargs):
    """cc_binary with our warnings.

    Args:
      name: the target's name.
      copts: further options of this target only.
      **kwargs: as of cc_binary.
    """
    cc_binary(name = name, copts = _own_copts() + copts, **kwargs)
