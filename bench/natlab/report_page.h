#pragma once
#include <string_view>
namespace jsp::natlab {

// The style and the script of the HTML report, which stands in report_html.cc.
extern const std::string_view kReportStyle;
extern const std::string_view kReportScript;

}  // namespace jsp::natlab
