#include "numeric_address.hpp"

#include <arpa/inet.h>
#include <net/if.h>

#include <algorithm>
#include <array>

namespace fulmar::admin {

namespace {

bool is_link_local(const std::array<unsigned char, sizeof(in6_addr)>& raw) noexcept {
    return raw[0] == 0xfe && (raw[1] & 0xc0u) == 0x80u;
}

/// "fe80::1%eth0": an address that means something on one network only.
std::optional<std::string> canonical_scoped(const std::string& text, std::size_t mark) {
    std::array<unsigned char, sizeof(in6_addr)> raw{};
    std::array<char, INET6_ADDRSTRLEN> out{};
    const std::string scope = text.substr(mark + 1);
    const bool named = !scope.empty() && scope.size() < IF_NAMESIZE &&
                       std::all_of(scope.begin(), scope.end(), [](char c) {
                           return c > ' ' && c <= '~' && c != '/' && c != '%' && c != ']';
                       });
    if (!named || ::inet_pton(AF_INET6, text.substr(0, mark).c_str(), raw.data()) != 1 ||
        !is_link_local(raw) || ::inet_ntop(AF_INET6, raw.data(), out.data(), out.size()) == nullptr)
        return std::nullopt;
    return std::string(out.data()) + "%" + scope;
}

}  // namespace

std::optional<std::string> canonical_address(const std::string& text) {
    if (const std::size_t mark = text.find('%'); mark != std::string::npos)
        return canonical_scoped(text, mark);
    std::array<unsigned char, sizeof(in6_addr)> raw{};
    std::array<char, INET6_ADDRSTRLEN> out{};
    for (const int family : {AF_INET, AF_INET6})
        if (::inet_pton(family, text.c_str(), raw.data()) == 1 &&
            ::inet_ntop(family, raw.data(), out.data(), out.size()) != nullptr)
            return std::string(out.data());
    return std::nullopt;
}

bool is_loopback_address(const std::string& text) {
    in_addr four{};
    if (::inet_pton(AF_INET, text.c_str(), &four) == 1) return (ntohl(four.s_addr) >> 24) == 127;
    in6_addr six{};
    return ::inet_pton(AF_INET6, text.c_str(), &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

}  // namespace fulmar::admin
