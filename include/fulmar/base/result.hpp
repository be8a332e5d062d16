// The control plane's result type. The data path does not use it: there an nvme::status says
// everything.
#pragma once

#include <tl/expected.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace fulmar {

/// What kind of thing went wrong; the REST layer maps it to an HTTP status.
enum class errc : std::uint8_t {
    invalid_argument,    ///< the request is malformed or out of bounds (400 / 422)
    not_found,           ///< the named object does not exist (404)
    already_exists,      ///< the name, id or address is taken (409)
    conflict,            ///< another object holds the resource, or a precondition failed (409)
    bad_state,           ///< the object is in a state where this is impossible (409)
    limit_reached,       ///< a configured or built-in bound (507)
    not_supported,       ///< this build, kernel or device cannot do it (501)
    unavailable,         ///< temporarily impossible, try again (503)
    timed_out,           ///< the deadline passed (504)
    quiesce_incomplete,  ///< the quiesce was promised, but writes are still at the backend (504)
    io_error,            ///< the operating system reported an I/O error (500)
    no_memory,           ///< memory, descriptors or buffers are exhausted (507)
    permission_denied,   ///< the operating system or a role forbids it (403)
    internal,            ///< our own mistake, contained (500)
};

/// The stable spelling of `code` used in REST problem documents and logs.
std::string_view to_string(errc code) noexcept;

/// An error for people: what went wrong, where, and what to do about it.
struct error {
    errc code = errc::internal;
    std::string message;      ///< a sentence: what happened
    std::string where = {};   ///< a JSON pointer, file name, or object name; may be empty
    std::string remedy = {};  ///< what the reader can do; may be empty

    /// "where: message (remedy)", for logs and command lines.
    [[nodiscard]] std::string text() const;
};

template <typename T>
using result = tl::expected<T, error>;

/// Shorthand for returning an error.
inline tl::unexpected<error> fail(errc code, std::string message, std::string where = {},
                                  std::string remedy = {}) {
    return tl::unexpected<error>(
        error{code, std::move(message), std::move(where), std::move(remedy)});
}

/// fail() with the text of `errno_value` appended: "cannot open X: No such file or directory".
tl::unexpected<error> fail_errno(std::string what, int errno_value, std::string where = {},
                                 std::string remedy = {});

}  // namespace fulmar

#define FULMAR_CONCAT_(a, b) a##b
#define FULMAR_CONCAT(a, b)  FULMAR_CONCAT_(a, b)
/// `FULMAR_TRY(auto x, f());` returns f()'s error from the enclosing function, or defines x.
#define FULMAR_TRY(declaration, expression) \
    FULMAR_TRY_(declaration, expression, FULMAR_CONCAT(try_, __LINE__))
#define FULMAR_TRY_(declaration, expression, temporary)                  \
    auto temporary = (expression);                                       \
    if (!temporary) return tl::unexpected(std::move(temporary).error()); \
    declaration = std::move(temporary).value()
/// `FULMAR_CHECK(f());` returns f()'s error, for result<void>.
#define FULMAR_CHECK(expression)                                                     \
    do {                                                                             \
        auto check_result_ = (expression);                                           \
        if (!check_result_) return tl::unexpected(std::move(check_result_).error()); \
    } while (false)
