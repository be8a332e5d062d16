#include "exit.hpp"

#include <fmt/core.h>

#include <cstdio>

namespace fulmar::cli {

void leave(exit_code code) { throw CLI::RuntimeError(static_cast<int>(code)); }

void leave(const error& why) {
    fmt::print(stderr, "fulmar: {}\n", why.text());
    switch (why.code) {
        case errc::unavailable:
        case errc::timed_out:
        case errc::not_found: leave(exit_code::unavailable);
        case errc::invalid_argument: leave(exit_code::usage);
        case errc::already_exists:
        case errc::conflict:
        case errc::bad_state:
        case errc::limit_reached:
        case errc::not_supported:
        case errc::quiesce_incomplete:
        case errc::io_error:
        case errc::no_memory:
        case errc::permission_denied:
        case errc::internal: leave(exit_code::failed);
    }
    leave(exit_code::failed);
}

}  // namespace fulmar::cli
