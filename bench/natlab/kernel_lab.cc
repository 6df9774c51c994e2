#include "bench/natlab/kernel_lab.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "bench/natlab/kernel_sessions.h"
#include "bench/natlab/wire.h"
#include "netsim/two_sides.h"

namespace jsp::natlab {
namespace {

using netsim::NatType;
using netsim::Site;
using Where = NetworkEvent::Where;

constexpr uint64_t kAnotherSeed = 1'000'003;
constexpr const char* kFlush = "flush ruleset\n";

const netsim::LinkOptions* Pointer(const std::optional<netsim::LinkOptions>& link) { return link ? &*link : nullptr; }

}  // namespace

Expected<KernelLab, std::string> KernelLab::Build(const CellOptions& options) {
  KernelLab lab(options);
  if (const auto built = lab.Run(); !built) return Unexpected(built.error());
  return lab;
}

KernelLab::Result KernelLab::Run() {
  const auto middle = AddNode();
  if (!middle) return Unexpected(middle.error());
  const auto server = Attach({.interface = "eth0",
                              .link = Pointer(options_.network.server_access),
                              .address = netsim::ServerAddress(options_.family)});
  if (!server) return Unexpected(server.error());
  server_ = *server;
  const Joint& joint = options_.network.joint;
  Expected<Place, std::string> place_a = Place{0, Pointer(options_.network.a_access), &netsim::OutsideAddress};
  Expected<Place, std::string> place_b = Place{0, Pointer(options_.network.b_access), &netsim::OutsideAddress};
  if (joint.carrier) {
    place_a = AddCarrier(1);
    place_b = joint.site == Site::kApart ? AddCarrier(2) : place_a;
  }
  if (!place_a || !place_b) return Unexpected(place_a ? place_b.error() : place_a.error());
  const auto a = AddSide(options_.a, 1, *place_a);
  if (!a) return Unexpected(a.error());
  a_ = a->host;
  if (joint.site == Site::kSameLan) {
    const auto b = AddNeighbour(*a, *place_b);
    if (!b) return Unexpected(b.error());
    b_ = *b;
    return {};
  }
  const auto b = AddSide(options_.b, 2, *place_b);
  if (!b) return Unexpected(b.error());
  b_ = b->host;
  return {};
}

Expected<size_t, std::string> KernelLab::AddNode() {
  auto node = NetNamespace::Create();
  if (!node) return Unexpected(std::string(kNotPermitted) + node.error());
  nodes_.push_back(*std::move(node));
  if (const auto up = Ip(nodes_.size() - 1, "link set lo up\n"); !up) return Unexpected(up.error());
  return nodes_.size() - 1;
}

KernelLab::Result KernelLab::Ip(size_t node, IpAddress::Family family, const std::string& batch) const {
  return nodes_[node].Run({"ip", family == IpAddress::Family::kV4 ? "-4" : "-6", "-batch", "-"}, batch);
}

KernelLab::Result KernelLab::Connect(size_t upper, const std::string& upper_name, size_t lower,
                                     const std::string& lower_name) {
  const auto made = Ip(upper, "link add " + upper_name + " netns " + nodes_[upper].path() + " type veth peer name " +
                                  lower_name + " netns " + nodes_[lower].path() + "\nlink set " + upper_name + " up\n");
  if (!made) return made;
  return Ip(lower, "link set " + lower_name + " up\n");
}

Expected<size_t, std::string> KernelLab::Attach(const Uplink& uplink) {
  const bool is_v4 = uplink.address.is_v4();
  const std::string down = "d" + std::to_string(++links_);
  // Of its own for each link, so that no node has the address of its own next hop.
  const std::string gateway = (is_v4 ? "192.0.2." : "2001:db8:ffff::") + std::to_string(links_);
  const std::string length = is_v4 ? "/32" : "/128";
  const std::string nodad = is_v4 ? "" : " nodad";
  const auto node = AddNode();
  if (!node) return node;
  Result result;
  if (uplink.link == nullptr) {
    result = Connect(uplink.parent, down, *node, uplink.interface);
  } else {
    const auto wire = AddNode();
    if (!wire) return wire;
    result = Connect(uplink.parent, down, *wire, "left");
    if (result) result = Connect(*wire, "right", *node, uplink.interface);
    for (const auto& [end, name] : {std::pair{uplink.parent, down}, {*node, uplink.interface}}) {
      if (result && nodes_[end].Enter()) result = DisableOffloads(name);
    }
    if (result) result = Emulate(*wire, *uplink.link);
  }
  const std::string address = uplink.address.ToString();
  std::string above = "address add " + gateway + length + " dev " + down + nodad + "\nroute add " + address + length +
                      " dev " + down + "\n";
  for (const IpAddress& other : uplink.behind) {
    above += "route add " + other.ToString() + length + " via " + address + " dev " + down + " onlink\n";
  }
  const IpAddress::Family family = uplink.address.family();
  if (result) result = Ip(uplink.parent, family, above);
  if (result) {
    result = Ip(*node, family,
                "address add " + address + length + " dev " + uplink.interface + nodad + "\nroute add default via " +
                    gateway + " dev " + uplink.interface + " onlink\n");
  }
  if (!result) return Unexpected(result.error());
  wiring_[*node] = {uplink.parent, down, address};
  return node;
}

// A process of its own, which ends with this one.
KernelLab::Result KernelLab::Emulate(size_t node, const netsim::LinkOptions& link) {
  const uint64_t seed = options_.seed * 1'000'003 + node;
  const pid_t pid = ::fork();
  if (pid < 0) return Unexpected<std::string>("there is no process for a link");
  if (pid > 0) return {};
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (nodes_[node].Enter()) (void)RunWire("left", "right", link, seed);
  ::_exit(1);
}

KernelLab::Result KernelLab::Load(Nat& nat) const {
  const std::string rules = nat.six ? std::string() : NftRules(nat.rules);
  const auto loaded = nodes_[nat.node].Run({"nft", "-f", "-"}, kFlush + rules);
  return loaded && nat.six ? Translate(nat) : loaded;
}

// From now on, and with no mapping of before.
KernelLab::Result KernelLab::Translate(Nat& nat) const {
  const Joint& joint = options_.network.joint;
  const auto options = netsim::OptionsFor(NatType::kNat64, joint.ports, joint.timers);
  auto process = Nat64Process::Start(nodes_[nat.six->node], options, nat.rules.outside, nat.rules.seed);
  if (!process) return Unexpected(process.error());
  nat.six->process = *std::move(process);
  return {};
}

KernelLab::Result KernelLab::AddNat(size_t node, KernelNat nat, NetworkEvent::Where where) {
  const Joint& joint = options_.network.joint;
  const bool is_carriers = where == Where::kCarrierA || where == Where::kCarrierB;
  nat.seed = options_.seed + node;
  if (is_carriers == joint.carrier.has_value()) {
    nat.ports = joint.ports;
    if (const auto set = SetTimers(nat, nodes_[node]); !set) return set;
  }
  return Remember({.node = node,
                   .rules = std::move(nat),
                   .is_behind_carrier = joint.carrier.has_value() && !is_carriers,
                   .is_a = where == Where::kNatA || where == Where::kCarrierA},
                  where);
}

KernelLab::Result KernelLab::Remember(Nat nat, NetworkEvent::Where where) {
  const Joint& joint = options_.network.joint;
  places_[static_cast<size_t>(where)] = nats_.size();
  // Both sides' of one carrier, or of one LAN.
  if (where == Where::kCarrierA && joint.site != Site::kApart)
    places_[static_cast<size_t>(Where::kCarrierB)] = nats_.size();
  if (where == Where::kNatA && joint.site == Site::kSameLan) places_[static_cast<size_t>(Where::kNatB)] = nats_.size();
  nats_.push_back(std::move(nat));
  return Load(nats_.back());
}

// A session that was answered has a timer of its own in Linux; RFC 4787 §4.3 knows one.
KernelLab::Result KernelLab::SetTimers(KernelNat& nat, const NetNamespace& node) const {
  const netsim::NatTimers& timers = options_.network.joint.timers;
  // Without either nobody waits as long as a mapping lives.
  if (timers.refresh == netsim::Refresh::kOutbound && !timers.udp) return {};
  nat.refresh = timers.refresh;
  if (timers.udp) nat.udp_timeout = std::chrono::duration_cast<std::chrono::seconds>(*timers.udp);
  for (const char* name : {"nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream"}) {
    const auto set = node.Set(std::string("netfilter/") + name, std::to_string(nat.udp_timeout.count()));
    if (!set) return set;
  }
  return {};
}

KernelLab::Nat* KernelLab::Find(NetworkEvent::Where where) {
  const auto place = places_[static_cast<size_t>(where)];
  return place ? &nats_[*place] : nullptr;
}

KernelLab::Result KernelLab::TakeDown(NetworkEvent::Where where) {
  Nat* nat = Find(where);
  if (nat == nullptr) return {};
  const NetNamespace& node = nodes_[nat->node];
  std::string rules = kFlush + NftRulesOfDown(options_.family);
  if (nat->six) {
    nat->six->process.reset();
    rules += NftRulesOfDown(IpAddress::Family::kV6);
  }
  const auto loaded = node.Run({"nft", "-f", "-"}, rules);
  return loaded ? ForgetSessions(node) : loaded;
}

KernelLab::Result KernelLab::BringBack(const NetworkEvent& event) {
  Nat* nat = Find(event.where);
  if (nat == nullptr) return {};
  nat->rules.seed += kAnotherSeed;
  const bool translates = nat->rules.type != netsim::ToString(NatType::kFirewall);
  if (event.what == NetworkEvent::What::kRenumber && translates) {
    if (const auto renumbered = Renumber(*nat); !renumbered) return renumbered;
  }
  return Load(*nat);
}

// With the addresses of the simulation. What still comes to the old one is lost on its way.
KernelLab::Result KernelLab::Renumber(Nat& nat) {
  const auto number = static_cast<uint8_t>((nat.is_a ? 1 : 2) + kNewAddress + 2 * renumbered_++);
  const auto address = nat.is_behind_carrier ? &netsim::AddressBehindCarrier : &netsim::OutsideAddress;
  const bool is_v4 = options_.family == IpAddress::Family::kV4;
  const std::string length = is_v4 ? "/32" : "/128";
  const std::string old = nat.rules.outside.ToString() + length;
  nat.rules.outside = address(options_.family, number);
  const std::string now = nat.rules.outside.ToString() + length;
  const Wiring& wiring = wiring_.at(nat.node);
  if (nat.six) {
    const auto moved = Ip(nat.node, "route add " + now + " dev " + kNat64Interface + "\nroute del " + old + "\n");
    if (!moved) return moved;
    return Ip(wiring.parent, "route add " + now + " via " + wiring.address + " dev " + wiring.down +
                                 " onlink\nroute del " + old + "\nroute add blackhole " + old + "\n");
  }
  const auto moved =
      Ip(nat.node, "address add " + now + " dev wan" + (is_v4 ? "" : " nodad") + "\naddress del " + old + " dev wan\n");
  if (!moved) return moved;
  return Ip(wiring.parent, "route add " + now + " dev " + wiring.down + "\nroute del " + old + " dev " + wiring.down +
                               "\nroute add blackhole " + old + "\n");
}

Expected<void, std::string> KernelLab::Supports(const Network& network, IpAddress::Family family,
                                                std::span<const netsim::NatType> types) {
  const Joint& joint = network.joint;
  if (network.hard == HardNats::kCrossed) {
    return Unexpected<std::string>("its peers are told of one STUN server, and --prediction takes two");
  }
  const bool rejects = std::ranges::find(types, NatType::kPortReject) != types.end();
  if (joint.ports.overload && rejects) {
    return Unexpected<std::string>("its kernel overloads no port of a session that it rejected, type port-rej");
  }
  const netsim::NatTimers& timers = joint.timers;
  if (timers.udp && *timers.udp % std::chrono::seconds(1) != Duration::zero()) {
    return Unexpected<std::string>("its kernel's timers are of whole seconds, so timers.udp_ms has to be, too");
  }
  if (!joint.hairpin || !joint.carrier) return {};
  if (family == IpAddress::Family::kV6) return Unexpected<std::string>("it does not hairpin over IPv6");
  if (netsim::OptionsFor(*joint.carrier).filtering != netsim::FilteringBehavior::kEndpointIndependent) {
    return Unexpected<std::string>("a kernel hairpins past its filter, so the carrier has to be fullcone or sym-eif");
  }
  return {};
}

Expected<KernelLab::Place, std::string> KernelLab::AddCarrier(uint8_t number) {
  const IpAddress outside = netsim::OutsideAddress(options_.family, number);
  const auto& access = number == 1 ? options_.network.a_access : options_.network.b_access;
  const auto node = Attach({.interface = "wan", .link = Pointer(access), .address = outside});
  if (!node) return Unexpected(node.error());
  const Joint& joint = options_.network.joint;
  const auto loaded = AddNat(*node,
                             {.type = std::string(netsim::ToString(*joint.carrier)),
                              .outside = outside,
                              .inside = netsim::AddressBehindCarrier(options_.family, number),
                              .hairpin = joint.hairpin,
                              .subscribers = BehindCarrier(number)},
                             number == 1 ? Where::kCarrierA : Where::kCarrierB);
  if (!loaded) return Unexpected(loaded.error());
  return Place{*node, nullptr, &netsim::AddressBehindCarrier};
}

std::vector<IpAddress> KernelLab::BehindCarrier(uint8_t number) const {
  if (options_.network.joint.site == Site::kApart) return {netsim::AddressBehindCarrier(options_.family, number)};
  return {netsim::AddressBehindCarrier(options_.family, 1), netsim::AddressBehindCarrier(options_.family, 2)};
}

Expected<KernelLab::Side, std::string> KernelLab::AddSide(NatType type, uint8_t number, const Place& place) {
  if (type == NatType::kNat64) return AddNat64Side(number, place);
  const IpAddress outside = place.address(options_.family, number);
  Side side{0, place.parent};
  Uplink host{.parent = place.parent, .interface = "eth0", .link = place.link, .address = outside};
  if (type != NatType::kPublic) {
    const bool translates = netsim::OptionsFor(type).translate;
    const auto own = translates ? outside : place.address(options_.family, static_cast<uint8_t>(number + 100));
    Uplink router{.parent = place.parent, .interface = "wan", .link = place.link, .address = own};
    if (!translates) {
      // Both sides' addresses may be on one LAN.
      router.behind = {outside};
      if (options_.network.joint.site == Site::kSameLan) router.behind.push_back(place.address(options_.family, 2));
    }
    const auto node = Attach(router);
    if (!node) return Unexpected(node.error());
    const auto loaded = AddNat(*node,
                               {.type = std::string(netsim::ToString(type)),
                                .outside = own,
                                .inside = netsim::InsideAddress(options_.family, number),
                                .subscribers = {translates ? netsim::InsideAddress(options_.family, number) : outside}},
                               number == 1 ? Where::kNatA : Where::kNatB);
    if (!loaded) return Unexpected(loaded.error());
    side.router = *node;
    host = {.parent = *node,
            .interface = "eth0",
            .address = translates ? netsim::InsideAddress(options_.family, number) : outside};
  }
  const auto node = Attach(host);
  if (!node) return Unexpected(node.error());
  side.host = *node;
  return side;
}

// A router of both families, whose IPv4 address is none that anybody outside speaks to: that one is the translator's.
Expected<KernelLab::Side, std::string> KernelLab::AddNat64Side(uint8_t number, const Place& place) {
  const IpAddress outside = place.address(options_.family, number);
  const auto router = Attach({.parent = place.parent,
                              .interface = "wan",
                              .link = place.link,
                              .address = place.address(options_.family, static_cast<uint8_t>(number + 100)),
                              .behind = {outside}});
  if (!router) return Unexpected(router.error());
  std::vector<IpAddress> hosts{netsim::AddressBehindNat64(number)};
  if (options_.network.joint.site == Site::kSameLan) hosts.push_back(netsim::AddressBehindNat64(2));
  auto done = RouteIpv6(*router, hosts);
  if (done) done = AddNat64(*router, number, outside);
  if (!done) return Unexpected(done.error());
  const auto host = Attach({.parent = *router, .interface = "eth0", .address = hosts.front()});
  if (!host) return Unexpected(host.error());
  return Side{*host, *router};
}

// RFC 6146 §3.5: what goes to IPv4, and what comes back. The router asks nobody where that is on the pair.
KernelLab::Result KernelLab::AddNat64(size_t router, uint8_t number, const IpAddress& outside) {
  const auto translator = AddNode();
  if (!translator) return Unexpected(translator.error());
  const std::string interface = kNat64Interface;
  auto done = Connect(router, interface, *translator, interface);
  if (done && nodes_[router].Enter()) done = DisableOffloads(interface);
  if (done) {
    done = Ip(router, "link set " + interface + " arp off\nroute add " + outside.ToString() + "/32 dev " + interface);
  }
  const std::string prefix = netsim::WellKnownNat64Prefix().ToString() + "/96";
  if (done) done = Ip(router, IpAddress::Family::kV6, "route add " + prefix + " dev " + interface);
  if (!done) return done;
  return Remember({.node = router,
                   .rules = {.type = "nat64", .outside = outside, .inside = {}, .seed = options_.seed + router},
                   .is_a = number == 1,
                   .six = Nat64{.node = *translator}},
                  number == 1 ? Where::kNatA : Where::kNatB);
}

// The hosts' own IPv6, past the NAT64, beside the IPv4 of the same access.
KernelLab::Result KernelLab::RouteIpv6(size_t router, const std::vector<IpAddress>& hosts) {
  const Wiring& wiring = wiring_.at(router);
  const std::string gateway = "2001:db8:ffff::" + std::to_string(++links_);
  const std::string own = "2001:db8:fffe::" + std::to_string(links_);
  std::string above = "address add " + gateway + "/128 dev " + wiring.down + " nodad\nroute add " + own + "/128 dev " +
                      wiring.down + "\n";
  for (const IpAddress& host : hosts) {
    above += "route add " + host.ToString() + "/128 via " + own + " dev " + wiring.down + " onlink\n";
  }
  const auto routed = Ip(wiring.parent, IpAddress::Family::kV6, above);
  if (!routed) return routed;
  return Ip(router, IpAddress::Family::kV6,
            "address add " + own + "/128 dev wan nodad\nroute add default via " + gateway + " dev wan onlink\n");
}

Expected<size_t, std::string> KernelLab::AddNeighbour(const Side& a, const Place& place) {
  const bool has_inside = options_.a != NatType::kPublic && netsim::OptionsFor(options_.a).translate;
  IpAddress address = has_inside ? netsim::InsideAddress(options_.family, 2) : place.address(options_.family, 2);
  if (options_.a == NatType::kNat64) address = netsim::AddressBehindNat64(2);
  return Attach({.parent = a.router,
                 .interface = "eth0",
                 .link = options_.a == NatType::kPublic ? place.link : nullptr,
                 .address = address});
}

}  // namespace jsp::natlab
