#pragma once
#include <functional>
#include <string>
#include <string_view>

#include "transport/signaling/server.h"
namespace jsp::signaling {

// Finds the resource and the verb; 404, 405 and 415 are answered here. `done` is called once, now or later.
void Route(Resources& resources, const RequestView& request, std::function<void(RoutedReply)> done);

}  // namespace jsp::signaling
