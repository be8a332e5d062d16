#include "drive_life_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <span>
#include <string_view>
#include <tuple>
#include <vector>

namespace fulmar::backend::pcie {

namespace {

constexpr std::array all_causes{loss_cause::removal_requested, loss_cause::bus_error,
                                loss_cause::removed,           loss_cause::silent,
                                loss_cause::fatal_status,      loss_cause::timed_out,
                                loss_cause::hostile,           loss_cause::detached,
                                loss_cause::bring_up_failed,   loss_cause::other_drive};
constexpr std::array no_cause{loss_cause::none};
// What the driver reports by itself; an operator's is drive_message::detach.
constexpr auto reported_causes = std::span(all_causes).first(7);

bool has_cause(drive_message what) {
    return what == drive_message::lose || what == drive_message::failed;
}

/// What a message says beside its cause, when that is true and when it is not.
std::pair<std::string_view, std::string_view> flag_words(drive_message what) {
    if (has_cause(what)) return {"not reset too often", "reset too often"};
    if (what == drive_message::closed) return {"the kernel wants it", "nobody else wants it"};
    if (what == drive_message::unlinked) return {"a look under way", "no look under way"};
    return {};
}

std::vector<drive_input> inputs_of(drive_message what) {
    std::vector<drive_input> all;
    std::span<const loss_cause> causes = no_cause;
    if (what == drive_message::lose) causes = reported_causes;
    if (what == drive_message::failed) causes = all_causes;
    for (const loss_cause cause : causes)
        for (const bool flag : {false, true}) {
            if (flag && flag_words(what).first.empty()) continue;
            all.push_back({.what = what,
                           .cause = cause,
                           .may_reset = flag && has_cause(what),
                           .kernel_wants_it = flag && what == drive_message::closed,
                           .probing = flag && what == drive_message::unlinked});
        }
    if (what == drive_message::closed)  // rarer: a look is under way when the kernel has it
        all.push_back({.what = what, .probing = true});
    return all;
}

bool flag_of(const drive_input& input) {
    return input.may_reset || input.kernel_wants_it || input.probing;
}

template <typename Values>
std::string joined(const Values& values) {
    std::string text;
    for (const auto& each : values) text += (text.empty() ? "" : ", ") + std::string(each);
    return text;
}

std::string actions_of(const drive_step& step) {
    std::vector<std::string> all;
    for (const drive_action what : step) all.emplace_back(to_string(what));
    return joined(all);
}

/// With which causes, by the flag of the message.
using causes_by_flag = std::map<bool, std::set<loss_cause>>;

std::string words(const std::set<loss_cause>& causes) {
    std::vector<std::string> names;
    for (const loss_cause cause : causes) names.emplace_back(to_string(cause));
    return joined(names);
}

}  // namespace

std::set<drive_life, life_order> reachable_lives() {
    std::set<drive_life, life_order> seen{drive_life{}};
    std::deque<drive_life> open{drive_life{}};
    for (; !open.empty(); open.pop_front())
        for (std::size_t i = 0; i < drive_message_count; ++i)
            for (const drive_input& input : inputs_of(static_cast<drive_message>(i))) {
                const drive_step step = next(open.front(), input);
                if (step.possible && seen.insert(step.life).second) open.push_back(step.life);
            }
    return seen;
}

std::string render_decisions() {
    // A goal with its causes and flags is one row's when all that they lead to is the same.
    using outcome = std::tuple<drive_stage, std::string, std::string>;
    struct seen_with {
        causes_by_flag causes;
    };
    std::map<std::tuple<drive_stage, drive_message, drive_goal>, std::map<outcome, seen_with>> all;
    for (const drive_life& life : reachable_lives())
        for (std::size_t i = 0; i < drive_message_count; ++i)
            for (const drive_input& input : inputs_of(static_cast<drive_message>(i))) {
                const drive_step step = next(life, input);
                if (!step.possible || (step.life == life && step.count == 0)) continue;
                const loss_cause cause = has_cause(input.what) ? input.cause : life.cause;
                const std::string goal =
                    step.life.goal == life.goal ? "" : std::string(to_string(step.life.goal));
                all[{life.stage, input.what, life.goal}][{step.life.stage, goal, actions_of(step)}]
                    .causes[flag_of(input)]
                    .insert(cause);
            }
    // Goals that fare alike share their rows.
    std::map<std::pair<drive_stage, drive_message>,
             std::map<std::vector<std::pair<outcome, causes_by_flag>>, std::vector<std::string>>>
        grouped;
    for (const auto& [where, outcomes] : all) {
        std::vector<std::pair<outcome, causes_by_flag>> rows;
        for (const auto& [result, with] : outcomes)
            rows.emplace_back(result, outcomes.size() == 1 ? causes_by_flag{} : with.causes);
        const auto& [stage, what, goal] = where;
        grouped[{stage, what}][rows].emplace_back(to_string(goal));
    }
    std::string text =
        "| stage | message | wanted | cause | and | then | wanted then | what the owner does |\n"
        "|---|---|---|---|---|---|---|---|\n";
    for (const auto& [where, groups] : grouped)
        for (const auto& [rows, goals] : groups)
            for (const auto& [result, causes] : rows) {
                const auto row = [&at = where, &then = result, wanted = joined(goals)](
                                     const std::set<loss_cause>& which, std::string_view also) {
                    const drive_stage to = std::get<0>(then);
                    return fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} |\n",
                                       to_string(at.first), to_string(at.second), wanted,
                                       words(which), also,
                                       to == at.first ? std::string_view() : to_string(to),
                                       std::get<1>(then), std::get<2>(then));
                };
                const auto [yes, no] = flag_words(where.second);
                if (causes.empty()) text += row({}, {});
                if (causes.size() == 2 && causes.at(true) == causes.at(false)) {
                    text += row(causes.at(true), {});
                    continue;
                }
                for (const auto& [flag, which] : causes) text += row(which, flag ? yes : no);
            }
    return text + "\n";
}

}  // namespace fulmar::backend::pcie
