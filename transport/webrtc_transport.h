#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "transport/description_error.h"
#include "transport/peer_events.h"
#include "transport/stats.h"
#include "transport/webrtc_channel.h"
#include "transport/webrtc_completion.h"
#include "transport/webrtc_config.h"
namespace jsp {

using ConnectionState = transport::ConnectionState;
using DescriptionError = transport::DescriptionError;
using SdpType = transport::SdpType;

// A WebRTC data transport (RFC 8825) on the caller's executor: ICE, DTLS, SCTP and data channels, with Asio
// completion tokens (callbacks, use_future, use_awaitable, …). Owns its Peer and, unless the configuration shares one,
// its sockets; owns no thread. Destroying it is legal at any moment, inside its own handlers too: pending operations
// then complete with operation_aborted.
// The async_ verbs may be called from any thread. All other calls belong on get_executor() (a strand of the executor
// given), or wherever it cannot run meanwhile, such as before io_context::run() or between calls of it.
class WebRtcTransport {
 public:
  using executor_type = boost::asio::any_io_executor;
  WebRtcTransport(boost::asio::any_io_executor executor, WebRtcConfig config);
  WebRtcTransport(WebRtcTransport&& other) noexcept = default;
  WebRtcTransport& operator=(WebRtcTransport&& other) noexcept;
  ~WebRtcTransport();
  executor_type get_executor() const;

  // void(error_code): validates the configuration, opens sockets, and gathers candidates; completes when all are known.
  // kInvalidConfig: error_detail() names the field.
  template <class Token>
  auto async_initialize(Token&& token) {
    return Initiate<void()>(&WebRtcTransport::StartInitialize, std::forward<Token>(token));
  }

  // Signalling (RFC 9429 §4.1), after async_initialize. Exactly one side offers; create_offer opens the own channel.
  Expected<std::string, DescriptionError> create_offer();
  Expected<std::string, DescriptionError> create_answer();
  Expected<void, DescriptionError> set_remote_description(SdpType type, std::string_view sdp);
  // "candidate:…", or an empty line for end-of-candidates (RFC 8838 §13).
  Expected<void, DescriptionError> add_remote_candidate(std::string_view line);
  // An application/trickle-ice-sdpfrag body (RFC 8840 §9).
  Expected<void, DescriptionError> add_remote_fragment(std::string_view fragment);

  // Handlers run on get_executor(), never inside a call of this class. on_local_candidate gets "candidate:…" lines, and
  // an empty one when there will be no more.
  void on_local_candidate(std::function<void(const std::string& line)> handler);
  void on_state_change(std::function<void(ConnectionState, const std::string& reason)> handler);
  // Data takes another pair of candidates from now on, which is the first one, or better than the one before, or what
  // is left: so that a relayed connection that became a direct one is seen. stats() has the pair of now.
  void on_selected_pair(std::function<void(const ice::Candidate& local, const ice::Candidate& remote)> handler);
  // Channels that the peer opened, except the one that became the own channel of the answering side.
  void on_channel(std::function<void(DataChannel)> handler);

  // A restart (restart_ice, then another round) would help: the network changed and the connection does not follow by
  // itself, or nothing but a relay has answered, and fresh sockets, which are there by now, may find a direct path.
  void on_restart_needed(std::function<void(const std::string& reason)> handler);

  // void(error_code): completes when the own channel is open. Both descriptions may come before or after the call.
  template <class Token>
  auto async_connect(Token&& token) {
    return Initiate<void()>(&WebRtcTransport::StartConnect, std::forward<Token>(token));
  }
  // void(error_code): completes once predicate(state) holds; also for the state of now.
  template <class Token>
  auto async_wait_state(std::function<bool(ConnectionState)> predicate, Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code)>(
        [](auto handler, std::shared_ptr<TransportCore> core, std::function<bool(ConnectionState)> p) {
          StartWaitState(std::move(core), std::move(p), {std::move(handler), ExecutorOf(core)});
        },
        token, core_, std::move(predicate));
  }
  // void(error_code): says goodbye and completes when the connection is closed; pending operations end first.
  template <class Token>
  auto async_close(Token&& token) {
    return Initiate<void()>(&WebRtcTransport::StartClose, std::forward<Token>(token));
  }

  // The own channel's verbs; see DataChannel. Before it exists, async_receive waits and sends answer kNotInitialized.
  DataChannel channel() const;
  template <class Token>
  auto async_send(boost::asio::const_buffer message, Token&& token) {
    return channel().async_send(message, std::forward<Token>(token));
  }
  template <class Token>
  auto async_send(Message message, Token&& token) {
    return channel().async_send(std::move(message), std::forward<Token>(token));
  }
  boost::system::error_code try_send(std::span<const uint8_t> binary) { return channel().try_send(binary); }
  boost::system::error_code try_send(Message message) { return channel().try_send(std::move(message)); }
  template <class Token>
  auto async_receive(Token&& token) {
    return channel().async_receive(std::forward<Token>(token));
  }
  template <class Token>
  auto async_receive(boost::asio::mutable_buffer buffer, Token&& token) {
    return channel().async_receive(buffer, std::forward<Token>(token));
  }

  template <class Token>
  auto async_receive_some(boost::asio::mutable_buffer buffer, Token&& token) {
    return channel().async_receive_some(buffer, std::forward<Token>(token));
  }
  void set_delivery(Delivery delivery) { channel().set_delivery(delivery); }

  Expected<DataChannel, boost::system::error_code> open_channel(ChannelOptions options);
  ConnectionState connection_state() const;
  std::string state_reason() const;  // which timer or event caused the state
  std::string error_detail() const;  // one line about the last operation that failed
  transport::PeerStats stats() const;
  // With peer_options.collect_keylog: the lines of an NSS key log since the last call, empty once it is over. Whoever
  // has them reads what is sent: for captures.
  std::string take_key_log();
  // RFC 8445 §9: new credentials, with the candidates of now; then create_offer and the peer's answer, as at first.
  // Data goes on meanwhile. kNotInitialized, or operation_not_permitted while another round is incomplete or after the
  // end.
  boost::system::error_code restart_ice();

 private:
  friend struct ConnectionAttempt;
  using Done = Completion<boost::system::error_code>;
  template <class Signature, class Start, class Token>
  auto Initiate(Start start, Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code)>(
        [](auto handler, std::shared_ptr<TransportCore> core, Start s) {
          const auto executor = ExecutorOf(core);
          s(std::move(core), Done(std::move(handler), executor));
        },
        token, core_, start);
  }
  static boost::asio::any_io_executor ExecutorOf(const std::shared_ptr<TransportCore>& core);
  static void StartInitialize(std::shared_ptr<TransportCore> core, Done done);
  static void StartConnect(std::shared_ptr<TransportCore> core, Done done);
  static void StartClose(std::shared_ptr<TransportCore> core, Done done);
  static void StartWaitState(std::shared_ptr<TransportCore> core, std::function<bool(ConnectionState)> predicate,
                             Done done);

  std::shared_ptr<TransportCore> core_;
};

}  // namespace jsp
