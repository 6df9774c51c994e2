"""Repositories of aliases for bzlmod builds, so that a label such as @boost//:asio means the same there as in WORKSPACE.

The registry has one module for each Boost library. An extension's repositories see the modules that MODULE.bazel names,
so each alias resolves to the version that the whole build agreed on, and only the libraries in use are fetched.
"""

_BOOST_LIBRARIES = [
    "asio",
    "beast",
    "circular_buffer",
    "container",
    "intrusive",
    "json",
    "unordered",
    "url",
]

def _alias_repository_impl(repository_ctx):
    lines = ['package(default_visibility = ["//visibility:public"])']
    for name, actual in repository_ctx.attr.targets.items():
        lines.append('alias(name = "%s", actual = "%s")' % (name, actual))
    repository_ctx.file("BUILD.bazel", "\n".join(lines) + "\n")

_alias_repository = repository_rule(
    implementation = _alias_repository_impl,
    attrs = {"targets": attr.string_dict(mandatory = True, doc = "Target name to the label that it stands for.")},
    doc = "A repository with one package of aliases.",
)

def _hubs_impl(module_ctx):  # @unused
    _alias_repository(
        name = "boost",
        targets = {library: "@boost.%s//:boost.%s" % (library, library) for library in _BOOST_LIBRARIES},
    )
    _alias_repository(
        name = "tl_expected",
        targets = {"expected": "@tl-expected//:tl-expected"},
    )

hubs = module_extension(
    implementation = _hubs_impl,
    doc = "Defines @boost and @tl_expected.",
)
