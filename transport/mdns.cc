#include "transport/mdns.h"

#include <algorithm>
#include <utility>
namespace jsp::transport {
namespace {

constexpr std::string_view kSuffix = ".local";
constexpr size_t kMaxLabel = 63;  // RFC 6762 §18: of a DNS name

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), Lower);
  return lower;
}

bool IsHex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

bool IsLabelChar(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; }

// 8-4-4-4-12 hexadecimal digits, in lower case.
bool IsUuid(std::string_view label) {
  if (label.size() != 36) return false;
  for (size_t i = 0; i < label.size(); ++i) {
    const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (is_dash ? label[i] != '-' : !IsHex(label[i])) return false;
  }
  return true;
}

// What no candidate may point at (ATTACKS I10), whoever says so.
bool IsUsable(const IpAddress& address) {
  if (address.IsUnspecified() || address.IsMulticast() || address.IsBroadcast()) return false;
  return !(address.is_v6() && address.IsLinkLocal());
}

MdnsDropReason ReasonOf(MdnsParseErrc errc) {
  switch (errc) {
    case MdnsParseErrc::kTooLong:
      return MdnsDropReason::kTooLong;
    case MdnsParseErrc::kNotAResponse:
      return MdnsDropReason::kNotAResponse;
    case MdnsParseErrc::kMalformed:
    case MdnsParseErrc::kNotAQuery:
      break;
  }
  return MdnsDropReason::kMalformed;
}

}  // namespace

const char* ToString(MdnsDropReason reason) {
  switch (reason) {
    case MdnsDropReason::kTooLong:
      return "too-long";
    case MdnsDropReason::kNotAResponse:
      return "not-a-response";
    case MdnsDropReason::kMalformed:
      return "malformed";
    case MdnsDropReason::kBadSourcePort:
      return "bad-source-port";
    case MdnsDropReason::kUnasked:
      return "unasked";
    case MdnsDropReason::kBadAddress:
      return "bad-address";
    case MdnsDropReason::kCount:
      break;
  }
  return "unknown";
}

const char* ToString(MdnsResolveError error) {
  switch (error) {
    case MdnsResolveError::kBadName:
      return "not a name of the form <uuid>.local";
    case MdnsResolveError::kTooManyNames:
      return "too many names at once";
  }
  return "unknown";
}

bool MdnsResolver::IsValidName(std::string_view name) const {
  const std::string lower = LowerCase(name);
  if (!lower.ends_with(kSuffix)) return false;
  const std::string_view label = std::string_view(lower).substr(0, lower.size() - kSuffix.size());
  if (options_.uuid_names_only) return IsUuid(label);
  return !label.empty() && label.size() <= kMaxLabel && std::ranges::all_of(label, IsLabelChar);
}

Expected<void, MdnsResolveError> MdnsResolver::Resolve(Timestamp now, std::string_view name) {
  if (!IsValidName(name)) return Unexpected(MdnsResolveError::kBadName);
  if (std::ranges::find(questions_, name, &Question::name) != questions_.end()) return {};
  if (questions_.size() >= options_.max_names) return Unexpected(MdnsResolveError::kTooManyNames);
  Question question{.name = std::string(name),
                    .key = LowerCase(name),
                    .id = rng_.Random<uint16_t>(),
                    .deadline = now + options_.deadline,
                    .next_attempt = now,
                    .attempts = 0,
                    .unsent = {}};
  BeginAttempt(question, now);
  questions_.push_back(std::move(question));
  return {};
}

void MdnsResolver::Cancel(std::string_view name) {
  std::erase_if(questions_, [&](const Question& question) { return question.name == name; });
}

void MdnsResolver::BeginAttempt(Question& question, Timestamp now) {
  question.unsent = {MdnsRecordType::kA, MdnsRecordType::kAaaa};
  const size_t done = question.attempts++;
  const bool is_last = done >= options_.retransmit_after.size();
  question.next_attempt = is_last ? Timestamp::Never() : now + options_.retransmit_after[done];
}

void MdnsResolver::HandleTimeout(Timestamp now) {
  std::erase_if(questions_, [&](Question& question) {
    if (question.deadline > now) return false;
    ++metrics_.failed;
    events_.Push(event::MdnsFailed{std::move(question.name)});
    return true;
  });
  for (Question& question : questions_) {
    if (question.next_attempt <= now) BeginAttempt(question, now);
  }
}

Timestamp MdnsResolver::NextTimeout() const {
  Timestamp next;
  for (const Question& question : questions_) next = std::min({next, question.deadline, question.next_attempt});
  return next;
}

std::optional<MdnsResolver::Transmit> MdnsResolver::PollTransmit(Timestamp, std::span<uint8_t> out) {
  for (Question& question : questions_) {
    if (question.unsent.empty()) continue;
    // RFC 6762 §5.4: a repeated question is not marked for unicast.
    const auto kind = question.attempts == 1 ? MdnsQuestionKind::kUnicast : MdnsQuestionKind::kMulticast;
    const auto size = WriteMdnsQuery({question.key, question.unsent.back(), kind, question.id}, out);
    if (!size) return std::nullopt;
    question.unsent.pop_back();
    ++metrics_.queries_sent;
    return Transmit{*size};
  }
  return std::nullopt;
}

std::vector<MdnsResolver::Answer> MdnsResolver::CollectAnswers(std::span<const MdnsAddress> addresses) {
  std::vector<Answer> answers;
  for (const MdnsAddress& record : addresses) {
    if (std::ranges::find(questions_, record.name, &Question::key) == questions_.end()) continue;
    if (!IsUsable(record.address)) {
      Drop(MdnsDropReason::kBadAddress);
      continue;
    }
    const auto known = std::ranges::find(answers, std::string_view(record.name), &Answer::key);
    if (known == answers.end()) {
      answers.push_back({record.name, record.address});
    } else if (known->address != record.address) {
      known->ambiguous = true;
    }
  }
  return answers;
}

void MdnsResolver::HandlePacket(Timestamp, const SocketAddress& from, std::span<const uint8_t> packet) {
  // RFC 6762 §6: responses from another port must be ignored.
  if (from.port != kMdnsPort) return Drop(MdnsDropReason::kBadSourcePort);
  const auto addresses = ParseMdnsResponse(packet);
  if (!addresses) return Drop(ReasonOf(addresses.error()));
  const auto answers = CollectAnswers(*addresses);
  if (answers.empty()) return Drop(MdnsDropReason::kUnasked);
  for (const Answer& answer : answers) {
    std::erase_if(questions_, [&](Question& question) {
      if (question.key != answer.key) return false;
      // A candidate is one address: a name of several is not what a browser made.
      ++(answer.ambiguous ? metrics_.failed : metrics_.resolved);
      if (answer.ambiguous) {
        events_.Push(event::MdnsFailed{std::move(question.name)});
      } else {
        events_.Push(event::MdnsResolved{std::move(question.name), answer.address});
      }
      return true;
    });
  }
}

}  // namespace jsp::transport
