// The device that core sees: a name and an image; its cluster comes and goes.
#include "block_size.hpp"
#include "channel.hpp"
#include "keeper.hpp"

#include <fulmar/backend/rbd_device.hpp>
#include <fulmar/backend/storage_watch.hpp>

#include <fmt/format.h>

#include <utility>

namespace fulmar::backend {

namespace {

class rbd_device final : public device, private rbd::keeper_listener {
  public:
    rbd_device(const rbd_options& options, const rbd_environment& environment)
        : watch_(environment.watch), keeper_(make_keeper(options, environment, *this)) {
        identity_.model = "Fulmar RBD";
        identity_.claim = fmt::format("rbd:{}:{}", options.conf, rbd::place_of(options));
    }
    ~rbd_device() override { keeper_.leave(); }
    rbd_device(const rbd_device&) = delete;
    rbd_device& operator=(const rbd_device&) = delete;

    const char* type() const noexcept override { return "rbd"; }
    backend::geometry geometry() const noexcept override {
        backend::geometry now = keeper_.geometry();
        now.block_count = keeper_.view().block_count.load(std::memory_order_acquire);
        return now;
    }
    const device_identity& identity() const noexcept override { return identity_; }
    device_state state() const noexcept override {
        return keeper_.ready() ? device_state::ready : device_state::lost;
    }
    std::string_view condition() const override {
        if (keeper_.ready()) return "ready";
        if (keeper_.refused()) return "refused";
        return keeper_.served() ? "lost" : "missing";
    }
    std::string trouble() const override {
        return keeper_.ready() ? std::string() : keeper_.trouble();
    }
    result<void> open(opening why) override;
    void prepare() override { keeper_.open_soon(); }
    result<std::unique_ptr<io_channel>> open_channel(engine::reactor& r) override {
        rbd::lane* const lane = keeper_.lane_of(r);
        if (lane == nullptr)
            return fail(errc::not_supported, "the device has no lane on this reactor");
        return std::make_unique<rbd::channel>(*lane, keeper_.view());
    }
    result<void> resize(std::uint64_t new_block_count, shrinking) override {
        if (new_block_count != 0 && new_block_count != geometry().block_count)
            return fail(errc::not_supported, "the size of an image is set in its cluster", {},
                        "`rbd resize` makes it larger, and hosts are told");
        keeper_.look_soon();
        return {};
    }
    result<void> reopen() override { return ask_again(false); }
    result<void> accept() override { return ask_again(true); }
    void set_listener(device_listener* listener) noexcept override { listener_ = listener; }

  private:
    // It deletes itself.
    static rbd::keeper& make_keeper(const rbd_options& options, const rbd_environment& environment,
                                    rbd::keeper_listener& listener) {
        return *std::make_unique<rbd::keeper>(options, environment, listener).release();
    }
    result<void> ask_again(bool other) {
        const std::string why = trouble();
        keeper_.reopen(other);
        if (why.empty()) return {};
        return fail(errc::unavailable, fmt::format("the cluster is being asked again ({})", why),
                    {}, "its namespace comes back by itself");
    }
    void on_image_lost(const std::string& reason) noexcept override {
        if (listener_ != nullptr) listener_->on_device_lost(*this, reason);
    }
    void on_image_ready() noexcept override {
        if (listener_ != nullptr) listener_->on_device_returned(*this);
    }
    void on_image_resized() noexcept override {
        if (listener_ != nullptr) listener_->on_device_resized(*this);
    }

    storage_watch* watch_;
    device_listener* listener_ = nullptr;
    device_identity identity_;
    rbd::keeper& keeper_;
};

// Those of a configuration together wait for no longer than one that hangs.
result<void> rbd_device::open(opening why) {
    if (why == opening::asked_for) return keeper_.open_now(limits::storage_patience);
    if (watch_ != nullptr && !watch_->may_wait()) {
        keeper_.open_soon();
        return {};
    }
    if (const auto met = keeper_.open_now(limits::storage_patience);
        !met && met.error().code == errc::timed_out && watch_ != nullptr)
        watch_->note_hang();
    return {};
}

}  // namespace

result<std::unique_ptr<device>> make_rbd_device(const rbd_options& options,
                                                const rbd_environment& environment) {
    if (environment.control == nullptr || environment.data.empty())
        return fail(errc::internal, "the environment of RBD devices is incomplete");
    if (options.pool.empty() || options.image.empty())
        return fail(errc::invalid_argument, "a device on an image needs its pool and its name",
                    options.pool.empty() ? "/pool" : "/image");
    FULMAR_CHECK(rbd::check_cpus(options.cpus));
    if (options.block_bytes != 0) FULMAR_CHECK(blocks_in(options.block_bytes, options.block_bytes));
    if (options.size_bytes != 0)
        FULMAR_CHECK(
            blocks_in(options.size_bytes, options.block_bytes != 0 ? options.block_bytes : 512));
    return std::make_unique<rbd_device>(options, environment);
}

}  // namespace fulmar::backend
