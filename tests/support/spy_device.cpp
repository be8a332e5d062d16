#include "spy_device.hpp"

#include <fulmar/backend/ram_device.hpp>
#include <fulmar/engine/reactor.hpp>

#include <algorithm>

namespace fulmar::testing {

class spy_device final : public backend::device {
  public:
    spy_device(spy& owner, std::unique_ptr<backend::device> memory)
        : owner_(owner), memory_(std::move(memory)) {}
    ~spy_device() override {
        const std::lock_guard lock(owner_.mutex_);
        if (owner_.device_ == this) owner_.device_ = nullptr;
    }

    const char* type() const noexcept override { return "spy"; }
    backend::geometry geometry() const noexcept override {
        backend::geometry g = memory_->geometry();
        g.volatile_write_cache = true;
        return g;
    }
    const backend::device_identity& identity() const noexcept override {
        return memory_->identity();
    }
    backend::device_state state() const noexcept override {
        return lost_ ? backend::device_state::lost : backend::device_state::ready;
    }
    result<std::unique_ptr<backend::io_channel>> open_channel(engine::reactor& r) override;
    result<void> resize(std::uint64_t new_block_count, backend::shrinking smaller) override {
        return memory_->resize(new_block_count, smaller);
    }
    result<void> reopen() override {
        lost_ = false;
        return {};
    }
    void set_listener(backend::device_listener* listener) noexcept override {
        listener_ = listener;
        memory_->set_listener(listener);
    }
    void lose(const std::string& reason) {
        lost_ = true;
        if (listener_ != nullptr) listener_->on_device_lost(*this, reason);
    }

    spy& owner_;
    std::unique_ptr<backend::device> memory_;
    backend::device_listener* listener_ = nullptr;
    bool lost_ = false;
};

/// Polls while anything is held, since nothing else would wake it.
class spy_channel final : public backend::io_channel, private engine::poller {
  public:
    spy_channel(spy& owner, engine::reactor& r, std::unique_ptr<backend::io_channel> memory)
        : owner_(owner), reactor_(r), memory_(std::move(memory)) {
        reactor_.add(*this, engine::stage::reap);
    }
    ~spy_channel() override { reactor_.remove(*this, engine::stage::reap); }

    void submit(backend::io_op& op) noexcept override {
        std::optional<nvme::status> told;
        {
            const std::lock_guard lock(owner_.mutex_);
            owner_.seen_.push_back({.kind = op.kind,
                                    .fua = op.fua,
                                    .first_block = op.first_block,
                                    .block_count = op.block_count,
                                    .ranges = {op.ranges.begin(), op.ranges.end()}});
            for (const auto& [kind, with] : owner_.answers_)
                if (kind == op.kind) told = with;
            if (owner_.holding_) {
                op.cookie = 0;
                held_.push_back(&op);
                ++owner_.held_;
                return;
            }
        }
        if (told) return op.done(op, *told);
        memory_->submit(op);
    }
    void abort(backend::io_op& op) noexcept override { op.cookie = 1; }
    std::optional<backend::device_health> health() const noexcept override {
        const std::lock_guard lock(owner_.mutex_);
        return owner_.health_;
    }
    std::uint32_t outstanding() const noexcept override {
        return static_cast<std::uint32_t>(held_.size());
    }

  private:
    // Lets go of what was aborted, and of everything when nothing is to be held.
    bool poll() noexcept override {
        if (held_.empty()) return false;
        std::vector<backend::io_op*> gone;
        {
            const std::lock_guard lock(owner_.mutex_);
            const auto stays = [this](const backend::io_op* op) {
                return owner_.holding_ && (owner_.deaf_ || op->cookie == 0);
            };
            const auto end = std::stable_partition(held_.begin(), held_.end(), stays);
            gone.assign(end, held_.end());
            held_.erase(end, held_.end());
            owner_.held_ -= gone.size();
        }
        for (backend::io_op* op : gone) {
            if (op->cookie == 1)
                op->done(*op, nvme::sc::aborted_by_request);
            else
                memory_->submit(*op);
        }
        return !gone.empty();
    }
    bool has_work() noexcept override { return !held_.empty(); }
    bool try_sleep() noexcept override { return held_.empty(); }

    spy& owner_;
    engine::reactor& reactor_;
    std::unique_ptr<backend::io_channel> memory_;
    std::vector<backend::io_op*> held_;
};

result<std::unique_ptr<backend::io_channel>> spy_device::open_channel(engine::reactor& r) {
    FULMAR_TRY(auto inner, memory_->open_channel(r));
    return std::make_unique<spy_channel>(owner_, r, std::move(inner));
}

std::vector<spied_op> spy::take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(seen_, {});
}

void spy::answer(backend::io_kind kind, std::optional<nvme::status> with) {
    const std::lock_guard lock(mutex_);
    std::erase_if(answers_, [kind](const auto& a) { return a.first == kind; });
    if (with) answers_.emplace_back(kind, *with);
}

void spy::ail(std::optional<backend::device_health> how) {
    const std::lock_guard lock(mutex_);
    health_ = how;
}

void spy::hold(bool on, bool deaf) {
    const std::lock_guard lock(mutex_);
    holding_ = on;
    deaf_ = deaf;
}

std::size_t spy::held() const {
    const std::lock_guard lock(mutex_);
    return held_;
}

void spy::lose(const std::string& reason) {
    if (device_ != nullptr) device_->lose(reason);
}

device_factory spy::factory() {
    return [this](const core::device_spec& spec) -> result<std::unique_ptr<backend::device>> {
        if (spec.type != "spy") return make_test_device(spec);
        FULMAR_TRY(auto memory, backend::make_ram_device({.size_bytes = spec.size_bytes,
                                                          .block_bytes = spec.block_bytes}));
        auto made = std::make_unique<spy_device>(*this, std::move(memory));
        const std::lock_guard lock(mutex_);
        device_ = made.get();
        return made;
    };
}

}  // namespace fulmar::testing
