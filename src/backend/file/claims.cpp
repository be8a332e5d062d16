#include "claims.hpp"

#include <fmt/format.h>

#include <map>
#include <memory>
#include <mutex>

namespace fulmar::backend {

namespace {

struct claim_table {
    std::mutex lock;
    std::map<std::string, std::string> holders;  // claim → device
};

// Never destroyed: a file that hangs gives its claim back when it likes.
claim_table& claims() {
    static claim_table* const all = std::make_unique<claim_table>().release();
    return *all;
}

}  // namespace

result<void> claim_file(const std::string& claim, const std::string& device,
                        const std::string& path) {
    claim_table& all = claims();
    const std::lock_guard guard(all.lock);
    const auto [at, inserted] = all.holders.emplace(claim, device);
    if (inserted) return {};
    return fail(errc::conflict, fmt::format("{} already backs device {}", path, at->second),
                "/path", "one file or block device backs one device");
}

void release_file(const std::string& claim) noexcept {
    claim_table& all = claims();
    const std::lock_guard guard(all.lock);
    all.holders.erase(claim);
}

}  // namespace fulmar::backend
