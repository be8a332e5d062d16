// /v1/referrals: entries of the discovery log that point to other discovery services.
#include "routes.hpp"
#include "status_json.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace fulmar::admin::routes {

namespace {

using json = rest_call::json;

/// "tcp:192.0.2.7:8009": spelled as a listener's name is.
std::string name_of(const core::referral_spec& spec) {
    return core::listener_spec{spec.transport, spec.address, spec.port}.name();
}

json shown(const core::referral_spec& spec) {
    json out{{"name", name_of(spec)}};
    out.update(to_json(spec));
    return out;
}

/// Runs `next` with the referral that the address names; or answers that there is none.
void with_referral(const call_ptr& call,
                   std::function<void(const core::referral_spec&, std::uint64_t)> next) {
    call->ask(core::get_spec{}, [call, then = std::move(next)](const core::control_answer& answer,
                                                               std::uint64_t revision) {
        const auto& all = std::get<core::target_spec>(answer).referrals;
        const auto found = std::find_if(all.begin(), all.end(), [&](const auto& one) {
            return name_of(one) == call->parameters[0];
        });
        if (found == all.end())
            return call->fail(error{errc::not_found,
                                    fmt::format("there is no referral {}", call->parameters[0]),
                                    {},
                                    "GET /v1/referrals lists them"});
        then(*found, revision);
    });
}

}  // namespace

void list_referrals(const call_ptr& call) {
    call->ask(core::get_spec{}, [call](const core::control_answer& answer, std::uint64_t revision) {
        json all = json::array();
        for (const auto& one : std::get<core::target_spec>(answer).referrals)
            all.push_back(shown(one));
        call->ok({{"referrals", std::move(all)}}, revision);
    });
}

void add_referral(const call_ptr& call) {
    const auto spec = call->body_as([](json_place where, problem_list& problems) {
        return read_referral(std::move(where), problems, document::body);
    });
    if (!spec) return;
    call->change(core::add_referral{*spec}, [call, spec](const core::control_answer&,
                                                         std::uint64_t revision) {
        call->created("/v1/referrals/" + escape_segment(name_of(*spec)), shown(*spec), revision);
    });
}

void show_referral(const call_ptr& call) {
    with_referral(call, [call](const core::referral_spec& spec, std::uint64_t revision) {
        call->ok(shown(spec), revision);
    });
}

void remove_referral(const call_ptr& call) {
    with_referral(call, [call](const core::referral_spec& spec, std::uint64_t) {
        call->change(
            core::remove_referral{spec},
            [call](const core::control_answer&, std::uint64_t revision) { call->none(revision); });
    });
}

}  // namespace fulmar::admin::routes
