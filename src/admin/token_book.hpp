// The named tokens: their file, and whose token it is that somebody presents. A token is 256 random
// bits that are shown once; what is kept is a salted digest, which is enough for what nobody can
// guess. Plain values; one thread. Must never: hold, show or log a token.
#pragma once

#include <fulmar/admin/problem.hpp>
#include <fulmar/admin/role.hpp>
#include <fulmar/base/result.hpp>

#include <tl/expected.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fulmar::admin {

struct token_record {
    std::string name;
    role grants = role::viewer;
    std::string salt;            ///< hexadecimal
    std::string digest;          ///< likewise: SHA-256 of salt and token
    std::int64_t created_s = 0;  ///< of the wall clock; 0: not known
    std::int64_t expires_s = 0;  ///< likewise; 0: never
};

class token_book {
  public:
    /// Reads the file's text. Problems are told with their lines.
    static tl::expected<token_book, problem_list> parse(std::string_view text);
    /// The file's text.
    [[nodiscard]] std::string text() const;

    /// Makes a token, and returns it: nobody can ask for it again. `expires_s` as in the record.
    /// Errors: invalid_argument (the name); already_exists; limit_reached; internal (no entropy).
    result<std::string> create(const std::string& name, role grants, std::int64_t now_s,
                               std::int64_t expires_s);
    /// Another token under the same name; the former one ends.  Errors: not_found; internal.
    result<std::string> rotate(const std::string& name, std::int64_t now_s);
    /// Errors: not_found.
    result<void> revoke(const std::string& name);

    /// Whose token it is; null when nobody's, or when it has expired. Takes as long for each.
    [[nodiscard]] const token_record* find(std::string_view token, std::int64_t now_s) const;

    [[nodiscard]] const std::vector<token_record>& all() const noexcept { return all_; }

  private:
    [[nodiscard]] std::vector<token_record>::iterator place_of(const std::string& name);
    std::vector<token_record> all_;
};

/// What every token of a token_book begins with.
inline constexpr std::string_view token_mark = "fulmar_";
/// What a token has of random numbers, written as hexadecimal digits behind the mark.
inline constexpr std::size_t token_bytes = 32;

/// "2026-11-30T20:00:00Z".
std::string utc_text(std::int64_t seconds);
/// Nothing when `text` is not of that form.
std::optional<std::int64_t> parse_utc(std::string_view text);

}  // namespace fulmar::admin
