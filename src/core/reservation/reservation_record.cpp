// Each field of a record is checked by itself, then what they say together. Any thread. Must never:
// guess.
#include "reservation_state.hpp"

#include <fulmar/base/limits.hpp>
#include <fulmar/core/reservation_record.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace fulmar::core {

namespace {

tl::unexpected<error> impossible(std::string what, std::string where) {
    return fail(errc::invalid_argument, std::move(what), std::move(where));
}

result<nvme::host_id> read_host(std::string_view text, std::string where) {
    const auto host = nvme::parse_host_id(text);
    if (!host) return impossible("a host identifier has 32 hexadecimal digits", std::move(where));
    if (host->is_nil()) return impossible("no host has an identifier of zeroes", std::move(where));
    return *host;
}

result<std::vector<registrant>> read_registrants(const reservation_record& record) {
    if (record.registrants.size() > limits::max_registrants)
        return impossible(fmt::format("a namespace has at most {} registrants, not {}",
                                      limits::max_registrants, record.registrants.size()),
                          "/registrants");
    std::vector<registrant> all;
    all.reserve(record.registrants.size());
    for (std::size_t i = 0; i < record.registrants.size(); ++i) {
        const reservation_record::entry& one = record.registrants[i];
        FULMAR_TRY(const nvme::host_id host,
                   read_host(one.host, fmt::format("/registrants/{}/host", i)));
        all.push_back({.host = host, .key = one.key});
    }
    std::sort(all.begin(), all.end(),
              [](const registrant& a, const registrant& b) { return a.host < b.host; });
    const auto twin = std::adjacent_find(
        all.begin(), all.end(),
        [](const registrant& a, const registrant& b) { return a.host == b.host; });
    if (twin != all.end())
        return impossible(
            fmt::format("host {} is registered twice", nvme::to_text(twin->host).view()),
            "/registrants");
    return all;
}

/// Who holds the reservation, once its type is known to be one; nil: nobody, or all of them.
result<nvme::host_id> read_holder(const reservation_record& record, const reservation_state& of) {
    const bool has_one = of.is_held() && !all_registrants_hold(of.type);
    if (!has_one && !record.holder.empty())
        return impossible(of.is_held()
                              ? "every registrant holds a reservation of this type, no single host"
                              : "a host holds the reservation, but there is none",
                          "/holder");
    if (!has_one) return nvme::host_id{};
    FULMAR_TRY(const nvme::host_id holder, read_host(record.holder, "/holder"));
    if (of.find(holder) == nullptr)
        return impossible(fmt::format("host {} holds the reservation and is no registrant",
                                      nvme::to_text(holder).view()),
                          "/holder");
    return holder;
}

}  // namespace

reservation_record to_record(const reservation_state& state) {
    reservation_record out;
    out.generation = state.generation;
    out.persistent = state.persistent;
    out.type = static_cast<std::uint8_t>(state.type);
    if (!state.holder.is_nil()) out.holder = nvme::to_text(state.holder).view();
    out.registrants.reserve(state.registrants.size());
    for (const registrant& r : state.registrants)
        out.registrants.push_back({std::string(nvme::to_text(r.host).view()), r.key});
    return out;
}

result<reservation_state> from_record(const reservation_record& record) {
    reservation_state out;
    out.generation = record.generation;
    out.persistent = record.persistent;
    FULMAR_TRY(out.registrants, read_registrants(record));
    if (record.type != 0) {
        const auto type = nvme::parse_reservation_type(record.type);
        if (!type)
            return impossible(fmt::format("there is no reservation type {}", record.type), "/type");
        out.type = *type;
    }
    if (out.is_held() && out.registrants.empty())
        return impossible("a reservation is held, and no host is registered", "/type");
    FULMAR_TRY(out.holder, read_holder(record, out));
    return out;
}

}  // namespace fulmar::core
