// A place in memory where what hosts have made of namespaces is kept, also over several targets,
// one after the other.
#pragma once

#include <fulmar/core/namespace_memory.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/reactor.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace fulmar::test {

/// Called on: the control reactor of the target that has it now.
class remembered_namespaces final : public core::namespace_memory {
  public:
    /// Of the target that comes now.
    void answer_on(engine::reactor& control) noexcept { control_ = &control; }

    result<std::optional<core::kept_namespace>> recall(const nvme::uuid& of) const override {
        const auto at = known.find(of);
        if (at == known.end()) return std::optional<core::kept_namespace>();
        return std::optional(at->second);
    }
    void record(const nvme::uuid& of, const core::kept_namespace& what, waiter* w) override {
        known[of] = what;
        if (w == nullptr) return;
        waiting_.push_back(w);
        if (!std::exchange(posted_, true)) control_->post(tell_);  // never inside the call
    }
    void forget(const nvme::uuid& of) noexcept override { known.erase(of); }
    void withdraw(waiter& w) noexcept override { std::erase(waiting_, &w); }

    std::map<nvme::uuid, core::kept_namespace> known;

  private:
    void tell() noexcept {
        posted_ = false;
        while (!waiting_.empty()) {
            waiter* const first = waiting_.front();
            waiting_.erase(waiting_.begin());
            first->on_recorded({});
        }
    }

    engine::reactor* control_ = nullptr;
    std::vector<waiter*> waiting_;
    bool posted_ = false;
    engine::member_message<&remembered_namespaces::tell> tell_{*this};
};

}  // namespace fulmar::test
