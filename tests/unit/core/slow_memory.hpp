// A place where what hosts have made of namespaces is kept, and that answers late, never or badly.
#pragma once

#include <fulmar/core/namespace_memory.hpp>

#include <cstddef>
#include <map>
#include <optional>
#include <utility>

namespace fulmar::core::test {

/// Keeps records, and tells of them when the test says so.
class slow_memory final : public namespace_memory {
  public:
    result<std::optional<kept_namespace>> recall(const nvme::uuid& of) const override {
        if (damaged) return fail(errc::io_error, "bytes that mean nothing");
        const auto at = known.find(of);
        if (at == known.end()) return std::optional<kept_namespace>();
        return std::optional(at->second);
    }
    void record(const nvme::uuid& of, const kept_namespace& what, waiter* w) override {
        ++asked;
        if (!fails) known[of] = what;
        if (w == nullptr) return;
        waiting = w;
        if (!holds) tell();
    }
    void forget(const nvme::uuid& of) noexcept override { known.erase(of); }
    void withdraw(waiter& w) noexcept override {
        if (waiting == &w) waiting = nullptr;
    }
    /// Not inside record(): a real one never answers there.
    void tell() { tells = true; }
    void turn() {
        if (!std::exchange(tells, false) || waiting == nullptr) return;
        waiter* const w = std::exchange(waiting, nullptr);
        w->on_recorded(fails ? result<void>(fail(errc::io_error, "no space left"))
                             : result<void>{});
    }

    std::map<nvme::uuid, kept_namespace> known;
    waiter* waiting = nullptr;
    std::size_t asked = 0;
    bool holds = false;
    bool fails = false;
    bool tells = false;
    bool damaged = false;
};

}  // namespace fulmar::core::test
