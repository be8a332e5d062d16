#include "private_file.hpp"

#include <fulmar/base/unique_fd.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace fulmar::admin {

namespace {

/// Of the descriptor, so that what was looked at is what is read.
result<void> check_private(int fd, const std::string& path, const std::string& what) {
    struct stat about {};
    if (::fstat(fd, &about) != 0)
        return fail_errno(fmt::format("cannot read the {}", what), errno, path);
    if (!S_ISREG(about.st_mode) || (about.st_mode & 077) != 0)
        return fail(errc::permission_denied,
                    fmt::format("others than its owner could use the {}", what), path,
                    fmt::format("chmod 600 {}", path));
    if (about.st_uid != ::geteuid() && about.st_uid != 0)
        return fail(errc::permission_denied, fmt::format("the {} belongs to somebody else", what),
                    path, "it must belong to root or to the user that fulmard runs as");
    return {};
}

}  // namespace

result<std::string> read_private_file(const std::string& path, const std::string& what,
                                      std::size_t most) {
    const unique_fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
    if (!file) return fail_errno(fmt::format("cannot open the {}", what), errno, path);
    FULMAR_CHECK(check_private(file.get(), path, what));
    std::string text(most + 1, '\0');
    std::size_t filled = 0;
    for (;;) {
        const ssize_t got = ::read(file.get(), text.data() + filled, text.size() - filled);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno(fmt::format("cannot read the {}", what), errno, path);
        filled += static_cast<std::size_t>(got);
        if (got == 0) break;
        if (filled > most)
            return fail(errc::invalid_argument,
                        fmt::format("the {} is larger than {} bytes", what, most), path);
    }
    text.resize(filled);
    return text;
}

}  // namespace fulmar::admin
