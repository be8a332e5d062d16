#include <fulmar/base/descriptors.hpp>
#include <fulmar/base/limits.hpp>

#include <sys/resource.h>

#include <algorithm>

namespace fulmar::descriptors {

std::uint64_t raise_limit() noexcept {
    rlimit now{};
    if (::getrlimit(RLIMIT_NOFILE, &now) != 0) return 0;
    if (now.rlim_cur < now.rlim_max) {
        rlimit more = now;
        more.rlim_cur = more.rlim_max;
        if (::setrlimit(RLIMIT_NOFILE, &more) == 0) return more.rlim_cur;
    }
    return now.rlim_cur;
}

bool is_for_peers(int fd) noexcept {
    rlimit now{};
    if (fd < 0 || ::getrlimit(RLIMIT_NOFILE, &now) != 0) return true;
    const std::uint64_t limit = now.rlim_cur;
    const std::uint64_t reserve =
        std::min<std::uint64_t>(limits::descriptors_in_reserve, limit / 2);
    return static_cast<std::uint64_t>(fd) < limit - reserve;
}

}  // namespace fulmar::descriptors
