"""Every package of this workspace. //test/lint:packages_test says which line to add when a package is missing."""

PACKAGES = [
    "",
    "base",
    "bazel",
    "dtls",
    "netsim",
    "sctp",
    "stun",
    "test/lint",
    "third_party",
    "transport",
]
