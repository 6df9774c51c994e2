#include "bench/natlab/json_values.h"

#include <boost/json.hpp>

namespace jsp::natlab {
namespace {

namespace json = boost::json;

const json::value* Find(const json::object& object, std::string_view key) {
  return object.if_contains(json::string_view(key.data(), key.size()));
}

}  // namespace

std::string ToText(const json::value& value) {
  return value.is_string() ? std::string(value.as_string()) : json::serialize(value);
}

double ToNumber(const json::object& object, std::string_view key, double otherwise) {
  const auto* value = Find(object, key);
  return value != nullptr && value->is_number() ? value->to_number<double>() : otherwise;
}

std::vector<double> ToSample(const json::object& object, std::string_view key) {
  std::vector<double> sample;
  const auto* array = Find(object, key);
  if (array == nullptr || !array->is_array()) return sample;
  for (const auto& value : array->as_array()) {
    if (value.is_number()) sample.push_back(value.to_number<double>());
  }
  return sample;
}

json::array ToArray(const std::vector<double>& sample) {
  json::array array;
  for (const double value : sample) array.emplace_back(value);
  return array;
}

}  // namespace jsp::natlab
