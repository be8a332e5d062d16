#include "uevent.hpp"

#include <fulmar/base/log.hpp>
#include <fulmar/hotplug/monitor.hpp>

#include <linux/netlink.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace fulmar::hotplug {

namespace {
constexpr std::size_t message_bytes = 8192;
constexpr int receive_bytes = 1 << 20;  // a storm of events must fit
constexpr std::uint32_t kernel_group = 1;
constexpr int messages_per_turn = 256;
}  // namespace

result<std::unique_ptr<monitor>> monitor::listen(engine::reactor& control, listener& to) {
    unique_fd socket(
        ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT));
    if (!socket) return fail_errno("cannot listen to the kernel's device events", errno);
    // Without the privilege to force it, the system's bound holds.
    if (::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &receive_bytes,
                     sizeof receive_bytes) != 0)
        ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = kernel_group;
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return fail_errno("cannot listen to the kernel's device events", errno);
    std::unique_ptr<monitor> made(new monitor(control, to, std::move(socket)));
    FULMAR_CHECK(control.watch(made->watch_, made->socket_.get(), EPOLLIN));
    return made;
}

monitor::monitor(engine::reactor& control, listener& to, unique_fd socket)
    : control_(control), listener_(to), socket_(std::move(socket)) {}

monitor::~monitor() { control_.unwatch(watch_); }

void monitor::read_all() noexcept {
    std::array<char, message_bytes> buffer;
    for (int i = 0; i < messages_per_turn; ++i) {
        sockaddr_nl from{};
        socklen_t from_bytes = sizeof from;
        const ssize_t got = ::recvfrom(socket_.get(), buffer.data(), buffer.size(), 0,
                                       reinterpret_cast<sockaddr*>(&from), &from_bytes);
        if (got < 0) {
            if (errno == ENOBUFS) {  // the kernel dropped some; the socket goes on
                ++counters_.overruns;
                log::warn("device events of the kernel were lost; looking at every drive");
                listener_.on_overrun();
                continue;
            }
            if (errno == EINTR) continue;
            return;
        }
        on_message({buffer.data(), static_cast<std::size_t>(got)}, from.nl_pid == 0);
    }
}

void monitor::on_message(std::span<const char> message, bool from_kernel) noexcept {
    const auto event = parse_uevent(message);
    if (!from_kernel || !event) {
        ++counters_.refused;
        return;
    }
    if (event->subsystem != "pci") return;
    const auto where = vfio::parse_pci_address(event->pci_slot_name);
    if (!where) {
        ++counters_.refused;
        return;
    }
    ++counters_.messages;
    switch (event->action) {
        case uevent_action::add: return listener_.on_arrival(*where);
        case uevent_action::bind:
            if (event->driver == "vfio-pci") listener_.on_arrival(*where);
            return;
        case uevent_action::remove: return listener_.on_removal(*where);
        case uevent_action::unbind:
        case uevent_action::other: return;
    }
}

}  // namespace fulmar::hotplug
