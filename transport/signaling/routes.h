#pragma once
#include <functional>
#include <string>
#include <string_view>

#include "transport/signaling/server.h"
namespace jsp::signaling {

// One HTTP request, as far as the resources care.
struct RequestView {
  std::string_view method;
  std::string_view target;        // origin-form (RFC 9112)
  std::string_view content_type;  // with parameters
  std::string_view body;
};

struct RoutedReply {
  Reply reply;
  std::string_view content_type = "text/plain; charset=utf-8";
  std::string allow = {};  // methods of the resource, of a 405
};

// Finds the resource and the verb; 404, 405 and 415 are answered here. `done` is called once, now or later.
void Route(Resources& resources, const RequestView& request, std::function<void(RoutedReply)> done);

}  // namespace jsp::signaling
