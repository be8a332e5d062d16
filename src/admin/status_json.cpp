#include "status_json.hpp"

#include "section_fields.hpp"

#include <fmt/format.h>

namespace fulmar::admin {

namespace {

using nlohmann::ordered_json;

void add(ordered_json& out, const core::transition_status& transition) {
    out["state"] = transition.state;
    out["in_state_ms"] = transition.in_state_ms;
    if (!transition.waiting_for.empty()) out["waiting_for"] = transition.waiting_for;
    if (!transition.last_error.empty()) out["last_error"] = transition.last_error;
}

template <typename Specs, typename Write>
ordered_json array_of(const Specs& specs, Write&& write) {
    ordered_json out = ordered_json::array();
    for (const auto& one : specs) out.push_back(write(one));
    return out;
}

}  // namespace

// Keys have 64 bits, which most readers of JSON do not keep as numbers.
ordered_json to_json(const core::reservation_status& status) {
    return {
        {"type", status.type},
        {"persistent", status.persistent},
        {"generation", status.generation},
        {"registrants", array_of(status.registrants, [](const core::reservation_status::host& one) {
             return ordered_json{{"host_id", one.identifier},
                                 {"key", fmt::format("{:#018x}", one.key)},
                                 {"holds", one.holds}};
         })}};
}

ordered_json to_json(const core::namespace_status& status) {
    ordered_json out = to_json(status.spec, document::body);
    ordered_json now = ordered_json::object();
    add(now, status.transition);
    now["generation"] = status.generation;
    now["block_count"] = status.block_count;
    now["block_size"] = status.block_bytes;
    now["outstanding"] = status.outstanding;
    now["parked"] = status.parked;
    now["abandoned"] = status.abandoned;
    now["quarantined_bytes"] = status.quarantined_bytes;
    now["where"] = array_of(status.where, [](const core::namespace_status::place& at) {
        return ordered_json{{"reactor", at.reactor},
                            {"outstanding", at.outstanding},
                            {"parked", at.parked},
                            {"abandoned", at.abandoned}};
    });
    now["write_protection"] = to_string(status.protection);
    now["preempted"] = status.preempted;
    if (status.reservation) now["reservation"] = to_json(*status.reservation);
    out["status"] = std::move(now);
    return out;
}

ordered_json to_json(const core::subsystem_status& status) {
    ordered_json out = to_json(status.spec, document::body);
    out["namespaces"] = array_of(status.namespaces, [](const auto& ns) { return to_json(ns); });
    ordered_json now = ordered_json::object();
    add(now, status.transition);
    now["slot"] = status.slot;
    now["generation"] = status.generation;
    now["controllers"] = status.controllers;
    now["queued_operations"] = status.queued_operations;
    out["status"] = std::move(now);
    return out;
}

ordered_json to_json(const core::device_status& status) {
    ordered_json out = to_json(status.spec, document::body);
    ordered_json now{{"state", status.state}};
    if (!status.reason.empty()) now["reason"] = status.reason;
    if (!status.used_by.empty()) now["used_by"] = status.used_by;
    now["block_count"] = status.block_count;
    if (!status.serial.empty()) now["serial"] = status.serial;
    if (!status.model.empty()) now["model"] = status.model;
    if (!status.note.empty()) now["note"] = status.note;
    out["status"] = std::move(now);
    return out;
}

ordered_json to_json(const core::flight_report& report) {
    return {{"uptime_ns", report.uptime_ns},
            {"entries", array_of(report.entries, [](const core::flight_report_entry& e) {
                 ordered_json one{{"uptime_ns", e.uptime_ns},
                                  {"reactor", e.reactor},
                                  {"sequence", e.sequence},
                                  {"what", e.what}};
                 if (!e.detail.empty()) one["detail"] = e.detail;
                 if (e.generation != 0)
                     one["subsystem"] = {{"slot", e.slot}, {"generation", e.generation}};
                 if (e.nsid != 0)
                     one["namespace"] = {{"nsid", e.nsid}, {"generation", e.namespace_generation}};
                 if (e.object != 0) one["object"] = e.object;
                 if (e.value != 0) one["value"] = e.value;
                 return one;
             })}};
}

ordered_json to_json(const core::listener_status& status) {
    ordered_json out{{"name", status.spec.name()}};
    out.update(to_json(status.spec));
    out["status"] = {{"connections", status.connections},
                     {"accepted_total", status.accepted_total},
                     {"rejected_total", status.rejected_total}};
    if (!status.waits_for.empty()) out["status"]["waits_for"] = status.waits_for;
    return out;
}

ordered_json to_json(const core::connection_status& status) {
    return {{"id", status.id},
            {"transport", status.transport},
            {"peer", status.peer},
            {"local", status.local},
            {"reactor", status.reactor},
            {"state", status.state},
            {"host", status.host_nqn},
            {"authentication", status.authentication},
            {"security", status.security},
            {"cipher", status.cipher},
            {"subsystem", status.subsystem_nqn},
            {"cntlid", status.cntlid},
            {"qid", status.qid},
            {"queue_depth", status.queue_depth},
            {"outstanding", status.outstanding},
            {"commands_total", status.commands_total},
            {"bytes_read", status.bytes_read},
            {"bytes_written", status.bytes_written},
            {"header_digest", status.header_digest},
            {"data_digest", status.data_digest}};
}

ordered_json to_json(const missing_part& part) {
    ordered_json out{{"what", part.what}, {"name", part.name}};
    if (part.nsid != 0) out["nsid"] = part.nsid;
    return out;
}

ordered_json to_json(const core::target_status& status) {
    ordered_json out{{"uptime_ms", status.uptime_ms},     {"revision", status.revision},
                     {"subsystems", status.subsystems},   {"namespaces", status.namespaces},
                     {"connections", status.connections}, {"hugepages", status.hugepages}};
    out["waiting_listeners"] =
        array_of(status.waiting_listeners, [](const core::listener_status& l) {
            return ordered_json{{"name", l.spec.name()}, {"waits_for", l.waits_for}};
        });
    out["reactors"] = array_of(status.reactors, [](const core::reactor_status& r) {
        return ordered_json{{"id", r.id},
                            {"turns", r.turns},
                            {"busy_turns", r.busy_turns},
                            {"sleeps", r.sleeps},
                            {"messages", r.messages},
                            {"longest_turn_ns", r.longest_turn_ns},
                            {"connections", r.connections},
                            {"pool_chunks_total", r.pool_chunks_total},
                            {"pool_chunks_free", r.pool_chunks_free},
                            {"pool_waiters", r.pool_waiters}};
    });
    return out;
}

ordered_json to_json(const daemon_options& options, const core::target_spec& spec) {
    ordered_json out = ordered_json::object();
    for_each_section([&](const auto& section) {
        ordered_json all = fields_json(section.table, section.part(options), document::file);
        if (section.name.empty())
            out.update(all);
        else
            out[std::string(section.name)] = std::move(all);
    });
    out["listeners"] = array_of(spec.listeners, [](const auto& one) { return to_json(one); });
    out["devices"] =
        array_of(spec.devices, [](const auto& one) { return to_json(one, document::file); });
    out["subsystems"] =
        array_of(spec.subsystems, [](const auto& one) { return to_json(one, document::file); });
    out["referrals"] = array_of(spec.referrals, [](const auto& one) { return to_json(one); });
    return out;
}

}  // namespace fulmar::admin
