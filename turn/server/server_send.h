#pragma once
#include "stun/error_code.h"
#include "turn/server/server.h"
namespace jsp::turn {

// The one way in which an authenticated response leaves (RFC 8489 §9.2.4). A template of Server, for its .cc files
// only.
template <class Compose>
void Server::Send(const Reply& reply, Compose&& compose) {
  Response response;
  response.path = reply.path;
  stun::MessageBuilder b(response.octets, reply.type, reply.id);
  compose(b);
  // RFC 8656 §5: "in all Allocate and Refresh responses".
  const bool says_software =
      reply.type.method == stun::Method::kAllocate || reply.type.method == stun::Method::kRefresh;
  if (says_software && !options_.software.empty()) b.AddText(stun::AttributeType::kSoftware, options_.software);
  reply.key.AddIntegrity(b);
  if (reply.with_fingerprint) b.AddFingerprint();
  response.size = static_cast<uint16_t>(b.Finish().size());
  responses_.Push(response);
}

}  // namespace jsp::turn
