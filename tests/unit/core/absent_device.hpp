// A device that is lost and comes back on command, and keeps operations until it is told.
#pragma once

#include <fulmar/backend/device.hpp>
#include <fulmar/nvme/status.hpp>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace fulmar::core::test {

class absent_device final : public backend::device {
  public:
    const char* type() const noexcept override { return "absent"; }
    backend::geometry geometry() const noexcept override {
        return {.block_count = 2048, .volatile_write_cache = cached};
    }
    const backend::device_identity& identity() const noexcept override { return identity_; }
    backend::device_state state() const noexcept override {
        return lost_ ? backend::device_state::lost : backend::device_state::ready;
    }
    result<std::unique_ptr<backend::io_channel>> open_channel(engine::reactor&) override {
        return std::make_unique<channel>(*this);
    }
    result<void> resize(std::uint64_t, backend::shrinking) override { return {}; }
    void set_listener(backend::device_listener* listener) noexcept override {
        listener_ = listener;
    }

    bool lost_data() const noexcept override { return lost_ && lost_data_; }
    result<void> reopen() override {
        lost_ = false;
        lost_data_ = false;
        return {};
    }

    /// From now on a loss takes acknowledged writes with it.
    void owe(bool on) { lost_data_ = on; }
    /// As a drive does whose cache is gone; true: it serves.
    bool come_back_without_data() {
        lost_data_ = true;
        if (!listener_->on_device_back_without_data(*this, "its cache is gone")) return false;
        lost_data_ = false;
        come_back();
        return true;
    }
    void keep(bool on) { keeping_ = on; }
    /// Kept, of that kind; the others stay.
    void answer_kept(backend::io_kind kind, nvme::status with) {
        auto all = std::exchange(kept_, {});
        for (backend::io_op* op : all)
            if (op->kind == kind)
                op->done(*op, with);
            else
                kept_.push_back(op);
    }
    bool cached = false;  ///< it has a volatile write cache
    std::vector<backend::io_kind> came;
    [[nodiscard]] std::size_t kept() const { return kept_.size(); }
    void go(bool tell = true) {
        lost_ = true;
        if (tell && listener_ != nullptr) listener_->on_device_lost(*this, "it went");
    }
    void answer_kept(nvme::status with) {
        auto all = std::move(kept_);
        kept_.clear();
        for (backend::io_op* op : all) op->done(*op, with);
    }
    void come_back() {
        lost_ = false;
        keeping_ = false;
        if (listener_ != nullptr) listener_->on_device_returned(*this);
    }

  private:
    struct channel final : backend::io_channel {
        explicit channel(absent_device& d) : owner(d) {}
        void submit(backend::io_op& op) noexcept override {
            owner.came.push_back(op.kind);
            if (owner.lost_) return op.done(op, backend::device_gone);
            if (owner.keeping_) return owner.kept_.push_back(&op);
            op.done(op, nvme::sc::success);
        }
        std::uint32_t outstanding() const noexcept override {
            return static_cast<std::uint32_t>(owner.kept_.size());
        }
        absent_device& owner;
    };
    backend::device_identity identity_;
    backend::device_listener* listener_ = nullptr;
    std::vector<backend::io_op*> kept_;
    bool lost_ = false;
    bool keeping_ = false;
    bool lost_data_ = false;
};

}  // namespace fulmar::core::test
