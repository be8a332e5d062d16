// What one client did to blocks, one operation after the other for each block, and whether what it
// reads can be explained: by the last write that was acknowledged, or by one after it whose outcome
// nobody knows. A write that was acknowledged and is not seen is lost; one that was given up and is
// seen after a later one was acknowledged, or after it had been seen to be missing, landed late.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace fulmar::cluster {

/// Whether a write that was given up may still land when its device serves again.
enum class given_up : std::uint8_t {
    has_ended,     ///< it has landed by then, or never will
    may_land_late  ///< at any time, over whatever is there
};

/// One thread.
class block_history {
  public:
    explicit block_history(given_up promise = given_up::has_ended) : promise_(promise) {}

    void acknowledged(std::uint64_t block, std::uint64_t value) {
        state& s = blocks_[block];
        s.possible = {value};
        if (promise_ == given_up::may_land_late)
            s.possible.insert(s.possible.end(), s.loose.begin(), s.loose.end());
    }
    void unknown(std::uint64_t block, std::uint64_t value) {
        state& s = blocks_[block];
        s.possible.push_back(value);
        s.loose.push_back(value);
        ++unknowns_;
    }
    /// Blocks that nobody has written hold 0.
    void read(std::uint64_t block, std::uint64_t value) {
        state& s = blocks_[block];
        if (std::find(s.possible.begin(), s.possible.end(), value) == s.possible.end()) {
            std::string text = "block " + std::to_string(block) + " holds " +
                               std::to_string(value) + ", possible:";
            for (const std::uint64_t one : s.possible) text += " " + std::to_string(one);
            wrong_.push_back(text);
        }
        s.possible = {value};
        if (promise_ == given_up::may_land_late)
            s.possible.insert(s.possible.end(), s.loose.begin(), s.loose.end());
    }

    /// Empty: all of it can be explained.
    [[nodiscard]] std::string verdict() const { return wrong_.empty() ? "" : wrong_.front(); }
    [[nodiscard]] std::uint64_t unknowns() const { return unknowns_; }
    [[nodiscard]] std::vector<std::uint64_t> written() const {
        std::vector<std::uint64_t> all;
        for (const auto& [block, s] : blocks_) all.push_back(block);
        return all;
    }

  private:
    struct state {
        std::vector<std::uint64_t> possible{0};
        std::vector<std::uint64_t> loose{};  // of writes that were given up, ever
    };
    given_up promise_;
    std::map<std::uint64_t, state> blocks_;
    std::vector<std::string> wrong_;
    std::uint64_t unknowns_ = 0;
};

}  // namespace fulmar::cluster
