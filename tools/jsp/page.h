#pragma once
#include <string_view>
namespace jsp::tool {

// The web page of serve: page/index.html with its style and script inside, generated at build time.
extern const std::string_view kPage;

}  // namespace jsp::tool
