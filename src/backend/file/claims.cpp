#include "claims.hpp"

#include <fmt/format.h>

#include <map>
#include <mutex>

namespace fulmar::backend {

namespace {

struct table {
    std::mutex mutex;
    std::map<std::string, std::string> holder;
};

table& claims() {
    static table t;
    return t;
}

}  // namespace

result<void> claim_file(const std::string& claim, const std::string& device, const std::string& path) {
    const std::scoped_lock lock(claims().mutex);
    const auto [at, inserted] = claims().holder.emplace(claim, device);
    if (inserted) return {};
    return fail(errc::conflict, fmt::format("{} already backs device {}", path, at->second), "/path",
                "one file or block device backs one device");
}

void release_file(const std::string& claim) noexcept {
    const std::scoped_lock lock(claims().mutex);
    claims().holder.erase(claim);
}

}  // namespace fulmar::backend
