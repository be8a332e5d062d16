// A network namespace of the calling thread's own, for what needs addresses that come and go. Child
// processes that the thread starts meanwhile live in it, too. Needs root.
#pragma once

#include <fulmar/base/unique_fd.hpp>

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstring>

namespace fulmar::test {

class private_network {
  public:
    private_network()
        : before_(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)),
          entered_(before_ && ::unshare(CLONE_NEWNET) == 0) {
        if (entered_) raise("lo");
    }
    ~private_network() {
        if (entered_) ::setns(before_.get(), CLONE_NEWNET);
    }
    private_network(const private_network&) = delete;
    private_network& operator=(const private_network&) = delete;

    /// False: this process may not have one.
    [[nodiscard]] bool entered() const noexcept { return entered_; }

    /// Gives the loopback interface one more IPv4 address.
    bool add_address(const char* address) {
        ifreq request = named("lo:1");
        auto* at = reinterpret_cast<sockaddr_in*>(&request.ifr_addr);
        at->sin_family = AF_INET;
        return ::inet_pton(AF_INET, address, &at->sin_addr) == 1 && ask(SIOCSIFADDR, request) &&
               raise("lo:1");
    }

    /// Gives the loopback interface fe80::`last`, which is an address there only: "fe80::1%lo".
    bool add_link_local(std::uint8_t last) {
        in6_ifreq request{};
        request.ifr6_addr.s6_addr[0] = 0xfe;
        request.ifr6_addr.s6_addr[1] = 0x80;
        request.ifr6_addr.s6_addr[15] = last;
        request.ifr6_prefixlen = 64;
        request.ifr6_ifindex = static_cast<int>(::if_nametoindex("lo"));
        const unique_fd fd(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        return ::ioctl(fd.get(), SIOCSIFADDR, &request) == 0;
    }

  private:
    /// As <linux/ipv6.h> has it, which cannot be included beside <netinet/in.h>.
    struct in6_ifreq {
        in6_addr ifr6_addr;
        std::uint32_t ifr6_prefixlen;
        int ifr6_ifindex;
    };

    static ifreq named(const char* name) {
        ifreq request{};
        std::strncpy(request.ifr_name, name, sizeof request.ifr_name - 1);
        return request;
    }
    static bool ask(unsigned long what, ifreq& request) {
        const unique_fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        return ::ioctl(fd.get(), what, &request) == 0;
    }
    static bool raise(const char* name) {
        ifreq request = named(name);
        if (!ask(SIOCGIFFLAGS, request)) return false;
        request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
        return ask(SIOCSIFFLAGS, request);
    }

    unique_fd before_;
    bool entered_;
};

}  // namespace fulmar::test
