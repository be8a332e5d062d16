// The namespaces of a subsystem as one host sees them: for whatever is told to a host. Any thread
// that may read both.
#pragma once

#include <fulmar/core/description.hpp>
#include <fulmar/core/hidden_namespaces.hpp>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace fulmar::core {

/// Two references; cheap to copy. Called on: any thread that may read both.
class seen_namespaces {
  public:
    /// All of them.
    seen_namespaces(const subsystem_description& of) noexcept : of_(&of) {}
    seen_namespaces(const subsystem_description& of, const hidden_namespaces& hidden) noexcept
        : of_(&of), hidden_(hidden.any() ? &hidden : nullptr) {}

    [[nodiscard]] const subsystem_description& subsystem() const noexcept { return *of_; }
    [[nodiscard]] bool has(const namespace_description& one) const noexcept {
        return hidden_ == nullptr || !hidden_->has(one.number().value());
    }
    [[nodiscard]] const namespace_description* find(nsid number) const noexcept {
        const namespace_description* const found = of_->find(number);
        return found != nullptr && has(*found) ? found : nullptr;
    }
    [[nodiscard]] std::size_t count() const noexcept {
        const auto& all = of_->namespaces;
        if (hidden_ == nullptr) return all.size();
        return static_cast<std::size_t>(
            std::count_if(all.begin(), all.end(), [this](const auto& one) { return has(one); }));
    }
    /// In the order of their NSIDs, from the `skip`th of them on, as long as `visit` says true.
    template <typename Visit>
    void for_each(Visit visit, std::size_t skip = 0) const {
        const auto& all = of_->namespaces;
        std::size_t at = 0;
        if (hidden_ == nullptr) at = std::exchange(skip, 0);
        for (; at < all.size(); ++at) {
            if (!has(all[at])) continue;
            if (skip != 0)
                --skip;
            else if (!visit(all[at]))
                return;
        }
    }

  private:
    const subsystem_description* of_;
    const hidden_namespaces* hidden_ = nullptr;
};

}  // namespace fulmar::core
