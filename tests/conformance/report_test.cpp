// docs/conformance.md says which row of the protocol checklist holds, why not where it does not,
// and which cases prove it. Rendered here; FULMAR_UPDATE_DOCS=1 writes it anew.
#include "rows.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

namespace fulmar::conformance {

proofs& all_proofs() {
    static proofs all;
    return all;
}

proves::proves(std::string_view one_case, std::initializer_list<std::string_view> rows) {
    for (const std::string_view id : rows) all_proofs()[std::string(id)].emplace_back(one_case);
}

namespace {

std::string_view text(verdict v) {
    switch (v) {
        case verdict::conforms: return "conforms";
        case verdict::refused: return "refused";
        case verdict::absent: return "n/a";
        case verdict::open: return "**open**";
    }
    return "?";
}

constexpr std::string_view opening =
    R"(# Conformance

The protocol checklist, row by row, and the test cases that prove it. Written by `tests/conformance`
(`FULMAR_UPDATE_DOCS=1 build/release/tests/conformance --gtest_filter='report.*'`); a test fails
when this file is not what the cases say. Every case speaks to the real core over real loopback
sockets, once with one data reactor and once with three.

Requirement: M mandatory, O optional, C conditional, P prohibited, – not applicable; of an I/O
controller (IOC) and of a discovery controller (DISC). *conforms*: implemented and proved.
*refused*: not implemented (or prohibited), and proved to be refused with the right status. *n/a*:
does not apply, for the reason given. **open**: should be there, and is not.
)";

bool claims_something(const row& r) {
    return r.result == verdict::conforms || r.result == verdict::refused;
}

std::string joined_cases(std::string_view id) {
    const auto at = all_proofs().find(id);
    if (at == all_proofs().end()) return "";
    std::vector<std::string> names = at->second;
    std::sort(names.begin(), names.end());
    return fmt::format("{}", fmt::join(names, " "));
}

std::string render() {
    std::string page(opening);
    std::size_t counts[4] = {};
    for (const section& s : checklist()) {
        page += fmt::format("\n## {} {}\n\n| Row | What | IOC | DISC | Verdict | Note | Cases |\n",
                            s.id, s.title);
        page += "|---|---|---|---|---|---|---|\n";
        for (const row& r : s.rows) {
            ++counts[static_cast<std::size_t>(r.result)];
            page += fmt::format("| {} | {} | {} | {} | {} | {} | {} |\n", r.id, r.what, r.io,
                                r.discovery, text(r.result), r.note, joined_cases(r.id));
        }
    }
    page += fmt::format(
        "\n{} rows conform, {} are refused as they should be, {} do not apply, {} are open.\n",
        counts[0], counts[1], counts[2], counts[3]);
    return page;
}

std::set<std::string_view> ids() {
    std::set<std::string_view> all;
    for (const section& s : checklist())
        for (const row& r : s.rows) EXPECT_TRUE(all.insert(r.id).second) << r.id << " twice";
    return all;
}

TEST(report, every_row_that_claims_something_has_a_case) {
    for (const section& s : checklist())
        for (const row& r : s.rows) {
            EXPECT_TRUE(!claims_something(r) || all_proofs().contains(r.id))
                << r.id << " " << r.what << ": no case proves it";
            EXPECT_TRUE(claims_something(r) || !r.note.empty()) << r.id << ": say why";
        }
}

TEST(report, every_case_proves_a_row) {
    const std::set<std::string_view> known = ids();
    for (const auto& [id, cases] : all_proofs())
        EXPECT_TRUE(known.contains(id)) << cases.front() << " proves " << id << ", which is no row";
}

TEST(report, the_file_is_up_to_date) {
    const char* source = std::getenv("FULMAR_SOURCE_DIR");
    const std::string path = std::string(source != nullptr ? source : ".") + "/docs/conformance.md";
    const std::string wanted = render();
    if (std::getenv("FULMAR_UPDATE_DOCS") != nullptr) std::ofstream(path) << wanted;
    std::stringstream there;
    there << std::ifstream(path).rdbuf();
    EXPECT_TRUE(there.str() == wanted)
        << "docs/conformance.md is out of date: run this test with FULMAR_UPDATE_DOCS=1";
}

}  // namespace
}  // namespace fulmar::conformance
