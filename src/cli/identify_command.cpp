// fulmar identify: the controller and its namespaces, decoded.
#include "commands.hpp"
#include "exit.hpp"
#include "identify_report.hpp"
#include "target_options.hpp"

#include <fmt/core.h>

#include <memory>

namespace fulmar::cli {
namespace {

using json = nlohmann::ordered_json;

struct identify_settings {
    target_options target;
    bool as_json = false;
};

void run_identify(identify_settings& s) {
    const auto c = connect(s.target);
    json out{{"controller", describe(c->identity())}, {"namespaces", json::array()}};
    auto wanted = std::vector<std::uint32_t>{s.target.nsid};
    const bool discovery =
        c->identity().cntrltype == static_cast<std::uint8_t>(nvme::controller_type::discovery);
    if (discovery)  // it has none, and knows no command that would list them
        wanted.clear();
    else if (s.target.nsid == 0)
        wanted = value_or_leave(c->active_namespaces());
    for (const std::uint32_t nsid : wanted) {
        const auto ns = value_or_leave(c->identify_namespace(nsid));
        const auto ids = value_or_leave(c->identify_descriptors(nsid));
        out["namespaces"].push_back(describe(nsid, ns, ids));
    }
    (void)c->shutdown();
    if (s.as_json) {
        fmt::print("{}\n", out.dump(2));
        return;
    }
    fmt::print("{}", readable(out["controller"]));
    for (const json& each : out["namespaces"]) fmt::print("\n{}", readable(each));
}

}  // namespace

void add_identify(CLI::App& app) {
    auto s = std::make_shared<identify_settings>();
    CLI::App* const c =
        app.add_subcommand("identify", "show what the controller and its namespaces are");
    add_target(*c, s->target);
    add_nsid(*c, s->target);
    c->add_flag("--json", s->as_json, "as JSON");
    c->footer(
        "Examples:\n"
        "  fulmar identify\n"
        "  fulmar identify --nsid 2 --json | jq '.namespaces[0].uuid'");
    c->callback([s] { run_identify(*s); });
}

}  // namespace fulmar::cli
