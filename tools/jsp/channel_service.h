#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "transport/signaling/session_host.h"
#include "transport/webrtc_channel.h"
namespace jsp::tool {

// What the label of a channel asks a served peer to do.
struct ServiceKind {
  enum class Kind : uint8_t { kEcho, kSink, kSource };
  Kind kind = Kind::kEcho;
  uint64_t bytes = 0;       // of kSource
  size_t message_size = 0;  // of kSource
};
// "sink"; "source:BYTES:SIZE" with 1 <= SIZE <= 262144; every other label echoes.
ServiceKind ParseServiceLabel(std::string_view label);

// The octets that a source sends: the same for everybody, so that both sides can hash them.
std::vector<uint8_t> SourcePayload(uint64_t offset, size_t size);

class ChannelWorker;

// Serves all channels of one session. A channel that may not send now is left unread, so SCTP's window holds its
// sender; channels with something to send take turns, one message each. Owns the workers, not the session.
class ChannelService final : public signaling::SessionService {
 public:
  // kPieces: messages of any size are served piece by piece, and a sink or an echo never holds a whole one.
  explicit ChannelService(signaling::Session& session, Delivery delivery = Delivery::kWhole);
  ~ChannelService() override;

  // Opens a channel with an id that both sides agreed on (RFC 8831 §6.5); it is served like any other.
  void OpenNegotiated(uint16_t id, std::string label);

  void HandlePeerEvent(transport::PeerEvent& event) override;
  void HandleRoom() override;

 private:
  using Workers = std::map<uint32_t, std::unique_ptr<ChannelWorker>>;

  void Add(datachannel::ChannelId channel);
  void Remove(datachannel::ChannelId channel);
  void Work();

  signaling::Session* session_;
  Delivery delivery_;
  Workers workers_;
};

}  // namespace jsp::tool
