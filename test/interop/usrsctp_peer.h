#pragma once
#include <usrsctp.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/ecn_mark.h"
#include "base/time.h"
namespace jsp::interop {

// The one usrsctp of this process, without threads: its timers and its gettimeofday() follow the time that Advance()
// is told. That time never goes back, because the library's endpoints and cookies outlive a test.
class UsrsctpStack {
 public:
  static UsrsctpStack& Get();
  Timestamp now() const { return now_; }
  // Runs the library's timers up to `now`, in ticks of 10 ms.
  void Advance(Timestamp now);
  Timestamp next_tick() const;
  sctpstat Statistics() const;

 private:
  UsrsctpStack();

  Timestamp now_ = Timestamp::FromEpoch(std::chrono::seconds(1'000'000));
  Timestamp ticked_ = now_;
};

struct UsrsctpOptions {
  uint16_t port = 5000;
  uint16_t outgoing_streams = 1024;
  uint16_t max_incoming_streams = 2048;
  bool interleaving = false;             // RFC 8260
  uint32_t scheduler = SCTP_SS_DEFAULT;  // SCTP_PLUGGABLE_SS
  uint32_t heartbeat_ms = 30000;
};

struct UsrsctpSend {
  bool unordered = false;
  uint16_t policy = SCTP_PR_SCTP_NONE;
  uint32_t value = 0;  // milliseconds of SCTP_PR_SCTP_TTL, retransmissions of SCTP_PR_SCTP_RTX
};

// One association of usrsctp over AF_CONN. Owns its socket; packets go through `outbox` and HandlePacket.
class UsrsctpPeer {
 public:
  struct Received {
    uint16_t stream;
    uint32_t ppid;
    bool unordered;
    std::vector<uint8_t> payload;
  };
  struct StreamReset {
    uint16_t flags;
    std::vector<uint16_t> streams;
  };
  struct AssociationChange {
    uint16_t state;
    uint16_t error;
    uint16_t outgoing_streams;
    uint16_t incoming_streams;
    std::vector<uint8_t> features;  // SCTP_ASSOC_SUPPORTS_…; of COMM_LOST: the ABORT chunk
  };

  explicit UsrsctpPeer(const UsrsctpOptions& options);
  ~UsrsctpPeer();
  UsrsctpPeer(const UsrsctpPeer&) = delete;
  UsrsctpPeer& operator=(const UsrsctpPeer&) = delete;

  void Listen();
  void Connect(uint16_t remote_port);
  void HandlePacket(std::span<const uint8_t> packet, EcnMark mark = EcnMark::kNotEct);
  // Takes what the library has for the application.
  void Read();

  // Whether the library took the message.
  bool Send(uint16_t stream, uint32_t ppid, std::span<const uint8_t> payload, const UsrsctpSend& options = {});
  bool ResetStreams(uint16_t flags, const std::vector<uint16_t>& streams);
  bool ResetAssociation();
  bool AddStreams(uint16_t incoming, uint16_t outgoing);
  bool Shutdown();
  bool Abort(std::string_view reason);
  void DemandHeartbeat();
  sctp_status Status() const;

  std::deque<std::vector<uint8_t>> outbox;
  std::vector<Received> received;
  std::vector<AssociationChange> changes;
  std::vector<StreamReset> resets;
  std::vector<sctp_stream_change_event> stream_changes;
  size_t shutdown_events = 0;
  size_t association_resets = 0;
  size_t failed_sends = 0;

  size_t reset_streams() const;  // over all of `resets`
  bool Saw(uint16_t state) const;
  std::optional<AssociationChange> Change(uint16_t state) const;

 private:
  struct socket* Open(const UsrsctpOptions& options);
  sockaddr_conn Address(uint16_t port);
  void HandleNotification(std::span<const uint8_t> octets);
  void HandleData(std::span<const uint8_t> octets, const sctp_rcvinfo& info, bool is_end);
  template <class T>
  void Set(struct socket* of, int level, int option, const T& value);

  struct socket* socket_ = nullptr;
  struct socket* listening_ = nullptr;
  std::vector<uint8_t> inbox_;
  std::vector<uint8_t> notification_;
  // Parts of messages of which the library gave a part: stream, unordered, sequence number.
  std::map<std::tuple<uint16_t, bool, uint16_t>, std::vector<uint8_t>> partial_;
};

}  // namespace jsp::interop
