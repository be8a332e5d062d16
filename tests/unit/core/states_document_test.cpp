// docs/states.md is rendered from the tables that the code runs; FULMAR_UPDATE_DOCS=1 rewrites it.
#include <fulmar/core/controller_states.hpp>
#include <fulmar/core/gate.hpp>
#include <fulmar/core/namespace_states.hpp>
#include <fulmar/core/qpair_states.hpp>
#include <fulmar/core/request_states.hpp>
#include <fulmar/core/subsystem_states.hpp>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace fulmar::core {
namespace {

template <typename Edges>
std::string render(const char* title, const char* about, const Edges& edges, const char* rest) {
    std::string out = fmt::format("## {}\n\n{}\n\n```mermaid\nstateDiagram-v2\n    [*] --> {}\n",
                                  title, about, rest);
    for (const auto& e : edges)
        out += fmt::format("    {} --> {} : {}\n", to_string(e.from), to_string(e.to),
                           to_string(e.on));
    out += "```\n\n| from | on | to |\n|---|---|---|\n";
    for (const auto& e : edges)
        out +=
            fmt::format("| {} | {} | {} |\n", to_string(e.from), to_string(e.on), to_string(e.to));
    return out + "\n";
}

std::string render_all() {
    std::string out =
        "# States\n\nRendered from the tables in `include/fulmar/core/*_states.hpp` by a test "
        "(`FULMAR_UPDATE_DOCS=1 build/release/tests/unit_core`).\nAn event without an edge is "
        "refused (an operator's) or is our own mistake (ours). Each level has an enumeration of "
        "its own.\n\n";
    out += render("Subsystem", "Owner: the control reactor.", subsystem_edges, "inactive");
    out += render("Namespace", "Owner: the control reactor.", namespace_edges, "absent");
    out += render("Qpair", "Owner: the poll group that the connection was given to.", qpair_edges,
                  "fresh");
    out += render("Controller", "Owner: its home reactor, that of its admin queue.",
                  controller_edges, "disabled");
    out += render("Request", "Owner: the qpair's reactor.", request_edges, "idle");
    out +=
        "## Gate\n\nOwner: a poll group, one for each namespace of each of its subsystem groups. "
        "A gate has positions, not edges: any may follow any.\n\n| position | a request |\n"
        "|---|---|\n";
    for (const gate_position p :
         {gate_position::closed, gate_position::open, gate_position::fenced}) {
        gate g{.position = p, .generation = 1};
        const admission a = g.admit(1, 0);
        std::string fate = "is answered with the gate's status";
        if (a == admission::enter) fate = "enters, and is counted until it is answered";
        if (a == admission::park) fate = "is parked, bounded in count and bytes, in order";
        out += fmt::format("| {} | {} |\n", to_string(p), fate);
    }
    return out;
}

TEST(states, the_document_is_what_the_tables_say) {
    const char* root = std::getenv("FULMAR_SOURCE_DIR");
    const std::string path = std::string(root != nullptr ? root : ".") + "/docs/states.md";
    const std::string wanted = render_all();
    if (std::getenv("FULMAR_UPDATE_DOCS") != nullptr) std::ofstream(path) << wanted;
    std::ostringstream found;
    found << std::ifstream(path).rdbuf();
    EXPECT_EQ(found.str(), wanted) << "run with FULMAR_UPDATE_DOCS=1";
}

}  // namespace
}  // namespace fulmar::core
