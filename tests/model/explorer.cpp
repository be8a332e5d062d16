#include "explorer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <deque>
#include <span>

namespace fulmar::model {

namespace {

// 128 bits of a state's packed bytes: two different mixings of the same words. Two of 2^24 states
// share them with a probability of 2^-81.
struct fingerprint {
    std::uint64_t a = 0, b = 0;
    friend bool operator==(const fingerprint&, const fingerprint&) = default;
};

std::uint64_t scramble(std::uint64_t x) {
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    return x ^ (x >> 32);
}

fingerprint fingerprint_of(std::span<const byte> bytes) {
    fingerprint f{.a = 0x243f6a8885a308d3u, .b = 0x13198a2e03707344u};
    for (std::size_t at = 0; at < bytes.size(); at += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes.data() + at, std::min<std::size_t>(8, bytes.size() - at));
        f.a = scramble(f.a ^ word);
        f.b = (f.b + word) * 0x9e3779b97f4a7c15u;
        f.b ^= f.b >> 29;
    }
    f.b = scramble(f.b + bytes.size());
    return f;
}

/// Fingerprints to state numbers; open addressing.
class seen_states {
  public:
    seen_states() : slots_(1u << 20) {}

    /// The number, and whether it is new.
    std::pair<std::uint32_t, bool> add(const fingerprint& f) {
        if (count_ * 10 > slots_.size() * 7) grow();
        slot& at = find(f);
        if (at.number != 0) return {at.number - 1, false};
        at = {.print = f, .number = ++count_};
        return {count_ - 1, true};
    }
    [[nodiscard]] std::uint32_t size() const { return count_; }

  private:
    struct slot {
        fingerprint print;
        std::uint32_t number = 0;  // 0: free
    };
    slot& find(const fingerprint& f) {
        std::size_t at = f.a & (slots_.size() - 1);
        while (slots_[at].number != 0 && !(slots_[at].print == f))
            at = (at + 1) & (slots_.size() - 1);
        return slots_[at];
    }
    void grow() {
        std::vector<slot> old(slots_.size() * 2);
        old.swap(slots_);
        for (const slot& s : old)
            if (s.number != 0) find(s.print) = s;
    }
    std::vector<slot> slots_;
    std::uint32_t count_ = 0;
};

class exploration {
  public:
    explicit exploration(const settings& of) : of_(of) {}

    outcome run() {
        const auto start = std::chrono::steady_clock::now();
        (void)visit(first_state(of_), 0, {});
        while (!frontier_.empty() && result_.wrong.empty()) {
            const state s = frontier_.front();
            frontier_.pop_front();
            expand(s, done_++);
        }
        if (result_.wrong.empty()) look_for_endless_runs();
        result_.states = seen_.size();
        result_.depth = depth_.empty() ? 0 : depth_.back();
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        result_.seconds = took.count();
        return std::move(result_);
    }

  private:
    struct step {
        std::uint32_t parent = 0;
        event by;
    };

    std::uint32_t visit(const state& s, std::uint32_t parent, event by) {
        const std::size_t packed = s.pack(bytes_);
        const auto [number, fresh] = seen_.add(fingerprint_of(std::span(bytes_).first(packed)));
        if (!fresh) return number;
        steps_.push_back({parent, by});
        depth_.push_back(static_cast<std::uint16_t>(number == 0 ? 0 : depth_[parent] + 1));
        frontier_.push_back(s);
        return number;
    }

    void expand(const state& s, std::uint32_t number) {
        enabled(of_, s, events_);
        bool internal = false;
        for (const event e : events_) {
            internal = internal || is_internal(e.kind);
            state next = s;
            ++result_.moves;
            if (const auto wrong = apply(of_, next, e); !wrong.empty())
                return fail(wrong, number, &e);
            const std::uint32_t to = visit(next, number, e);
            if (is_internal(e.kind)) runs_.push_back({number, to});
        }
        if (internal) return;
        ++result_.at_rest;
        if (const auto wrong = wrong_at_rest(of_, s); !wrong.empty())
            return fail(wrong, number, nullptr);
        if (!events_.empty()) return;
        ++result_.at_end;
        if (const auto wrong = wrong_at_end(of_, s); !wrong.empty())
            return fail(wrong, number, nullptr);
    }

    // The target's own moves must not lead in a circle: then each of its runs comes to rest,
    // whatever hosts, operators and drives do not do. Sorts the states by these moves.
    void look_for_endless_runs() {
        std::vector<std::uint32_t> incoming(seen_.size(), 0), first(seen_.size() + 1, 0);
        for (const auto& [from, to] : runs_) {
            ++incoming[to];
            ++first[from + 1];
        }
        for (std::size_t i = 1; i < first.size(); ++i) first[i] += first[i - 1];
        std::vector<std::uint32_t> to_of(runs_.size());
        std::vector<std::uint32_t> fill(first.begin(), first.end() - 1);
        for (const auto& [from, to] : runs_) to_of[fill[from]++] = to;
        std::vector<std::uint32_t> ready;
        for (std::uint32_t i = 0; i < seen_.size(); ++i)
            if (incoming[i] == 0) ready.push_back(i);
        std::uint64_t sorted = 0;
        while (!ready.empty()) {
            const std::uint32_t at = ready.back();
            ready.pop_back();
            ++sorted;
            for (std::uint32_t i = first[at]; i < first[at + 1]; ++i)
                if (--incoming[to_of[i]] == 0) ready.push_back(to_of[i]);
        }
        if (sorted == seen_.size()) return;
        const auto stuck = std::find_if(incoming.begin(), incoming.end(),
                                        [](std::uint32_t left) { return left != 0; });
        fail("the target turns in a circle", static_cast<std::uint32_t>(stuck - incoming.begin()),
             nullptr);
    }

    void fail(std::string_view what, std::uint32_t number, const event* last) {
        if (!result_.wrong.empty()) return;
        result_.wrong = what;
        std::vector<event> path;
        for (std::uint32_t at = number; at != 0; at = steps_[at].parent)
            path.push_back(steps_[at].by);
        std::reverse(path.begin(), path.end());
        if (last != nullptr) path.push_back(*last);
        state s = first_state(of_);
        result_.story = fmt::format("world {}: {}\n", of_.name, what);
        for (std::size_t i = 0; i < path.size(); ++i) {
            result_.story += fmt::format("{:>3}. {}\n", i + 1, describe(of_, s, path[i]));
            (void)apply(of_, s, path[i]);
        }
        result_.story += describe(s);
    }

    const settings& of_;
    outcome result_;
    seen_states seen_;
    std::vector<step> steps_;           // by state number: how it was found
    std::vector<std::uint16_t> depth_;  // likewise
    std::deque<state> frontier_;
    std::uint32_t done_ = 0;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> runs_;  // the target's own moves
    std::array<byte, sizeof(state)> bytes_{};
    std::vector<event> events_;
};

}  // namespace

outcome explore(const settings& of) { return exploration(of).run(); }

}  // namespace fulmar::model
