// Renders tables of states for documents, and holds the documents to it.
#pragma once

#include <fulmar/base/state_table.hpp>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace fulmar::test {

template <typename State, typename Event, std::size_t N>
std::vector<State> states_of(const std::array<edge<State, Event>, N>& edges) {
    std::vector<State> all;
    const auto add = [&](State s) {
        if (std::find(all.begin(), all.end(), s) == all.end()) all.push_back(s);
    };
    for (const auto& e : edges) {
        add(e.from);
        add(e.to);
    }
    std::sort(all.begin(), all.end());
    return all;
}

template <typename State, typename Event, std::size_t N>
std::string render_states(const std::string& title, const std::string& where,
                          const std::string& what, const std::array<edge<State, Event>, N>& edges,
                          State first) {
    std::string text = fmt::format("## {}\n\n{}\nTable: `{}`.\n\n```mermaid\nstateDiagram-v2\n",
                                   title, what, where);
    const auto replaced = [](std::string_view name, char from, char to) {
        std::string s(name);
        std::replace(s.begin(), s.end(), from, to);
        return s;
    };
    const auto label = [&](std::string_view name) { return replaced(name, '_', ' '); };
    const auto id = [&](std::string_view name) { return replaced(name, ' ', '_'); };
    text += fmt::format("    [*] --> {}\n", id(to_string(first)));
    for (const State s : states_of(edges))
        if (label(to_string(s)) != id(to_string(s)))
            text += fmt::format("    {}: {}\n", id(to_string(s)), label(to_string(s)));
    for (const auto& e : edges)
        text += fmt::format("    {} --> {}: {}\n", id(to_string(e.from)), id(to_string(e.to)),
                            label(to_string(e.on)));
    text += "```\n\n| in | on | goes to |\n|---|---|---|\n";
    for (const auto& e : edges)
        text += fmt::format("| {} | {} | {} |\n", label(to_string(e.from)), label(to_string(e.on)),
                            label(to_string(e.to)));
    return text + "\n";
}

/// `path` in the source tree says `wanted`; with FULMAR_UPDATE_DOCS=1 it is written so.
inline void expect_document(const std::string& path, std::string wanted) {
    while (wanted.ends_with("\n\n")) wanted.pop_back();
    const char* const root = std::getenv("FULMAR_SOURCE_DIR");
    const std::string full = std::string(root != nullptr ? root : ".") + "/" + path;
    if (const char* const update = std::getenv("FULMAR_UPDATE_DOCS");
        update != nullptr && *update == '1') {
        std::ofstream out(full, std::ios::trunc);
        out << wanted;
        ASSERT_TRUE(out.good()) << full;
    }
    std::ifstream in(full);
    std::stringstream present;
    present << in.rdbuf();
    EXPECT_EQ(present.str(), wanted) << "run this test with FULMAR_UPDATE_DOCS=1";
}

}  // namespace fulmar::test
