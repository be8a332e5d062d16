#include "claims.hpp"

#include <fmt/format.h>

#include <map>

namespace fulmar::backend {

namespace {

using holders = std::map<std::string, std::string>;  // claim → device

holders& claims() {
    static holders all;
    return all;
}

}  // namespace

result<void> claim_file(const std::string& claim, const std::string& device,
                        const std::string& path) {
    const auto [at, inserted] = claims().emplace(claim, device);
    if (inserted) return {};
    return fail(errc::conflict, fmt::format("{} already backs device {}", path, at->second),
                "/path", "one file or block device backs one device");
}

void release_file(const std::string& claim) noexcept { claims().erase(claim); }

}  // namespace fulmar::backend
