#pragma once
#include <boost/json/object.hpp>
#include <string>
#include <string_view>
#include <vector>
namespace jsp::natlab {

// What foreign programs say, of which nothing can be relied on: values of any kind.
std::string ToText(const boost::json::value& value);
double ToNumber(const boost::json::object& object, std::string_view key, double otherwise);
std::vector<double> ToSample(const boost::json::object& object, std::string_view key);
boost::json::array ToArray(const std::vector<double>& sample);

}  // namespace jsp::natlab
