"""Compiler options of our own targets. They never reach a target that depends on ours."""

JSP_WARNINGS = [
    "-Wall",
    "-Wextra",
    "-Wconversion",
    "-Wshadow",
]

# Warnings are errors for us. A workspace that depends on us builds with a compiler that we have not seen, so there they
# stay warnings (see jsp_copts in defs.bzl).
JSP_COPTS = JSP_WARNINGS + ["-Werror"]
