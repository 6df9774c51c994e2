// What the other side of a TLS stream does wrong, and what people are told.
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <functional>
#include <string>

#include "base/byte_reader.h"
#include "base/rng.h"
#include "dtls/openssl_ptr.h"
#include "dtls/stream_session.h"
#include "dtls/stream_session_test_support.h"
namespace jsp::dtls {
namespace {

using namespace testing;

// A peer that is plain OpenSSL, set up as a test wants it.
class RawStream {
 public:
  RawStream(const SSL_METHOD* method, const std::function<void(SSL_CTX*)>& configure) : context_(SSL_CTX_new(method)) {
    configure(context_.get());
    ssl_.reset(SSL_new(context_.get()));
    BIO* near_end = nullptr;
    BIO* far_end = nullptr;
    BIO_new_bio_pair(&near_end, 1 << 20, &far_end, 1 << 20);
    SSL_set_bio(ssl_.get(), near_end, near_end);
    stream_.reset(far_end);
  }
  SSL* ssl() { return ssl_.get(); }
  void Give(const Bytes& octets) { BIO_write(stream_.get(), octets.data(), static_cast<int>(octets.size())); }
  Bytes Take() {
    Bytes octets(1 << 20);
    const int size = BIO_read(stream_.get(), octets.data(), static_cast<int>(octets.size()));
    octets.resize(static_cast<size_t>(std::max(size, 0)));
    return octets;
  }

 private:
  SslCtxPtr context_;
  SslPtr ssl_;
  BioPtr stream_;
};

Timestamp Start() { return Timestamp::FromEpoch(std::chrono::seconds(1000)); }

// Until both are silent.
void Exchange(StreamEnd& end, RawStream& raw) {
  for (int round = 0; round < 20; ++round) {
    end.Drain(Start());
    raw.Give(std::exchange(end.out, {}));
    std::array<uint8_t, 1000> ignored;
    while (SSL_read(raw.ssl(), ignored.data(), static_cast<int>(ignored.size())) > 0) {
    }
    end.Give(Start(), raw.Take());
  }
}

std::string FailureOf(const StreamEnd& end) {
  return end.failed() == nullptr ? "no failure"
                                 : std::string(ToString(end.failed()->failure)) + ": " + end.failed()->detail;
}

std::string ClientsView(const std::function<void(SSL_CTX*)>& configure) {
  StreamEnd client(ClientOptions(), Start());
  RawStream server(TLS_server_method(), configure);
  SSL_set_accept_state(server.ssl());
  Exchange(client, server);
  return FailureOf(client);
}

std::string ServersView(const std::function<void(SSL_CTX*)>& configure) {
  StreamEnd server(ServerOptions(), Start());
  RawStream client(TLS_client_method(), configure);
  SSL_set_connect_state(client.ssl());
  Exchange(server, client);
  return FailureOf(server);
}

TEST(StreamAlertTest, SaysWhatAServerObjectsTo) {
  EXPECT_EQ(ClientsView([](SSL_CTX*) {}),  // a server without a certificate
            "alert from the peer: the server finds no cipher suite, group or signature algorithm in common");
  EXPECT_EQ(ClientsView([](SSL_CTX* c) { SSL_CTX_set_max_proto_version(c, TLS1_1_VERSION); }),
            "alert from the peer: the server speaks neither TLS 1.2 nor TLS 1.3");
  EXPECT_EQ(ClientsView([](SSL_CTX* c) {
              SSL_CTX_set_tlsext_servername_callback(
                  c, +[](SSL*, int* alert, void*) {
                    *alert = SSL_AD_UNRECOGNIZED_NAME;
                    return SSL_TLSEXT_ERR_ALERT_FATAL;
                  });
            }),
            "alert from the peer: the server has no certificate for that name");
}

TEST(StreamAlertTest, SaysWhatAClientObjectsTo) {
  EXPECT_EQ(ServersView([](SSL_CTX* c) { SSL_CTX_set_verify(c, SSL_VERIFY_PEER, nullptr); }),
            "alert from the peer: the client does not know the CA of the certificate");
}

TEST(StreamAlertTest, AServerSaysWhatItLacksInCommon) {
  EXPECT_EQ(ServersView([](SSL_CTX* c) { SSL_CTX_set_max_proto_version(c, TLS1_1_VERSION); }),
            "protocol error: the other side speaks neither TLS 1.2 nor TLS 1.3");
  EXPECT_EQ(ServersView([](SSL_CTX* c) {
              SSL_CTX_set_max_proto_version(c, TLS1_2_VERSION);
              SSL_CTX_set_cipher_list(c, "AES128-SHA");
            }),
            "protocol error: no cipher suite in common with the other side");
}

TEST(StreamAlpnTest, AServerTakesClientsWithoutAlpnAndRefusesThoseOfOtherProtocols) {  // RFC 7301 §3.2
  EXPECT_EQ(ServersView([](SSL_CTX*) {}), "no failure");
  const auto offer = [](const std::string& list) {
    return [list](SSL_CTX* c) {
      SSL_CTX_set_alpn_protos(c, reinterpret_cast<const unsigned char*>(list.data()),
                              static_cast<unsigned>(list.size()));
    };
  };
  EXPECT_EQ(ServersView(offer("\x02h2\x12stun.nat-discovery")), "no failure");  // RFC 7443 §2
  EXPECT_NE(ServersView(offer("\x02h2")), "no failure");
}

TEST(StreamAlpnTest, AClientTakesServersWithoutAlpn) {
  const Issued issued = Authority().Issue(kForServer);
  StreamEnd client(ClientOptions(), Start());
  RawStream raw(TLS_server_method(), [&](SSL_CTX* c) {
    const BioPtr chain(BIO_new_mem_buf(issued.chain_pem.data(), static_cast<int>(issued.chain_pem.size())));
    const BioPtr key(BIO_new_mem_buf(issued.key_pem.data(), static_cast<int>(issued.key_pem.size())));
    SSL_CTX_use_certificate(c, X509Ptr(PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr)).get());
    SSL_CTX_use_PrivateKey(c, PkeyPtr(PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr)).get());
  });
  SSL_set_accept_state(raw.ssl());
  Exchange(client, raw);
  ASSERT_TRUE(client.connected() != nullptr) << FailureOf(client);
  EXPECT_EQ(client.connected()->application, "");
}

// RFC 8489 §6.2.3: "Implementations MUST disable TLS-level compression."
TEST(StreamHelloTest, OffersNeitherCompressionNorWeakSuites) {
  StreamEnd client(ClientOptions(), Start());
  client.Drain(Start());
  ByteReader hello(client.out);
  hello.Skip(5 + 4 + 2 + 32);         // record, handshake header, version, random (RFC 5246 §7.4.1.2)
  hello.Skip(hello.Read<uint8_t>());  // session id
  const size_t suites = hello.Read<uint16_t>() / 2u;
  EXPECT_GT(suites, 0u);
  for (size_t i = 0; i < suites; ++i) {
    const uint16_t suite = hello.Read<uint16_t>();
    const bool is_tls13 = suite >= 0x1301 && suite <= 0x1303;
    const bool is_ecdhe_gcm = suite >= 0xC02B && suite <= 0xC030;                                // RFC 5289 §3.2
    const bool is_chacha = suite == 0xCCA8 || suite == 0xCCA9;                                   // RFC 7905 §2
    EXPECT_TRUE(is_tls13 || is_ecdhe_gcm || is_chacha || suite == 0x00FF) << std::hex << suite;  // RFC 5746 §3.3
  }
  EXPECT_EQ(hello.Read<uint8_t>(), 1);  // one compression method
  EXPECT_EQ(hello.Read<uint8_t>(), 0);  // null
  EXPECT_TRUE(hello.ok());
}

TEST(StreamHostileTest, SaysThatTheOtherSideDoesNotSpeakTls) {
  for (const std::string text : {"HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n"}) {
    StreamEnd client(ClientOptions(), Start());
    client.Give(Start(), AsBytes(text));
    EXPECT_EQ(FailureOf(client), "protocol error: what the other side sends is not TLS; is this the port for TLS?");
  }
  Bytes stun{0x00, 0x03, 0x00, 0x08, 0x21, 0x12, 0xA4, 0x42};  // RFC 8489 §5: an Allocate without TLS
  stun.resize(28);
  for (const Bytes& plain :
       {stun, Bytes{'G', 'E', 'T', ' ', '/', ' ', 'H', 'T', 'T', 'P', '/', '1', '.', '1', '\r', '\n'}}) {
    StreamEnd server(ServerOptions(), Start());
    server.Give(Start(), plain);
    EXPECT_EQ(FailureOf(server), "protocol error: what the other side sends is not TLS; is this the port for TLS?");
  }
}

TEST(StreamHostileTest, TakesWhateverFollowsTheEndAndForgetsIt) {
  StreamEnd server(ServerOptions(), Start());
  server.Give(Start(), AsBytes(std::string(1'000'000, 'x')));
  EXPECT_TRUE(server.session.is_ended());
  EXPECT_EQ(server.events.size(), 1u);
  server.session.HandleEnd(Start());
  server.session.Close(Start());
  server.session.HandleTimeout(Start() + std::chrono::hours(1));
  server.Drain(Start());
  EXPECT_EQ(server.events.size(), 1u);
}

TEST(StreamHostileTest, RefusesARecordThatClaimsTooMuch) {  // RFC 8446 §5.2
  StreamPair pair;
  pair.MustConnect();
  Bytes record{23, 3, 3, 0xFF, 0xFF};
  record.resize(5 + 0xFFFF);
  pair.z.Give(pair.now, record);
  ASSERT_TRUE(pair.z.failed() != nullptr);
  EXPECT_EQ(pair.z.failed()->failure, StreamFailure::kProtocolError);
  pair.Exchange();  // the alert
  ASSERT_TRUE(pair.a.failed() != nullptr);
  EXPECT_EQ(pair.a.failed()->failure, StreamFailure::kPeerAlert);
}

TEST(StreamHostileTest, AForgedRecordEndsTheSessionAndDeliversNothing) {
  StreamPair pair;
  pair.MustConnect();
  SendAll(pair, pair.a, "genuine");
  pair.a.out.back() ^= 1;
  pair.Exchange();
  EXPECT_EQ(pair.z.plaintext, "");
  ASSERT_TRUE(pair.z.failed() != nullptr);
}

TEST(StreamHostileTest, SurvivesDamageAnywhereInTheHandshake) {
  Rng rng = Rng::FromNumber(20);
  for (int run = 0; run < 200; ++run) {
    SCOPED_TRACE(run);
    StreamPair pair;
    size_t until_damage = rng.Below(2500);
    for (int idle = 0; idle < 2; ++idle) {
      pair.a.Drain(pair.now);
      pair.z.Drain(pair.now);
      for (StreamEnd* end : {&pair.a, &pair.z}) {
        if (until_damage < end->out.size()) end->out[until_damage] ^= static_cast<uint8_t>(1 + rng.Below(255));
        until_damage = until_damage < end->out.size() ? SIZE_MAX : until_damage - end->out.size();
      }
      if (pair.Carry(pair.a, pair.z, SIZE_MAX) || pair.Carry(pair.z, pair.a, SIZE_MAX)) idle = -1;
    }
    for (const StreamEnd* end : {&pair.a, &pair.z}) EXPECT_LE(end->events.size(), 2u);
    const auto sent = pair.a.session.Send(pair.now, AsBytes("x"));
    EXPECT_EQ(sent.has_value(), pair.a.session.is_connected());
  }
}

TEST(StreamHostileTest, ANeverEndingSeriesOfKeyUpdatesGrowsNothing) {  // RFC 8446 §4.6.3
  StreamEnd server(ServerOptions(), Start());
  RawStream client(TLS_client_method(), [](SSL_CTX*) {});
  SSL_set_connect_state(client.ssl());
  Exchange(server, client);
  ASSERT_TRUE(server.connected() != nullptr);
  size_t answers = 0;
  for (int i = 0; i < 5000; ++i) {
    SSL_key_update(client.ssl(), SSL_KEY_UPDATE_REQUESTED);
    SSL_do_handshake(client.ssl());
    if (i % 500 != 499) continue;
    // Nobody polls while the server is given all of them.
    const Bytes octets = client.Take();
    std::span<const uint8_t> rest(octets);
    while (!rest.empty()) {
      const size_t taken = server.session.HandleReceived(Start(), rest);
      rest = rest.subspan(taken);
      std::array<uint8_t, 100> out;
      (void)server.session.PollPlaintext(Start(), out);
      if (taken == 0) server.Drain(Start());
    }
    server.Drain(Start());
    EXPECT_LE(server.out.size(), 2 * StreamSession::kBuffer);
    answers += server.out.size();
    client.Give(std::exchange(server.out, {}));
    std::array<uint8_t, 100> ignored;
    SSL_read(client.ssl(), ignored.data(), 100);
  }
  EXPECT_GT(answers, 0u);
  EXPECT_TRUE(server.session.is_connected()) << FailureOf(server);
}

TEST(StreamHostileTest, RefusesToRenegotiateAndStaysConnected) {  // RFC 9325 §3.5
  StreamEnd server(ServerOptions(), Start());
  RawStream client(TLS_client_method(), [](SSL_CTX* c) { SSL_CTX_set_max_proto_version(c, TLS1_2_VERSION); });
  SSL_set_connect_state(client.ssl());
  Exchange(server, client);
  ASSERT_TRUE(server.connected() != nullptr) << FailureOf(server);
  EXPECT_EQ(server.connected()->protocol, "TLSv1.2");
  SSL_renegotiate(client.ssl());
  SSL_do_handshake(client.ssl());
  server.Give(Start(), client.Take());
  EXPECT_TRUE(server.session.is_connected());
  EXPECT_FALSE(server.out.empty());  // the alert no_renegotiation
  server.out.clear();
  const auto sent = server.session.Send(Start(), AsBytes("goes on"));
  EXPECT_TRUE(sent.has_value());
}

}  // namespace
}  // namespace jsp::dtls
