"""Every external repository of jsp, for WORKSPACE builds.

`jsp_dependencies()` takes Bazel's own support repositories and the third-party libraries from the Debian packages of
`third_party/debian_packages.txt`, so a build needs no network. Each repository is defined only when the workspace has
none of that name, so a monorepo's own @openssl, @boost or @googletest wins. Builds with bzlmod take the same repository
names from MODULE.bazel instead.
"""

load("//third_party:support_repositories.bzl", "empty_coverage_tools", "native_rules_cc", "native_rules_shell")

def _system_library(name):
    # The path is a built-in include directory of the compiler, so the build file lists no headers: it carries link
    # options only, and no sandbox ever links thousands of Boost headers.
    if not native.existing_rule(name):
        native.new_local_repository(
            name = name,
            build_file = "@jsp//third_party:%s.BUILD" % name,
            path = "/usr/include",
        )

def _bazel_support(name, path):
    if not native.existing_rule(name):
        native.local_repository(name = name, path = path)

# buildifier: disable=unnamed-macro
def jsp_dependencies():
    """Defines the repositories that jsp needs and the calling workspace does not define itself."""
    _bazel_support("bazel_skylib", "/usr/share/bazel/tools/skylib")
    _bazel_support("platforms", "/usr/share/bazel/tools/platforms")
    _bazel_support("rules_java", "/usr/share/bazel/rules/java")
    _bazel_support("rules_proto", "/usr/share/bazel/rules/proto")
    if not native.existing_rule("rules_cc"):
        native_rules_cc(name = "rules_cc")
    if not native.existing_rule("rules_shell"):
        native_rules_shell(name = "rules_shell")
    if not native.existing_rule("remote_coverage_tools"):
        empty_coverage_tools(name = "remote_coverage_tools")

    _system_library("openssl")
    _system_library("boost")
    _system_library("tl_expected")
    _system_library("cli11")
    _system_library("tomlplusplus")
    _system_library("googletest")
    _system_library("google_benchmark")
