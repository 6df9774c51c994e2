#include "datachannel/message_codec.h"

#include <utility>
namespace jsp::datachannel {

sctp::Message EncodeMessage(sctp::StreamId stream, MessageKind kind, Payload payload, sctp::Part part) {
  const bool is_string = kind == MessageKind::kString;
  if (payload.empty()) {
    // RFC 8831 §6.6: "SCTP does not support the sending of empty user messages."
    payload.push_back(0);
    return {stream, is_string ? kPpidStringEmpty : kPpidBinaryEmpty, std::move(payload)};
  }
  return {stream, is_string ? kPpidString : kPpidBinary, std::move(payload), part};
}

}  // namespace jsp::datachannel
