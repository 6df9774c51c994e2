#include <string_view>

#include "sctp/association.h"

int main() { return std::string_view(jsp::sctp::ToString(jsp::sctp::AbortCause{})).empty() ? 1 : 0; }
