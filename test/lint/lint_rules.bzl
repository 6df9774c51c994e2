"""jsp_lint: a script that reads the whole source tree, and its self-test on fixtures."""

load("//bazel:sh_test.bzl", "jsp_sh_test")
load(":packages.bzl", "PACKAGES")

def jsp_lint(name, tags = []):
    """Declares NAME_test (NAME.py over the tree) and NAME_selftest (NAME_selftest.py, which proves that it can fail).

    Args:
      name: the script's name without .py.
      tags: of NAME_test.
    """
    scripts = native.glob(["*.py"]) + native.glob(["allow/*.txt"]) + [
        "packages.bzl",
        "rfc_sections.txt",
        "//test/conformance:generate.py",
    ]
    jsp_sh_test(
        name = name + "_test",
        srcs = ["run_python.sh"],
        args = ["test/lint/%s.py" % name],
        data = scripts + [
            "package-lock.json",
            "//:WORKSPACE",
            "//:consumer_srcs",
        ] + ["//%s:lint_srcs" % package for package in PACKAGES],
        tags = ["lint"] + tags,
    )
    jsp_sh_test(
        name = name + "_selftest",
        srcs = ["run_python.sh"],
        args = ["test/lint/%s_selftest.py" % name],
        data = scripts,
        tags = ["lint"],
    )
