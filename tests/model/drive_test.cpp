// The life of a drive in every order: all reports of losses and returns, at every moment, without
// end; and each ordered pair of them by itself, whose drive must come to rest from wherever it is.
#include "drive_machine.hpp"

#include <fulmar/base/mutation.hpp>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace fulmar::model::drives {
namespace {

struct journey {
    std::string wrong;  ///< empty, or what does not hold
    std::string story;  ///< the moves that lead there
    std::size_t states = 0;
    std::size_t at_rest = 0;
    std::set<std::pair<drive_goal, drive_stage>> reached;
};

class drive_exploration {
  public:
    /// `script`: these reports, in this order, at any moments; empty: all of them, for ever.
    explicit drive_exploration(std::span<const report> script) : script_(script) {}

    journey run() {
        visit(first_world(), 0, "an operator attaches it");
        for (std::uint32_t at = 0; at < all_.size() && result_.wrong.empty(); ++at) expand(at);
        if (result_.wrong.empty()) look_for_the_restless();
        result_.states = all_.size();
        return std::move(result_);
    }

  private:
    struct visited {
        world w;
        std::uint32_t from;
        std::string how;
        bool rests = false;
    };

    std::uint32_t visit(const world& w, std::uint32_t from, const std::string& how) {
        const auto [at, fresh] = seen_.try_emplace(w, static_cast<std::uint32_t>(all_.size()));
        if (!fresh) return at->second;
        all_.push_back({w, from, how});
        result_.reached.emplace(w.life.goal, w.life.stage);
        if (!w.wrong.empty()) fail(w.wrong, at->second);
        return at->second;
    }

    void expand(std::uint32_t at) {
        const world w = all_[at].w;
        bool rests = true;
        for (const move& m : moves(w)) {
            rests = rests && !m.by_itself;
            steps_.emplace_back(visit(m.then, at, m.what), at);
        }
        if (rests) {
            ++result_.at_rest;
            all_[at].rests = true;
            if (const auto wrong = wrong_at_rest(w); !wrong.empty()) return fail(wrong, at);
        }
        if (w.gone || w.starting || w.beginning_release) return;
        if (!script_.empty()) {
            if (w.given < script_.size()) report_comes(at, w, script_[w.given]);
            return;
        }
        for (std::size_t i = 0; i <= reports_of_drives; ++i)
            report_comes(at, w, static_cast<report>(i));
    }

    void report_comes(std::uint32_t at, const world& w, report what) {
        for (const bool may_reset : {true, false}) {
            world then = w;
            give(then, what, may_reset);
            if (script_.empty()) then.given = 0;
            visit(then, at, fmt::format("{}{}", to_string(what), may_reset ? "" : ", too often"));
        }
    }

    // Without another report every state leads to rest: backwards from those that rest.
    void look_for_the_restless() {
        std::multimap<std::uint32_t, std::uint32_t> into(steps_.begin(), steps_.end());
        std::vector<bool> leads(all_.size(), false);
        std::deque<std::uint32_t> open;
        for (std::uint32_t i = 0; i < all_.size(); ++i)
            if (all_[i].rests) open.push_back(i);
        for (; !open.empty(); open.pop_front()) {
            if (leads[open.front()]) continue;
            leads[open.front()] = true;
            const auto [first, last] = into.equal_range(open.front());
            for (auto step = first; step != last; ++step) open.push_back(step->second);
        }
        const auto stuck = std::find(leads.begin(), leads.end(), false);
        if (stuck != leads.end())
            fail("it never comes to rest", static_cast<std::uint32_t>(stuck - leads.begin()));
    }

    void fail(std::string_view what, std::uint32_t at) {
        if (!result_.wrong.empty()) return;
        result_.wrong = what;
        for (std::uint32_t i = at;; i = all_[i].from) {
            result_.story.insert(
                0, fmt::format("  {} ({}, {})\n", all_[i].how, to_string(all_[i].w.life.stage),
                               to_string(all_[i].w.life.goal)));
            if (i == 0) return;
        }
    }

    std::span<const report> script_;
    journey result_;
    std::map<world, std::uint32_t> seen_;
    std::deque<visited> all_;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> steps_;  // to, from
};

TEST(drive_model, any_reports_at_any_moments_keep_every_promise) {
    const journey all = drive_exploration({}).run();
    EXPECT_EQ(all.wrong, "") << all.story;
    std::set<drive_stage> stages;
    std::set<drive_goal> goals;
    for (const auto& [goal, stage] : all.reached) {
        stages.insert(stage);
        goals.insert(goal);
    }
    EXPECT_EQ(stages.size(), static_cast<std::size_t>(drive_stage::given_back) + 1);
    EXPECT_EQ(goals.size(), static_cast<std::size_t>(drive_goal::retired) + 1);
    RecordProperty("states", std::to_string(all.states));
    std::printf("%zu states, %zu at rest\n", all.states, all.at_rest);
}

TEST(drive_model, each_ordered_pair_of_reports_comes_to_rest) {
    std::size_t states = 0, pairs = 0;
    for (std::size_t a = 0; a < reports_of_drives; ++a)
        for (std::size_t b = 0; b < reports_of_drives; ++b) {
            const std::array script{static_cast<report>(a), static_cast<report>(b)};
            const journey one = drive_exploration(script).run();
            ASSERT_EQ(one.wrong, "")
                << to_string(script[0]) << ", then " << to_string(script[1]) << "\n"
                << one.story;
            EXPECT_GT(one.at_rest, 0u);
            states += one.states;
            ++pairs;
        }
    EXPECT_EQ(pairs, 144u);
    RecordProperty("states", std::to_string(states));
    std::printf("%zu pairs, %zu states\n", pairs, states);
}

#ifdef FULMAR_MUTATIONS

struct drive_expectation {
    mutation bug;
    const char* broken;  ///< the property
};

void PrintTo(const drive_expectation& e, std::ostream* out) { *out << to_string(e.bug); }

class drive_mutations : public testing::TestWithParam<drive_expectation> {
  protected:
    void TearDown() override { active_mutation = mutation::none; }
};

TEST_P(drive_mutations, are_noticed) {
    active_mutation = GetParam().bug;
    const journey all = drive_exploration({}).run();
    EXPECT_EQ(all.wrong, GetParam().broken) << all.story;
    RecordProperty("mutations that are noticed", std::string(to_string(active_mutation)));
    std::printf("%s is noticed after %zu states:\n%s",
                std::string(to_string(active_mutation)).c_str(), all.states, all.story.c_str());
}

INSTANTIATE_TEST_SUITE_P(
    all, drive_mutations,
    testing::Values(drive_expectation{mutation::returns_during_release_are_forgotten,
                                      "a return is forgotten"},
                    drive_expectation{mutation::arrivals_attach_detached_drives,
                                      "what an operator took away is wanted"},
                    drive_expectation{mutation::drains_outlast_losses,
                                      "whoever wants a drive waits until it is idle"},
                    drive_expectation{mutation::second_loss_report_releases_again,
                                      "a release begins during another job"}),
    [](const auto& each) { return std::string(to_string(each.param.bug)); });

#endif

}  // namespace
}  // namespace fulmar::model::drives
