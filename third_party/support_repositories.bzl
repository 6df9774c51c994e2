"""Stand-ins for repositories that Bazel 4 would otherwise download before it can build anything."""

_CC_DEFS = '''"""rules_cc as native rules: Debian's own rules_cc is newer than its Bazel can load."""

cc_binary = native.cc_binary
cc_import = native.cc_import
cc_library = native.cc_library
cc_test = native.cc_test
cc_toolchain = native.cc_toolchain
cc_toolchain_suite = native.cc_toolchain_suite
cc_flags_supplier = None
compiler_flag = None
'''

def _native_rules_cc_impl(repository_ctx):
    repository_ctx.file("WORKSPACE", 'workspace(name = "rules_cc")\n')
    repository_ctx.file("BUILD.bazel", "")
    repository_ctx.file("cc/BUILD.bazel", 'exports_files(["defs.bzl"])\n')
    repository_ctx.file("cc/defs.bzl", _CC_DEFS)

native_rules_cc = repository_rule(
    implementation = _native_rules_cc_impl,
    doc = "A @rules_cc whose cc/defs.bzl re-exports Bazel's native C++ rules.",
)

def _native_rules_shell_impl(repository_ctx):
    repository_ctx.file("WORKSPACE", 'workspace(name = "rules_shell")\n')
    repository_ctx.file("shell/BUILD.bazel", 'exports_files(["sh_test.bzl"])\n')
    repository_ctx.file("shell/sh_test.bzl", '"""sh_test as a native rule."""\n\nsh_test = native.sh_test\n')

native_rules_shell = repository_rule(
    implementation = _native_rules_shell_impl,
    doc = "A @rules_shell whose shell/sh_test.bzl re-exports Bazel's native sh_test.",
)

_COVERAGE_BUILD = '''package(default_visibility = ["//visibility:public"])

filegroup(name = "coverage_report_generator")

filegroup(name = "lcov_merger")
'''

def _empty_coverage_tools_impl(repository_ctx):
    repository_ctx.file("WORKSPACE", 'workspace(name = "remote_coverage_tools")\n')
    repository_ctx.file("BUILD.bazel", _COVERAGE_BUILD)

empty_coverage_tools = repository_rule(
    implementation = _empty_coverage_tools_impl,
    doc = "A @remote_coverage_tools with the two targets that every test rule names, and nothing in them.",
)
