#pragma once
#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "base/expected.h"
namespace jsp::natlab {

struct JsonProblem {
  size_t line;
  std::string what;
};

// The line of every value of a JSON text, by its path: "links.a.loss", "types[2]". A problem when the text is no JSON,
// or has a key twice in one object.
Expected<std::map<std::string, size_t>, JsonProblem> IndexJsonLines(std::string_view text);

}  // namespace jsp::natlab
