// Reads the members of one JSON object into typed values, and reports whatever does not fit: wrong
// types, bounds, and at the end every member that nobody asked for. One reader per object; pure.
// Must never: throw, or stop at the first problem.
#pragma once

#include "json_tree.hpp"

#include <fulmar/admin/problem.hpp>

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fulmar::admin {

/// A value with its place in the document.
struct json_place {
    const json_node* node = nullptr;
    std::string pointer;

    [[nodiscard]] json_place item(std::size_t index) const;
};

class object_reader {
  public:
    /// A place that holds no object is reported here, and every read then finds nothing.
    object_reader(json_place where, problem_list& problems);

    /// Reports members that no read has asked for. To be called once, last.
    void finish();

    /// Each read returns true when the member is there and fits; otherwise `into` is untouched.
    bool read(std::string_view key, bool& into);
    bool read(std::string_view key, std::string& into);
    template <typename Integer>
    bool read(std::string_view key, Integer& into, std::uint64_t least = 0,
              std::uint64_t most = std::numeric_limits<Integer>::max()) {
        std::uint64_t wide = 0;
        if (!read_natural(key, wide, least, most)) return false;
        into = static_cast<Integer>(wide);
        return true;
    }
    /// Bytes: an integer, or text like "256MiB".
    bool read_size(std::string_view key, std::uint64_t& into, std::uint64_t least,
                   std::uint64_t most);
    /// One of `words`; the index of it.
    bool read_word(std::string_view key, std::size_t& into,
                   std::span<const std::string_view> words);
    bool read_words(std::string_view key, std::vector<std::string>& into, std::size_t most);

    /// The member as it is, for a reader of its own; `node` is null when it is absent (or null).
    json_place member(std::string_view key);
    /// The items of an array member; empty when it is absent or no array (reported).
    std::vector<json_place> items(std::string_view key, std::size_t most);

    [[nodiscard]] bool has(std::string_view key) const;
    /// Reports that `key` is missing, unless it is there.
    bool require(std::string_view key, std::string_view remedy);
    /// Reports a problem of member `key`, or of the object itself when `key` is empty or absent.
    void complain(std::string_view key, std::string message, std::string remedy = {});

    [[nodiscard]] const std::string& pointer() const noexcept { return where_.pointer; }
    [[nodiscard]] problem_list& problems() noexcept { return problems_; }

  private:
    const json_node* want(std::string_view key, json_kind kind);
    bool read_natural(std::string_view key, std::uint64_t& into, std::uint64_t least,
                      std::uint64_t most);
    [[nodiscard]] std::string pointer_of(std::string_view key) const;

    json_place where_;
    problem_list& problems_;
    std::vector<std::string_view> known_;
};

}  // namespace fulmar::admin
