#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/buffer_pool.h"
#include "base/ecn_mark.h"
#include "base/expected.h"
#include "base/ip_fragmentation.h"
#include "base/rng.h"
#include "base/sans_io.h"
#include "sctp/events.h"
#include "sctp/message.h"
#include "sctp/metrics.h"
#include "sctp/options.h"
#include "sctp/types.h"
namespace jsp::sctp {

enum class SendError : uint8_t {
  kEmptyMessage,
  kMessageTooLarge,
  kQueueFull,
  kUnknownStream,
  kShuttingDown,
  kBadOptions,
  kMessageOpen,           // a message in pieces has begun on the stream and has no end yet
  kNoOpenMessage,         // a piece of none
  kMessageAbandoned,      // RFC 3758 §3.5 A3: of its message nothing more is sent
  kNoInterleaving,        // in pieces only with I-DATA: without it the message would hold up all streams (RFC 8260 §1)
  kNoPartialReliability,  // the peer does not understand that a message is given up (RFC 3758 §3.3.1)
};
enum class ResetError : uint8_t {
  kNotSupportedByPeer,
  kNotConnected,
  kUnknownStream,
  kTooManyStreams,  // in one request
  kAlreadyPending,  // one of the same kind is not answered yet
  kTooSoon,         // RFC 6525 §5.1.4: one SSN/TSN reset within 30 seconds
};
enum class AddStreamsError : uint8_t {
  kNotSupportedByPeer,
  kNotConnected,
  kBadNumber,  // none, or more than Options allow
  kAlreadyPending,
};
enum class State : uint8_t {
  kClosed,
  kCookieWait,
  kCookieEchoed,
  kEstablished,
  kShutdownPending,
  kShutdownSent,
  kShutdownReceived,
  kShutdownAckSent,
};
const char* ToString(State state);

// RFC 9260 association over a single DTLS path (RFC 8261). Single-homed; no IP addresses appear here. Owns streams,
// queues and timers; reads no clock and sends nothing itself. transport::Peer drives it.
class Association {
 public:
  struct Transmit {
    size_t size;
    IpFragmentation fragmentation = IpFragmentation::kForbidden;
    EcnMark ecn = EcnMark::kNotEct;  // kEct0: routers may mark it, as the peer reports it and we react (RFC 3168 §5)
  };
  using Event = sctp::Event;

  // `remote_max_message_size` of the options may be set later through SetRemoteLimits. Payloads of received messages
  // come from `pool`, which several associations of one loop may share.
  Association(const Options& options, Rng& rng, Timestamp now, const BufferPool& pool = {});
  // The same; not null. Several associations may share their options.
  Association(std::shared_ptr<const Options> options, Rng& rng, Timestamp now, const BufferPool& pool = {});
  ~Association();
  Association(Association&&) noexcept;
  Association& operator=(Association&&) noexcept;

  // Inputs. Garbage from the peer is counted in Metrics::dropped, never an error to the owner.
  // `mark`: of the IP packet that carried it; only with Options::ecn is anything made of it.
  void HandlePacket(Timestamp now, std::span<const uint8_t> packet, EcnMark mark = EcnMark::kNotEct);
  void HandleTimeout(Timestamp now);
  // The application took `bytes` of received messages: the window opens again.
  void HandleConsumed(Timestamp now, size_t bytes);
  // The owner's memory: received data may take so many octets, even if the window is larger, but for what completes the
  // next message. What is beyond is not acknowledged, and comes again (RFC 9260 §6.2).
  void SetReceiveAllowance(Timestamp now, size_t octets);
  // Gives back what empty queues hold, as idle associations do by themselves after a heartbeat interval.
  void Trim();
  // RFC 8261 §6.1: packets take another path from now on, or are wrapped differently. The path MTU is measured anew,
  // congestion control begins anew.
  void HandlePathChanged(Timestamp now, const PathProperties& path);
  // A datagram of ours was too large for a link of `mtu` octets of IP packet, by ICMP or by the own host (RFC 8899
  // §4.6.1: matched with its addresses and ports by the caller). A hint: it may be forged, and is never obeyed below
  // max_packet_size.
  void HandlePacketTooBig(Timestamp now, size_t mtu);

  // Commands. What the caller did wrong comes back; what the network does later is an Event.
  void Connect(Timestamp now);  // both sides may (RFC 8841 §10.2, simultaneous INIT is legal)
  // Whole messages also before Connected. A message of any size goes in pieces, one message at a time on a stream:
  // Part::kBegin, kMiddle …, kEnd, each with at least one octet, so that only what max_send_buffer has room for is ever
  // held; or kAborted, without octets, which abandons it. Pieces travel with the options of the first one. With another
  // error than kNoOpenMessage, kMessageAbandoned, or one that ended the association, the message is still open; so it
  // is after a reset of its stream that failed.
  Expected<void, SendError> Send(Timestamp now, Message message, const SendOptions& options = {});
  // RFC 6525 §5.1.2: after all that was sent on them is delivered or abandoned. Further sends fail with kUnknownStream
  // until OutgoingStreamsReset. No streams: all.
  Expected<void, ResetError> ResetStreams(Timestamp now, std::span<const StreamId> streams);
  // RFC 6525 §5.1.3: asks the peer to reset its streams, at most 128 or, none listed, all. RequestFinished says that it
  // will, IncomingStreamsReset that it has.
  Expected<void, ResetError> RequestPeerReset(Timestamp now, std::span<const StreamId> streams);
  // RFC 6525 §5.1.4: all streams of both directions begin anew, with new TSNs, once all that was sent is delivered.
  // Until RequestFinished sends fail with kUnknownStream.
  Expected<void, ResetError> ResetAssociation(Timestamp now);
  // RFC 6525 §5.1.5, §5.1.6: RequestFinished, and StreamsAdded when the peer agreed.
  Expected<void, AddStreamsError> AddOutgoingStreams(Timestamp now, uint16_t count);
  Expected<void, AddStreamsError> AddIncomingStreams(Timestamp now, uint16_t count);
  void Shutdown(Timestamp now);                        // graceful, RFC 9260 §9.2
  void Abort(Timestamp now, std::string_view reason);  // at once, RFC 9260 §9.1
  void SetBufferedAmountLowThreshold(StreamId stream, size_t bytes);
  // How ordered messages of an incoming stream come, until it is reset; when connected. With kPieces MessageReceived
  // carries a Part, and the peer's message may be larger than the receive window.
  void SetDelivery(Timestamp now, StreamId stream, Delivery delivery);
  void SetRemoteLimits(uint16_t remote_port, size_t remote_max_message_size);

  // Outputs. PollTransmit writes one packet: at most max_packet_size octets, or what path MTU discovery found or probes
  // (`out` bounds that), or a chunk that is older than a smaller MTU.
  [[nodiscard]] std::optional<Transmit> PollTransmit(Timestamp now, std::span<uint8_t> out);
  [[nodiscard]] std::optional<Event> PollEvent();
  [[nodiscard]] Timestamp NextTimeout() const;

  State state() const;
  // Octets of messages given to Send and not yet put into a packet for the first time; `control` messages do not count.
  size_t buffered_amount(StreamId stream) const;
  size_t total_buffered_amount() const;
  // It is at or below its threshold.
  bool IsBufferedAmountLow(StreamId stream) const;
  // Room before Send answers kQueueFull.
  size_t send_buffer_room() const;
  // Octets that received data takes: fragments, and messages until HandleConsumed.
  size_t received_octets() const;
  // For payloads of Send, so that a steady state allocates nothing.
  const BufferPool& pool() const;
  const Metrics& metrics() const;
  // What was given up of one stream since it was last reset (RFC 7496 §4.3); metrics() has the sum of all.
  AbandonedByPolicy abandoned(StreamId stream) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};
static_assert(SansIoCore<Association>);

}  // namespace jsp::sctp
