// What is wrong with a document that somebody wrote: every finding with its place and its cure.
// Plain values, any thread. Must never grow without bound, however bad the document is.
#pragma once

#include <fulmar/base/result.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace fulmar::admin {

/// One finding.
struct problem {
    /// syntax: not JSON. meaning: JSON, but not what is expected here.
    enum class kind : std::uint8_t { syntax, meaning };

    std::string
        pointer;  ///< JSON pointer of the value: "/devices/0/size"; empty: the whole document
    std::uint32_t line = 0;    ///< 1-based; 0: unknown
    std::string message = {};  ///< "must be a multiple of the block size (512)"
    std::string remedy = {};   ///< what to write instead; may be empty
    kind what = kind::meaning;

    /// "fulmard.json:12: /devices/0/size: must be … (remedy)".
    [[nodiscard]] std::string text(const std::string& file) const;
};

/// The findings of one document: the first `max_kept` (or another number), and how many more there
/// were. Warnings are kept apart; a document with nothing else is accepted. Called on: any thread,
/// one at a time.
class problem_list {
  public:
    static constexpr std::size_t max_kept = 20;

    problem_list() = default;
    explicit problem_list(std::size_t most) : most_(most) {}

    void add(problem p) {
        if (kept_.size() < most_)
            kept_.push_back(std::move(p));
        else
            ++dropped_;
    }

    void warn(problem p) {
        if (warnings_.size() < max_kept) warnings_.push_back(std::move(p));
    }

    [[nodiscard]] bool empty() const noexcept { return kept_.empty(); }
    [[nodiscard]] const std::vector<problem>& warnings() const noexcept { return warnings_; }
    [[nodiscard]] const std::vector<problem>& all() const noexcept { return kept_; }
    [[nodiscard]] std::size_t dropped() const noexcept { return dropped_; }

    /// One line per finding, and one for those that were dropped.
    [[nodiscard]] std::vector<std::string> lines(const std::string& file) const;

    /// The first finding as an error; `file` may be empty.
    [[nodiscard]] error first(const std::string& file) const;

  private:
    std::vector<problem> kept_;
    std::vector<problem> warnings_;
    std::size_t most_ = max_kept;
    std::size_t dropped_ = 0;
};

}  // namespace fulmar::admin
