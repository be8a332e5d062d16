// fulmar discover: the discovery log, as a table or as JSON.
#include "commands.hpp"
#include "exit.hpp"
#include "target_options.hpp"

#include <fulmar/host/discovery.hpp>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <memory>

namespace fulmar::cli {
namespace {

using json = nlohmann::ordered_json;

struct discover_settings {
    target_options target;
    bool as_json = false;
};

std::string transport_text(std::uint8_t raw) {
    const auto type = nvme::parse_trtype(raw);
    return type ? std::string(nvme::to_word(*type)) : fmt::format("{:#x}", raw);
}

std::string subtype_text(std::uint8_t raw) {
    switch (static_cast<nvme::subsystem_type>(raw)) {
        case nvme::subsystem_type::referral: return "referral";
        case nvme::subsystem_type::nvm: return "nvm";
        case nvme::subsystem_type::current_discovery: return "this discovery";
    }
    return fmt::format("{:#x}", raw);
}

std::string family_text(std::uint8_t raw) {
    switch (static_cast<nvme::adrfam>(raw)) {
        case nvme::adrfam::ipv4: return "ipv4";
        case nvme::adrfam::ipv6: return "ipv6";
        case nvme::adrfam::infiniband: return "ib";
        case nvme::adrfam::fibre_channel: return "fc";
        case nvme::adrfam::intra_host: return "intra-host";
    }
    return fmt::format("{:#x}", raw);
}

std::string address_text(const host::discovery_entry& e) {
    return e.address.find(':') == std::string::npos ? e.address + ":" + e.service
                                                    : "[" + e.address + "]:" + e.service;
}

void print_table(const host::discovery_log& log) {
    std::size_t width = 7;
    for (const auto& e : log.entries) width = std::max(width, address_text(e).size());
    fmt::print("{:<9}  {:<{}}  {:<14}  {:>5}  {}\n", "TRANSPORT", "ADDRESS", width, "TYPE", "PORT",
               "NQN");
    for (const auto& e : log.entries)
        fmt::print("{:<9}  {:<{}}  {:<14}  {:>5}  {}\n", transport_text(e.transport),
                   address_text(e), width, subtype_text(e.subtype), e.port_id, e.subnqn);
    fmt::print("{} {}, generation {}\n", log.entries.size(),
               log.entries.size() == 1 ? "entry" : "entries", log.generation);
}

void print_json(const host::discovery_log& log) {
    json out{{"generation", log.generation},
             {"record_format", log.record_format},
             {"entries", json::array()}};
    for (const auto& e : log.entries)
        out["entries"].push_back({{"transport", transport_text(e.transport)},
                                  {"address_family", family_text(e.address_family)},
                                  {"address", e.address},
                                  {"service", e.service},
                                  {"type", subtype_text(e.subtype)},
                                  {"nqn", e.subnqn},
                                  {"port_id", e.port_id},
                                  {"cntlid", e.cntlid},
                                  {"admin_queue_entries", e.admin_queue_entries},
                                  {"treq", e.treq},
                                  {"flags", e.flags},
                                  {"tcp_security", e.tcp_security}});
    fmt::print("{}\n", out.dump(2));
}

}  // namespace

void add_discover(CLI::App& app) {
    auto s = std::make_shared<discover_settings>();
    CLI::App* const c = app.add_subcommand("discover", "list what a target offers");
    c->footer(
        "Examples:\n"
        "  fulmar discover                           the target of ./dev run\n"
        "  fulmar discover -a 192.0.2.7 -p 8009      a discovery service elsewhere\n"
        "  fulmar discover --json | jq '.entries[].nqn'");
    add_address(*c, s->target);
    c->add_option("-n,--nqn", s->target.nqn, "discovery subsystem (default: the well-known NQN)");
    c->add_flag("--json", s->as_json, "as JSON");
    c->callback([s] {
        const auto log = value_or_leave(host::discover(s->target.controller()));
        if (s->as_json)
            print_json(log);
        else
            print_table(log);
    });
}

}  // namespace fulmar::cli
