#include <fulmar/base/result.hpp>

#include <fmt/format.h>

#include <system_error>

namespace fulmar {

std::string_view to_string(errc code) noexcept {
    switch (code) {
        case errc::invalid_argument: return "invalid-argument";
        case errc::not_found: return "not-found";
        case errc::already_exists: return "already-exists";
        case errc::conflict: return "conflict";
        case errc::bad_state: return "bad-state";
        case errc::limit_reached: return "limit-reached";
        case errc::not_supported: return "not-supported";
        case errc::unavailable: return "unavailable";
        case errc::timed_out: return "timed-out";
        case errc::quiesce_incomplete: return "quiesce-incomplete";
        case errc::io_error: return "io-error";
        case errc::no_memory: return "no-memory";
        case errc::permission_denied: return "permission-denied";
        case errc::internal: return "internal";
    }
    return "internal";
}

std::string error::text() const {
    std::string out;
    if (!where.empty()) out = where + ": ";
    out += message;
    if (!remedy.empty()) out += fmt::format(" ({})", remedy);
    return out;
}

namespace {

errc from_errno(int errno_value) noexcept {
    switch (errno_value) {
        case ENOENT:
        case ENODEV:
        case ENXIO: return errc::not_found;
        case EEXIST:
        case EADDRINUSE: return errc::already_exists;
        case EACCES:
        case EROFS:
        case EPERM: return errc::permission_denied;
        case ENOMEM:
        case EMFILE:
        case ENFILE:
        case ENOSPC: return errc::no_memory;
        case EINVAL:
        case EFBIG:
        case EAFNOSUPPORT: return errc::invalid_argument;
        case ENOSYS:
        case EOPNOTSUPP: return errc::not_supported;
        case ETIMEDOUT: return errc::timed_out;
        case EAGAIN:
        case EADDRNOTAVAIL:  // it may come: an interface that is not up yet
        case EBUSY: return errc::unavailable;
        default: return errc::io_error;
    }
}

}  // namespace

tl::unexpected<error> fail_errno(std::string what, int errno_value, std::string where,
                                 std::string remedy) {
    what += ": ";
    what += std::generic_category().message(errno_value);
    return fail(from_errno(errno_value), std::move(what), std::move(where), std::move(remedy));
}

}  // namespace fulmar
