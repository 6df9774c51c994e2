#include "sctp/tx/retransmission_queue.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "sctp/packet/common_header.h"
namespace jsp::sctp {
namespace {

constexpr size_t kUnpacedPackets = 10;  // RFC 6928 §2
constexpr size_t kFewPackets = 4;       // RFC 9260 §6.1 D: a burst of them is still one window

size_t MaxChunk(size_t packet_size) {
  JSP_CHECK(packet_size > kCommonHeaderSize + IDataChunk::kHeaderSize);
  return (packet_size - kCommonHeaderSize) & ~size_t{3};
}

bool UsesRackTlp(const Options& options) {
  return options.rack_tlp || options.congestion_control != CongestionAlgorithm::kNewReno;
}

// The limiter needs the measurements of the one, and the other keeps its waves small.
bool LimitsQueue(const Options& options) {
  return options.limit_queue && UsesRackTlp(options) && options.pacing &&
         options.congestion_control != CongestionAlgorithm::kModelBased;
}

}  // namespace

RetransmissionQueue::RetransmissionQueue(const Options& options, const Start& start, SendQueue& messages,
                                         Metrics& metrics)
    : limits_{.max_chunk = MaxChunk(options.max_packet_size),
              .large_chunk = MaxChunk(options.max_packet_size),
              .algorithm = options.congestion_control,
              .initial_packets = options.initial_window_packets,
              .max_burst = std::max<size_t>(options.max_burst_packets, 1),
              .pacing = options.pacing,
              .rack_tlp = UsesRackTlp(options),
              .limit_queue = LimitsQueue(options),
              .framing = start.framing,
              .chunk_header = start.framing == Framing::kIData ? IDataChunk::kHeaderSize : DataChunk::kHeaderSize},
      messages_(messages),
      metrics_(metrics),
      outstanding_(start.initial_tsn, messages),
      rto_({options.rto_initial, options.rto_min, options.rto_max}),
      congestion_(options.congestion_control, {.pmdcs = limits_.max_chunk,
                                               .initial_cwnd = options.initial_window_packets * limits_.max_chunk,
                                               .initial_ssthresh = start.peer_a_rwnd}),
      peer_{start.peer_a_rwnd, start.reliability} {
  outstanding_.SetReliability(peer_.reliability);
  outstanding_.SetFraming(start.framing);
  messages_.SetFraming(start.framing);
  // The first flight is the initial window, not Max.Burst.
  permission_.burst = std::max(options.initial_window_packets, limits_.max_burst);
  permission_.unpaced = kUnpacedPackets;
  if (limits_.limit_queue) pace_.limiter.emplace(limits_.max_chunk);
  congestion_.IgnoreMarksUpTo(HighestSent());
  PublishMetrics();
}

void RetransmissionQueue::UpdatePeer(uint32_t peer_a_rwnd, Reliability reliability) {
  peer_.a_rwnd = peer_a_rwnd;
  peer_.reliability = reliability;
  outstanding_.SetReliability(reliability);
}

void RetransmissionQueue::RestartAt(Tsn next_tsn) {
  outstanding_.RestartAt(next_tsn);
  losses_.HandleTimeout();
  losses_.Settle();
  spurious_.Close();
  t3_ = {};
  probe_ = {};
  forward_ = {};
  congestion_.IgnoreMarksUpTo(HighestSent());
}

void RetransmissionQueue::SetPacketSize(size_t packet, size_t large) {
  limits_.max_chunk = MaxChunk(packet);
  limits_.large_chunk = large - std::min(large, kCommonHeaderSize);
  congestion_.SetPmdcs(limits_.max_chunk);
  if (pace_.limiter) pace_.limiter->SetPmdcs(limits_.max_chunk);
}

void RetransmissionQueue::ResetPath(Timestamp now) {
  congestion_ = CongestionControl(limits_.algorithm, {.pmdcs = limits_.max_chunk,
                                                      .initial_cwnd = limits_.initial_packets * limits_.max_chunk,
                                                      .initial_ssthresh = peer_.a_rwnd});
  congestion_.IgnoreMarksUpTo(HighestSent());
  spurious_.Close();
  pace_.pacer.Reset();
  if (pace_.limiter) pace_.limiter.emplace(limits_.max_chunk);
  rto_.UndoBackOff();
  if (t3_.at != Timestamp::Never()) t3_.at = std::min(t3_.at, now + rto_.rto());
  PublishMetrics();
}

size_t RetransmissionQueue::OversizedRepetition(Timestamp now) {
  const auto lost = NextLost(now);
  const size_t size = lost ? outstanding_.at(*lost).size() : 0;
  return size > limits_.max_chunk ? size : 0;
}

std::optional<UnwrappedTsn> RetransmissionQueue::FindLost(Timestamp now) {
  const uint64_t abandoned = metrics_.messages_abandoned;
  const auto lost = outstanding_.NextLost(now);
  // RFC 3758 §3.5 C3: what expired while it waited for its turn is forwarded now; no SACK and no timer may follow.
  if (metrics_.messages_abandoned != abandoned) UpdateForwardTsn(now);
  // What no SACK had room to report has left the network, by all that is known, but is sent again only when it is known
  // to be missing: each round trip reveals more, while anything is in flight.
  if (lost && !outstanding_.IsReported(*lost) && outstanding_.flight_octets() > 0) return std::nullopt;
  return lost;
}

bool RetransmissionQueue::BeginPacket(Timestamp now) {
  packet_ = {};
  if (pace_.last_was_full && pace_.last_sent == now) packet_.follows = Follows::kFullPacket;
  if (permission_.fast_retransmit && NextLost(now)) {
    packet_.only_lost = outstanding_.flight_octets() >= congestion_.cwnd();
    return true;
  }
  permission_.fast_retransmit = false;
  permission_.paced = false;
  if (permission_.only_one_packet && outstanding_.flight_octets() > 0) return false;
  const bool has_lost = NextLost(now).has_value();
  if (permission_.tail_probe && (has_lost || messages_.Front(now, peer_.reliability))) return true;
  if ((!has_lost && !MaySendNew(now)) || IsWindowFull()) {
    pace_.pacer.HandleNothingToSend();
    return false;
  }
  permission_.paced = !pace_.pacer.MaySend(now);
  return !permission_.paced;
}

bool RetransmissionQueue::IsWindowFull() {
  const size_t flight = outstanding_.flight_octets();
  // RFC 9260 §6.1 B: a flight below cwnd may exceed it by the rest of one packet.
  if (flight >= congestion_.cwnd()) return true;
  if (!pace_.limiter || flight < pace_.limiter->limit()) return false;
  // RFC 9260 §7.2.1: a window that is not utilized does not grow.
  permission_.window_was_full = false;
  pace_.limiter->HandleHeldBack();
  return true;
}

bool RetransmissionQueue::MaySendNew(Timestamp now) {
  // RFC 9260 §6.1 D: Max.Burst, until a round trip is known; then packets are paced.
  if (!IsPaced() && permission_.burst == 0) return false;
  if (!messages_.Front(now, peer_.reliability)) {
    // An opportunity that is not used is gone, except for the first flight.
    if (pace_.last_sent != Timestamp::Never()) permission_.burst = 0;
    const bool has_room = outstanding_.flight_octets() + limits_.max_chunk <= congestion_.cwnd();
    if (IsPaced() && has_room) permission_.window_was_full = false;
    return false;
  }
  DecayWhenIdle(now);
  return true;
}

void RetransmissionQueue::DecayWhenIdle(Timestamp now) {
  if (!outstanding_.empty() || pace_.last_sent == Timestamp::Never()) return;
  congestion_.HandleIdle(now - pace_.last_sent, rto_.rto());
  pace_.last_sent = now;
}

std::optional<DataChunk> RetransmissionQueue::NextChunk(Timestamp now, size_t room) {
  packet_.is_full = room <= limits_.chunk_header;
  if (packet_.is_full) return std::nullopt;
  // RFC 9260 §6.1 C: what is lost goes before what is new.
  if (const auto lost = NextLost(now)) {
    if (outstanding_.at(*lost).size() > room) return std::nullopt;
    const size_t flight = outstanding_.flight_octets();
    outstanding_.MarkRetransmitted(*lost);
    NoteSent(now, *lost, flight);
    // RFC 9260 §6.3.1 C5.
    if (t3_.timed && *lost <= t3_.timed->tsn) t3_.timed.reset();
    NoteRepeated(now, *lost);
    packet_.has_chunk = packet_.has_repeated = true;
    packet_.has_lowest = packet_.has_lowest || *lost == outstanding_.first_tsn();
    ++metrics_.retransmitted_chunks;
    return Compose(*lost);
  }
  if (packet_.only_lost || (!IsPaced() && permission_.burst == 0)) return std::nullopt;
  return NextNewChunk(now, room);
}

std::optional<DataChunk> RetransmissionQueue::NextNewChunk(Timestamp now, size_t room) {
  while (const auto handle = messages_.Front(now, peer_.reliability)) {
    const OutgoingMessage& message = messages_.message(*handle);
    // RFC 3758 §4.1, for a message that has begun; Front drops those that have not.
    if (peer_.reliability == Reliability::kPartial && message.expires_at <= now) {
      outstanding_.AbandonMessage(*handle);
      UpdateForwardTsn(now);
      continue;
    }
    const size_t length = NextFragmentLength(message.size() - message.fragmented, room - limits_.chunk_header,
                                             limits_.max_chunk - limits_.chunk_header, packet_.follows);
    if (length == 0 || !WindowAllows(now, length)) return std::nullopt;
    const size_t flight = outstanding_.flight_octets();
    const Fragment fragment = messages_.Take(length);
    const UnwrappedTsn tsn = outstanding_.Add(fragment);
    NoteSent(now, tsn, flight);
    if (!t3_.timed) t3_.timed = Timed{tsn, now};
    if (probe_.allowed) {
      probe_ = {.allowed = false, .answered = false, .tsn = tsn};
      packet_.has_repeated = true;
    }
    packet_.has_chunk = packet_.has_new = true;
    ++metrics_.chunks_sent;
    metrics_.bytes_sent += length;
    if (fragment.ends) ++metrics_.messages_sent;
    return Compose(tsn);
  }
  return std::nullopt;
}

void RetransmissionQueue::NoteSent(Timestamp now, UnwrappedTsn tsn, size_t flight_before) {
  packet_.octets += outstanding_.at(tsn).size();
  if (!limits_.rack_tlp) return;
  const auto supply = messages_.empty() ? LossDetector::Supply::kRunDry : LossDetector::Supply::kMoreWaits;
  outstanding_.NoteTransmission(tsn, losses_.HandleSent(now, tsn, flight_before, supply));
}

bool RetransmissionQueue::WindowAllows(Timestamp now, size_t length) {
  // RFC 9260 §6.2.1 B, C, D: the peer's window is what it advertised, less what is in flight.
  if (outstanding_.flight_payload() + length <= peer_.a_rwnd) {
    probe_.allowed = false;
    return true;
  }
  if (IsPaced()) permission_.window_was_full = false;
  if (!outstanding_.empty()) return false;
  // RFC 9260 §6.1 A: a probe "SHOULD only be sent when all outstanding DATA chunks have been cumulatively
  // acknowledged".
  if (probe_.allowed) return true;
  if (t3_.at == Timestamp::Never()) t3_.at = now + rto_.rto();
  return false;
}

void RetransmissionQueue::EndPacket(Timestamp now) {
  if (!packet_.has_chunk) return;
  permission_.fast_retransmit = permission_.tail_probe = false;
  if (packet_.has_new && permission_.burst > 0) --permission_.burst;
  pace_.last_sent = now;
  pace_.last_was_full = packet_.is_full;
  NoteWindow();
  // RFC 6928 §2: ten packets may leave together; the rest of the first window is spread over the handshake's round
  // trip.
  const bool is_paced = IsPaced() && permission_.unpaced == 0;
  if (permission_.unpaced > 0) --permission_.unpaced;
  pace_.pacer.HandleSent(now, packet_.octets, is_paced ? PacingRate() : 0);
  ArmTailProbe(now);
  // RFC 9260 §6.3.2 R1, RFC 9260 §6.1: restarted when the earliest outstanding TSN is sent again.
  if (t3_.at == Timestamp::Never() || packet_.has_lowest) t3_.at = now + rto_.rto();
  PublishMetrics();
}

uint64_t RetransmissionQueue::PacingRate() const {
  const uint64_t rate = congestion_.pacing_rate(rto_.srtt());
  return pace_.limiter ? std::min(rate, pace_.limiter->pacing_rate()) : rate;
}

void RetransmissionQueue::NoteWindow() {
  const bool is_full = outstanding_.flight_octets() + limits_.max_chunk > congestion_.cwnd();
  // A paced sender reaches its window only at the end of each round trip, and is limited by it all the time, unless the
  // application runs dry or the peer's window closes.
  permission_.window_was_full = is_full || (IsPaced() && permission_.window_was_full);
}

std::optional<ForwardTsnChunk> RetransmissionQueue::TakeForwardTsn(Timestamp now, size_t room) {
  if (!forward_.due || room < ForwardTsnChunk::kHeaderSize + ForwardTsnChunk::kItemSize) return std::nullopt;
  const ForwardTsnChunk chunk = outstanding_.BuildForwardTsn(room);
  NoteForwardTsn(now);
  return chunk;
}

std::optional<IForwardTsnChunk> RetransmissionQueue::TakeIForwardTsn(Timestamp now, size_t room) {
  if (!forward_.due || room < IForwardTsnChunk::kHeaderSize + IForwardTsnChunk::kItemSize) return std::nullopt;
  const IForwardTsnChunk chunk = outstanding_.BuildIForwardTsn(room);
  NoteForwardTsn(now);
  return chunk;
}

void RetransmissionQueue::NoteForwardTsn(Timestamp now) {
  forward_ = {.due = false, .sent_point = outstanding_.peer_ack_point(), .sent_at = now};
  // RFC 3758 §3.5 C5.
  if (t3_.at == Timestamp::Never()) t3_.at = now + rto_.rto();
}

DataChunk RetransmissionQueue::Compose(UnwrappedTsn tsn) const {
  const OutstandingData::Chunk& chunk = outstanding_.at(tsn);
  const OutgoingMessage& message = messages_.message(chunk.message);
  return {.tsn = tsn.Wrap(),
          .stream = message.message.stream,
          .ssn = message.unordered ? Ssn(0) : message.ssn(),
          .ppid = message.message.ppid,
          .mid = message.mid,
          .fsn = chunk.fsn,
          .immediate = (chunk.ends && message.sack_immediately) || WantsSackNow(),
          .unordered = message.unordered,
          .beginning = chunk.begins,
          .end = chunk.ends,
          .payload = std::span(message.message.payload).subspan(chunk.offset, chunk.length)};
}

// RFC 9260 §6.1, RFC 7053 §4.2: a SACK without delay helps when nothing more may leave before it. In a window of more
// packets the SACKs of earlier ones come anyway, and a tail probe asks for one.
bool RetransmissionQueue::WantsSackNow() const {
  if (permission_.tail_probe) return true;
  const bool has_more = outstanding_.has_lost() || !messages_.empty();
  if (!has_more) return permission_.ending;
  const size_t flight = outstanding_.flight_octets();
  if (flight > kFewPackets * limits_.max_chunk) return false;
  return flight + limits_.max_chunk > congestion_.cwnd() ||
         outstanding_.flight_payload() + limits_.max_chunk > peer_.a_rwnd;
}

void RetransmissionQueue::NoteRepeated(Timestamp now, UnwrappedTsn tsn) {
  // After a timeout only the first packet counts: what follows may well be overtaken by late acknowledgements.
  const bool is_timeout = spurious_.cause() == SpuriousRecovery::Cause::kTimeout;
  if (is_timeout ? spurious_.is_unanswered_timeout() : congestion_.in_fast_recovery()) {
    spurious_.HandleRepeated(now, tsn.Wrap());
  }
}

void RetransmissionQueue::PublishMetrics() {
  metrics_.cwnd = congestion_.cwnd();
  metrics_.ssthresh = congestion_.ssthresh();
  metrics_.flight_limit = pace_.limiter && pace_.limiter->limit() != SIZE_MAX ? pace_.limiter->limit() : 0;
  metrics_.outstanding_bytes = outstanding_.flight_payload();
  metrics_.peer_rwnd = peer_.a_rwnd > outstanding_.flight_payload() ? peer_.a_rwnd - outstanding_.flight_payload() : 0;
  metrics_.srtt_us = static_cast<uint64_t>(rto_.srtt().count());
  metrics_.rto_us = static_cast<uint64_t>(rto_.rto().count());
}

bool RetransmissionQueue::IsConsistent() const {
  // Whatever is outstanding is waited for (RFC 9260 §6.3.2 R1, RFC 3758 §3.5 C5), unless it is about to leave.
  const bool waits_for_nothing = outstanding_.empty() || outstanding_.has_lost() || forward_.due;
  return outstanding_.IsConsistent() && messages_.IsConsistent() && congestion_.cwnd() > 0 &&
         (waits_for_nothing || t3_.at != Timestamp::Never());
}

}  // namespace jsp::sctp
