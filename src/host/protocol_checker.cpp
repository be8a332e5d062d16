#include <fulmar/host/protocol_checker.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace fulmar::host {

std::string_view describe(violation what) noexcept {
    switch (what) {
        case violation::unknown_cid: return "a command id that is not in use";
        case violation::answered_twice: return "a command answered twice";
        case violation::sqhd_out_of_range: return "an SQ head beyond what was sent";
        case violation::sqhd_behind: return "an SQ head behind the commands already answered";
        case violation::success_not_allowed: return "SUCCESS on a queue with SQ flow control";
        case violation::data_not_asked: return "data for a command that reads none";
        case violation::data_out_of_range:
            return "data out of the command's range, or out of order";
        case violation::data_missing: return "success with less data than the command asked for";
        case violation::data_digest: return "a wrong data digest";
        case violation::r2t_not_asked: return "an R2T for a command that has nothing to send";
        case violation::r2t_out_of_range:
            return "an R2T out of the command's range, or out of order";
        case violation::r2t_limit: return "more R2Ts outstanding than allowed";
        case violation::reserved_field: return "a reserved field that is not zero";
    }
    return "unknown";
}

void protocol_checker::record(violation what, std::uint16_t cid, std::uint64_t value,
                              std::uint64_t expected) noexcept {
    if (violations_ < kept_max) kept_[violations_] = {what, cid, value, expected};
    ++violations_;
}

std::span<const protocol_checker::entry> protocol_checker::entries() const noexcept {
    return {kept_.data(), std::min<std::size_t>(violations_, kept_max)};
}

std::string protocol_checker::text() const {
    std::string out;
    for (const entry& e : entries())
        out += fmt::format("{}: cid {:#06x}, saw {}, expected {}\n", describe(e.what), e.cid,
                           e.value, e.expected);
    if (violations_ > kept_max) out += fmt::format("and {} more\n", violations_ - kept_max);
    return out;
}

}  // namespace fulmar::host
