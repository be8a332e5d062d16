#include "claims.hpp"

#include <fmt/format.h>

#include <map>
#include <memory>
#include <mutex>

namespace fulmar::backend {

namespace {

struct claim_table {
    std::mutex lock;
    struct holder {
        std::string device;
        std::set<std::string> below;
    };
    std::map<std::string, holder> holders;  // by claim
};

// Never destroyed: a file that hangs gives its claim back when it likes.
claim_table& claims() {
    static claim_table* const all = std::make_unique<claim_table>().release();
    return *all;
}

}  // namespace

result<void> claim_file(const std::string& claim, const std::set<std::string>& below,
                        const std::string& device, const std::string& path) {
    claim_table& all = claims();
    const std::lock_guard guard(all.lock);
    for (const auto& [theirs, holder] : all.holders) {
        if (theirs == claim)
            return fail(errc::conflict,
                        fmt::format("{} already backs device {}", path, holder.device), "/path",
                        "one file or block device backs one device");
        if (holder.below.contains(claim) || below.contains(theirs))
            return fail(errc::conflict,
                        fmt::format("{} and what device {} stands on are the same storage", path,
                                    holder.device),
                        "/path", "serve one of them");
    }
    all.holders.emplace(claim, claim_table::holder{device, below});
    return {};
}

void release_file(const std::string& claim) noexcept {
    claim_table& all = claims();
    const std::lock_guard guard(all.lock);
    all.holders.erase(claim);
}

}  // namespace fulmar::backend
