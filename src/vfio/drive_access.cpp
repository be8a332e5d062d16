// How whoever brings a drive up waits for it.
#include <fulmar/vfio/drive_access.hpp>

#include <poll.h>
#include <unistd.h>

#include <array>

namespace fulmar::vfio {

bool drive_access::removal_wanted() const noexcept {
    pollfd fd{.fd = removal_fd(), .events = POLLIN, .revents = 0};
    return fd.fd >= 0 && ::poll(&fd, 1, 0) > 0 && (fd.revents & POLLIN) != 0;
}

void drive_access::wait(duration limit) noexcept {
    std::array<pollfd, 2> fds{{{.fd = interrupt_fd(0), .events = POLLIN, .revents = 0},
                               {.fd = removal_fd(), .events = POLLIN, .revents = 0}}};
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(limit).count();
    if (::poll(fds.data(), fds.size(), static_cast<int>(ms)) <= 0) return;
    if ((fds[0].revents & POLLIN) == 0) return;
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = ::read(fds[0].fd, &count, sizeof count);
}

}  // namespace fulmar::vfio
