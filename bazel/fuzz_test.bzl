"""jsp_fuzz_test: a fuzz target that is a test. With --config=fuzz it is a libFuzzer binary."""

load("//bazel:defs.bzl", "jsp_cc_test")

def jsp_fuzz_test(name, deps = [], **kwargs):
    """Declares a test that replays corpus/NAME/* and mutations of it through LLVMFuzzerTestOneInput.

    Args:
      name: the target's name; its corpus is the directory corpus/NAME beside the BUILD file.
      deps: libraries under test.
      **kwargs: as of jsp_cc_test.
    """
    corpus = native.glob(["corpus/%s/*" % name])
    jsp_cc_test(
        name = name,
        args = ["$(location %s)" % path for path in corpus],
        data = corpus,
        gtest_main = False,
        linkopts = select({
            "//bazel:libfuzzer": ["-fsanitize=fuzzer"],
            "//conditions:default": [],
        }),
        deps = deps + ["//test/support:fuzz_input"] + select({
            "//bazel:libfuzzer": [],
            "//conditions:default": ["//test/support:fuzz_replay"],
        }),
        **kwargs
    )
