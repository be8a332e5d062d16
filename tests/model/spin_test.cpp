// The second model: tests/model/lifecycle.pml, checked by SPIN. Its tables must be those of the
// core, name by name and edge by edge; everything else in it is written independently.
#include <fulmar/core/gate.hpp>
#include <fulmar/core/namespace_states.hpp>
#include <fulmar/core/request_states.hpp>
#include <fulmar/core/subsystem_states.hpp>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <tuple>

namespace fulmar::model {
namespace {

std::filesystem::path source() {
    const char* root = std::getenv("FULMAR_SOURCE_DIR");
    return std::filesystem::path(root != nullptr ? root : ".") / "tests/model/lifecycle.pml";
}

std::string promela() {
    std::ifstream in(source());
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
}

struct names {
    std::set<std::string> states, events;
    std::set<std::tuple<std::string, std::string, std::string>> edges;
    friend bool operator==(const names&, const names&) = default;
};

std::string render(const names& n) {
    std::string text;
    for (const std::string& s : n.states) text += "state " + s + "\n";
    for (const std::string& e : n.events) text += "event " + e + "\n";
    for (const auto& [from, on, to] : n.edges) text += fmt::format("{} {} {}\n", from, on, to);
    return text;
}

// "mtype:<title> = { … }" without the prefix of each name.
std::set<std::string> listed(const std::string& text, const std::string& title,
                             const std::string& prefix) {
    std::set<std::string> all;
    const std::string opening = "mtype:" + title + " = {";
    const std::size_t from = text.find(opening);
    if (from == std::string::npos) return all;
    const std::size_t start = from + opening.size();
    std::string names = text.substr(start, text.find('}', start) - start);
    for (char& c : names)
        if (c == ',' || c == '\n') c = ' ';
    std::istringstream words(names);
    for (std::string word; words >> word;)
        all.insert(word.starts_with(prefix) ? word.substr(prefix.size()) : "? " + word);
    return all;
}

// The lines ":: state == x && on == y -> state = z" of one inline.
names in_promela(const std::string& title, const std::string& prefix) {
    const std::string text = promela();
    names n;
    n.states = listed(text, title, prefix);
    n.events = listed(text, title + "_event", prefix + "on_");
    const std::size_t from = text.find("inline " + title + "_next(");
    if (from == std::string::npos) return n;
    std::istringstream lines(text.substr(from, text.find("\n}", from) - from));
    const auto bare = [&](const std::string& name, const std::string& before) {
        return name.starts_with(before) ? name.substr(before.size()) : "? " + name;
    };
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string w[12];
        std::size_t count = 0;
        while (count < 12 && words >> w[count]) ++count;
        if (count < 12 || w[0] != "::" || w[1] != "state" || w[5] != "on") continue;
        n.edges.insert({bare(w[3], prefix), bare(w[7], prefix + "on_"), bare(w[11], prefix)});
    }
    return n;
}

template <auto last, auto last_event, typename State, typename Event, std::size_t N>
names in_core(const std::array<edge<State, Event>, N>& edges) {
    names n;
    for (std::size_t i = 0; i <= static_cast<std::size_t>(last); ++i)
        n.states.insert(std::string(to_string(static_cast<State>(i))));
    for (std::size_t i = 0; i <= static_cast<std::size_t>(last_event); ++i)
        n.events.insert(std::string(to_string(static_cast<Event>(i))));
    for (const auto& e : edges)
        n.edges.insert({std::string(to_string(e.from)), std::string(to_string(e.on)),
                        std::string(to_string(e.to))});
    return n;
}

TEST(spin, has_the_tables_of_the_core) {
    using namespace core;
    const auto same = [](const names& model, const names& core) {
        EXPECT_EQ(render(model), render(core)) << "keep tests/model/lifecycle.pml in step";
        EXPECT_FALSE(core.edges.empty());
    };
    same(in_promela("subsystem", "s_"),
         in_core<subsystem_state::deactivating, subsystem_event::failed>(subsystem_edges));
    same(in_promela("namespace", "n_"),
         in_core<namespace_state::detaching, namespace_event::failed>(namespace_edges));
    same(in_promela("gate", "g_"),
         in_core<gate_position::waiting_for_device, gate_event::close>(gate_edges));
    same(in_promela("request", "r_"),
         in_core<request_state::answering, request_event::sent>(request_edges));
}

struct ran {
    int status = -1;
    std::string output;
};

ran run(const std::string& command) {
    ran r;
    FILE* const pipe = popen((command + " 2>&1").c_str(), "r");
    if (pipe == nullptr) return r;
    std::array<char, 4096> piece{};
    while (const std::size_t got = fread(piece.data(), 1, piece.size(), pipe))
        r.output.append(piece.data(), got);
    r.status = pclose(pipe);
    return r;
}

/// A folder of its own for what SPIN and the compiler leave behind.
class workshop {
  public:
    workshop() {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "fulmar-spin-XXXXXX").string();
        if (mkdtemp(pattern.data()) != nullptr) at_ = pattern;
    }
    ~workshop() {
        std::error_code ignored;
        if (!at_.empty()) std::filesystem::remove_all(at_, ignored);
    }
    [[nodiscard]] ran check(const std::string& define, const std::string& compile,
                            const std::string& options) const {
        return run(fmt::format(
            "cd '{}' && spin {} -a '{}' && gcc -O0 -w -DCOLLAPSE "
            "-DMEMLIM=4096 {} -o pan pan.c && ./pan {}",
            at_.string(), define, std::filesystem::absolute(source()).string(), compile, options));
    }

  private:
    std::filesystem::path at_;
};

// The whole of it, or nothing: a search that was cut short proves nothing.
void expect_proven(const ran& r) {
    EXPECT_EQ(r.status, 0) << "is spin installed? ./dev setup test\n" << r.output;
    EXPECT_NE(r.output.find("errors: 0"), std::string::npos) << r.output;
    EXPECT_EQ(r.output.find("max search depth too small"), std::string::npos) << r.output;
    EXPECT_EQ(r.output.find("Search not completed"), std::string::npos) << r.output;
    const std::size_t at = r.output.find("states, stored");
    ASSERT_NE(at, std::string::npos) << r.output;
    const std::size_t line = r.output.rfind('\n', at) + 1;
    std::printf("%s\n", r.output.substr(line, at + 14 - line).c_str());
}

TEST(spin, finds_no_broken_assertion_and_nobody_stuck) {
    expect_proven(workshop().check("-DOPERATIONS=1", "-DSAFETY -DNOCLAIM", "-m100000"));
}

TEST(spin, finds_that_every_change_ends) {
    expect_proven(
        workshop().check("-DOPERATIONS=1 -DFEW", "-DNFAIR=4 -DNOREDUCE", "-m100000 -a -f"));
}

// That it can find something: without the deadline a silent drive holds a change for ever.
TEST(spin, finds_a_change_that_never_ends_without_deadlines) {
    const ran r = workshop().check("-DOPERATIONS=1 -DFEW -DNO_DEADLINE", "-DNFAIR=4 -DNOREDUCE",
                                   "-m100000 -a -f");
    EXPECT_EQ(r.output.find("errors: 0"), std::string::npos) << r.output;
    EXPECT_NE(r.output.find("acceptance cycle"), std::string::npos) << r.output;
}

}  // namespace
}  // namespace fulmar::model
