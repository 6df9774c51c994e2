#include "test/interop/usrsctp_peer.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "dtls/clock_shim.h"
namespace jsp::interop {
namespace {

constexpr auto kTick = std::chrono::milliseconds(10);
constexpr uint32_t kPacketSize = 1191;  // as sctp::Options::max_packet_size
constexpr int kBuffer = 8 * 1024 * 1024;
// Of usrsctp's netinet/sctp.h; its installed header leaves it out.
constexpr int kInterleavingSupported = 0x1206;

// The library's timers may send for an association whose peer object is gone.
std::set<UsrsctpPeer*>& LivePeers() {
  static std::set<UsrsctpPeer*> peers;
  return peers;
}

int Output(void* address, void* buffer, size_t length, uint8_t, uint8_t) {
  auto* peer = static_cast<UsrsctpPeer*>(address);
  if (!LivePeers().contains(peer)) return 0;
  const auto* octets = static_cast<const uint8_t*>(buffer);
  peer->outbox.emplace_back(octets, octets + length);
  return 0;
}

// Calls into the library see the stack's time.
dtls::ScopedOpenSslClock LibraryTime() { return dtls::ScopedOpenSslClock(UsrsctpStack::Get().now()); }

template <class T>
T ReadAs(std::span<const uint8_t> octets) {
  T value{};
  std::memcpy(&value, octets.data(), std::min(sizeof(T), octets.size()));
  return value;
}

}  // namespace

UsrsctpStack& UsrsctpStack::Get() {
  static UsrsctpStack stack;
  return stack;
}

UsrsctpStack::UsrsctpStack() {
  const dtls::ScopedOpenSslClock clock(now_);
  usrsctp_init_nothreads(0, &Output, nullptr);
}

void UsrsctpStack::Advance(Timestamp now) {
  while (next_tick() <= now) {
    ticked_ = next_tick();
    now_ = ticked_;
    const dtls::ScopedOpenSslClock clock(now_);
    usrsctp_handle_timers(static_cast<uint32_t>(kTick.count()));
  }
  now_ = std::max(now_, now);
}

Timestamp UsrsctpStack::next_tick() const { return ticked_ + kTick; }

sctpstat UsrsctpStack::Statistics() const {
  sctpstat statistics{};
  usrsctp_get_stat(&statistics);
  return statistics;
}

template <class T>
void UsrsctpPeer::Set(struct socket* of, int level, int option, const T& value) {
  EXPECT_EQ(usrsctp_setsockopt(of, level, option, &value, sizeof(value)), 0) << "option " << option;
}

UsrsctpPeer::UsrsctpPeer(const UsrsctpOptions& options) : inbox_(512 * 1024) {
  UsrsctpStack::Get();
  const auto clock = LibraryTime();
  LivePeers().insert(this);
  usrsctp_register_address(this);
  socket_ = Open(options);
}

UsrsctpPeer::~UsrsctpPeer() {
  const auto clock = LibraryTime();
  LivePeers().erase(this);  // the other end learns nothing
  for (struct socket* open : {socket_, listening_}) {
    if (open == nullptr) continue;
    Set(open, SOL_SOCKET, SO_LINGER, linger{.l_onoff = 1, .l_linger = 0});
    usrsctp_close(open);
  }
  usrsctp_deregister_address(this);
}

sockaddr_conn UsrsctpPeer::Address(uint16_t port) {
  sockaddr_conn address{};
  address.sconn_family = AF_CONN;
  address.sconn_port = htons(port);
  address.sconn_addr = this;
  return address;
}

struct socket* UsrsctpPeer::Open(const UsrsctpOptions& options) {
  struct socket* opened = usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, nullptr, nullptr, 0, nullptr);
  EXPECT_NE(opened, nullptr);
  usrsctp_set_non_blocking(opened, 1);
  Set(opened, SOL_SOCKET, SO_SNDBUF, kBuffer);
  Set(opened, SOL_SOCKET, SO_RCVBUF, kBuffer);
  Set(opened, IPPROTO_SCTP, SCTP_NODELAY, 1);
  Set(opened, IPPROTO_SCTP, SCTP_RECVRCVINFO, 1);
  Set(opened, IPPROTO_SCTP, SCTP_INITMSG,
      sctp_initmsg{.sinit_num_ostreams = options.outgoing_streams,
                   .sinit_max_instreams = options.max_incoming_streams,
                   .sinit_max_attempts = 0,
                   .sinit_max_init_timeo = 0});
  Set(opened, IPPROTO_SCTP, SCTP_ENABLE_STREAM_RESET, sctp_assoc_value{SCTP_FUTURE_ASSOC, SCTP_ENABLE_VALUE_MASK});
  Set(opened, IPPROTO_SCTP, SCTP_FRAGMENT_INTERLEAVE, options.interleaving ? 2 : 1);
  if (options.interleaving) {
    Set(opened, IPPROTO_SCTP, kInterleavingSupported, sctp_assoc_value{SCTP_FUTURE_ASSOC, 1});
  }
  Set(opened, IPPROTO_SCTP, SCTP_PLUGGABLE_SS, sctp_assoc_value{SCTP_FUTURE_ASSOC, options.scheduler});
  sctp_paddrparams path{};
  path.spp_address.ss_family = AF_CONN;
  path.spp_flags = SPP_PMTUD_DISABLE | SPP_HB_ENABLE;
  path.spp_hbinterval = options.heartbeat_ms;
  path.spp_pathmtu = kPacketSize;
  path.spp_pathmaxrxt = 100;  // the only path: not to be given up before the association is
  Set(opened, IPPROTO_SCTP, SCTP_PEER_ADDR_PARAMS, path);
  for (const int type : {SCTP_ASSOC_CHANGE, SCTP_SHUTDOWN_EVENT, SCTP_STREAM_RESET_EVENT, SCTP_STREAM_CHANGE_EVENT,
                         SCTP_SEND_FAILED_EVENT, SCTP_PARTIAL_DELIVERY_EVENT, SCTP_ASSOC_RESET_EVENT}) {
    Set(opened, IPPROTO_SCTP, SCTP_EVENT, sctp_event{SCTP_FUTURE_ASSOC, static_cast<uint16_t>(type), 1});
  }
  sockaddr_conn address = Address(options.port);
  EXPECT_EQ(usrsctp_bind(opened, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  return opened;
}

void UsrsctpPeer::Listen() {
  const auto clock = LibraryTime();
  EXPECT_EQ(usrsctp_listen(socket_, 1), 0);
  listening_ = socket_;
  socket_ = nullptr;
}

void UsrsctpPeer::Connect(uint16_t remote_port) {
  const auto clock = LibraryTime();
  sockaddr_conn address = Address(remote_port);
  const int result = usrsctp_connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  EXPECT_TRUE(result == 0 || errno == EINPROGRESS) << errno;
}

void UsrsctpPeer::HandlePacket(std::span<const uint8_t> packet, EcnMark mark) {
  const auto clock = LibraryTime();
  usrsctp_conninput(this, packet.data(), packet.size(), static_cast<uint8_t>(mark));
}

void UsrsctpPeer::Read() {
  const auto clock = LibraryTime();
  if (listening_ != nullptr && socket_ == nullptr) {
    socket_ = usrsctp_accept(listening_, nullptr, nullptr);
    if (socket_ != nullptr) usrsctp_set_non_blocking(socket_, 1);
  }
  while (socket_ != nullptr) {
    sockaddr_conn from{};
    socklen_t from_length = sizeof(from);
    sctp_rcvinfo info{};
    socklen_t info_length = sizeof(info);
    unsigned int info_type = SCTP_RECVV_NOINFO;
    int flags = 0;
    const ssize_t got = usrsctp_recvv(socket_, inbox_.data(), inbox_.size(), reinterpret_cast<sockaddr*>(&from),
                                      &from_length, &info, &info_length, &info_type, &flags);
    if (got <= 0) break;
    const auto octets = std::span<const uint8_t>(inbox_).first(static_cast<size_t>(got));
    const bool is_end = (flags & MSG_EOR) != 0;
    if ((flags & MSG_NOTIFICATION) == 0) {
      EXPECT_EQ(info_type, unsigned{SCTP_RECVV_RCVINFO});
      HandleData(octets, info, is_end);
      continue;
    }
    notification_.insert(notification_.end(), octets.begin(), octets.end());
    if (is_end) HandleNotification(std::exchange(notification_, {}));
  }
}

void UsrsctpPeer::HandleData(std::span<const uint8_t> octets, const sctp_rcvinfo& info, bool is_end) {
  const bool unordered = (info.rcv_flags & SCTP_UNORDERED) != 0;
  const auto key = std::tuple(info.rcv_sid, unordered, info.rcv_ssn);
  std::vector<uint8_t>& message = partial_[key];
  message.insert(message.end(), octets.begin(), octets.end());
  if (!is_end) return;
  received.push_back({info.rcv_sid, ntohl(info.rcv_ppid), unordered, std::move(message)});
  partial_.erase(key);
}

void UsrsctpPeer::HandleNotification(std::span<const uint8_t> octets) {
  const auto header = ReadAs<sctp_notification::sctp_tlv>(octets);
  switch (header.sn_type) {
    case SCTP_ASSOC_CHANGE: {
      sctp_assoc_change change{};
      std::memcpy(&change, octets.data(), sizeof(change));
      const auto rest = octets.subspan(sizeof(change));
      changes.push_back({change.sac_state,
                         change.sac_error,
                         change.sac_outbound_streams,
                         change.sac_inbound_streams,
                         {rest.begin(), rest.end()}});
      break;
    }
    case SCTP_STREAM_RESET_EVENT: {
      sctp_stream_reset_event event{};
      std::memcpy(&event, octets.data(), sizeof(event));
      std::vector<uint16_t> streams((octets.size() - sizeof(event)) / sizeof(uint16_t));
      std::memcpy(streams.data(), octets.data() + sizeof(event), streams.size() * sizeof(uint16_t));
      resets.push_back({event.strreset_flags, std::move(streams)});
      break;
    }
    case SCTP_STREAM_CHANGE_EVENT:
      stream_changes.push_back(ReadAs<sctp_stream_change_event>(octets));
      break;
    case SCTP_ASSOC_RESET_EVENT:
      if (header.sn_flags == 0) ++association_resets;
      break;
    case SCTP_SHUTDOWN_EVENT:
      ++shutdown_events;
      break;
    case SCTP_SEND_FAILED_EVENT:
      ++failed_sends;
      break;
    case SCTP_PARTIAL_DELIVERY_EVENT: {
      const auto event = ReadAs<sctp_pdapi_event>(octets);
      std::erase_if(partial_, [&](const auto& entry) { return std::get<0>(entry.first) == event.pdapi_stream; });
      break;
    }
    default:
      break;
  }
}

bool UsrsctpPeer::Send(uint16_t stream, uint32_t ppid, std::span<const uint8_t> payload, const UsrsctpSend& options) {
  const auto clock = LibraryTime();
  sctp_sendv_spa info{};
  info.sendv_flags = SCTP_SEND_SNDINFO_VALID;
  info.sendv_sndinfo.snd_sid = stream;
  info.sendv_sndinfo.snd_ppid = htonl(ppid);
  info.sendv_sndinfo.snd_flags = static_cast<uint16_t>(options.unordered ? SCTP_UNORDERED : 0);
  if (options.policy != SCTP_PR_SCTP_NONE) {
    info.sendv_flags |= SCTP_SEND_PRINFO_VALID;
    info.sendv_prinfo = {.pr_policy = options.policy, .pr_value = options.value};
  }
  const ssize_t sent =
      usrsctp_sendv(socket_, payload.data(), payload.size(), nullptr, 0, &info, sizeof(info), SCTP_SENDV_SPA, 0);
  return sent == static_cast<ssize_t>(payload.size());
}

bool UsrsctpPeer::ResetStreams(uint16_t flags, const std::vector<uint16_t>& streams) {
  const auto clock = LibraryTime();
  std::vector<uint8_t> octets(sizeof(sctp_reset_streams) + streams.size() * sizeof(uint16_t));
  sctp_reset_streams request{};
  request.srs_assoc_id = SCTP_ALL_ASSOC;
  request.srs_flags = flags;
  request.srs_number_streams = static_cast<uint16_t>(streams.size());
  std::memcpy(octets.data(), &request, sizeof(request));
  std::memcpy(octets.data() + sizeof(request), streams.data(), streams.size() * sizeof(uint16_t));
  return usrsctp_setsockopt(socket_, IPPROTO_SCTP, SCTP_RESET_STREAMS, octets.data(),
                            static_cast<socklen_t>(octets.size())) == 0;
}

bool UsrsctpPeer::ResetAssociation() {
  const auto clock = LibraryTime();
  const sctp_assoc_t all = SCTP_ALL_ASSOC;
  return usrsctp_setsockopt(socket_, IPPROTO_SCTP, SCTP_RESET_ASSOC, &all, sizeof(all)) == 0;
}

bool UsrsctpPeer::AddStreams(uint16_t incoming, uint16_t outgoing) {
  const auto clock = LibraryTime();
  const sctp_add_streams request{SCTP_ALL_ASSOC, incoming, outgoing};
  return usrsctp_setsockopt(socket_, IPPROTO_SCTP, SCTP_ADD_STREAMS, &request, sizeof(request)) == 0;
}

bool UsrsctpPeer::Shutdown() {
  const auto clock = LibraryTime();
  return usrsctp_shutdown(socket_, SHUT_WR) == 0;
}

bool UsrsctpPeer::Abort(std::string_view reason) {
  const auto clock = LibraryTime();
  sctp_sndinfo info{};
  info.snd_flags = SCTP_ABORT;
  return usrsctp_sendv(socket_, reason.data(), reason.size(), nullptr, 0, &info, sizeof(info), SCTP_SENDV_SNDINFO, 0) >=
         0;
}

void UsrsctpPeer::DemandHeartbeat() {
  const auto clock = LibraryTime();
  sctp_paddrparams path{};
  path.spp_address.ss_family = AF_CONN;
  path.spp_flags = SPP_HB_DEMAND;
  Set(socket_, IPPROTO_SCTP, SCTP_PEER_ADDR_PARAMS, path);
}

sctp_status UsrsctpPeer::Status() const {
  const auto clock = LibraryTime();
  sctp_status status{};
  socklen_t size = sizeof(status);
  EXPECT_EQ(usrsctp_getsockopt(socket_, IPPROTO_SCTP, SCTP_STATUS, &status, &size), 0);
  return status;
}

size_t UsrsctpPeer::reset_streams() const {
  size_t streams = 0;
  for (const StreamReset& reset : resets) streams += reset.streams.size();
  return streams;
}

bool UsrsctpPeer::Saw(uint16_t state) const { return Change(state).has_value(); }

std::optional<UsrsctpPeer::AssociationChange> UsrsctpPeer::Change(uint16_t state) const {
  const auto found = std::ranges::find(changes, state, &AssociationChange::state);
  if (found == changes.end()) return std::nullopt;
  return *found;
}

}  // namespace jsp::interop
