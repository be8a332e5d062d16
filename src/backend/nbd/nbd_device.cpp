// The device that core sees: a name and a URI; its server comes and goes.
#include "block_size.hpp"
#include "channel.hpp"
#include "remote.hpp"

#include <fulmar/backend/nbd_device.hpp>
#include <fulmar/backend/storage_watch.hpp>

#include <fmt/format.h>

#include <utility>

namespace fulmar::backend {

namespace {

class nbd_device final : public device, private nbd::remote_listener {
  public:
    nbd_device(const nbd_options& options, const nbd_environment& environment)
        : watch_(environment.watch), remote_(make_remote(options, environment, *this)) {
        identity_.model = "Fulmar NBD";
        identity_.claim = "nbd:" + options.uri;
    }
    ~nbd_device() override { remote_.leave(); }
    nbd_device(const nbd_device&) = delete;
    nbd_device& operator=(const nbd_device&) = delete;

    const char* type() const noexcept override { return "nbd"; }
    backend::geometry geometry() const noexcept override {
        backend::geometry now = remote_.geometry();
        now.block_count = remote_.view().block_count.load(std::memory_order_acquire);
        return now;
    }
    const device_identity& identity() const noexcept override { return identity_; }
    device_state state() const noexcept override {
        return remote_.ready() ? device_state::ready : device_state::lost;
    }
    std::string_view condition() const override {
        if (remote_.ready()) return "ready";
        if (remote_.refused()) return "refused";
        return remote_.served() ? "lost" : "missing";
    }
    std::string trouble() const override {
        return remote_.ready() ? std::string() : remote_.trouble();
    }
    result<void> open(opening why) override;
    result<std::unique_ptr<io_channel>> open_channel(engine::reactor& r) override {
        nbd::place* const place = remote_.place_of(r);
        if (place == nullptr)
            return fail(errc::not_supported, "the device has no connection for this reactor");
        return std::make_unique<nbd::channel>(*place, remote_.view());
    }
    result<void> resize(std::uint64_t, shrinking) override {
        return fail(errc::not_supported,
                    "NBD tells the size of an export when a connection begins, and not again", {},
                    "`fulmar device reopen` connects anew, and takes up a larger size");
    }
    bool has_unflushed_writes() const noexcept override { return remote_.view().ledger.owes(); }
    bool lost_data() const noexcept override { return remote_.lost_data(); }
    result<void> reopen() override { return ask_again(&nbd::remote::open); }
    result<void> accept() override { return ask_again(&nbd::remote::accept); }
    std::string note() const override { return remote_.ready() ? remote_.shortage() : ""; }
    bool note_is_news() const noexcept override { return true; }
    void set_listener(device_listener* listener) noexcept override { listener_ = listener; }

  private:
    // It deletes itself.
    static nbd::remote& make_remote(const nbd_options& options, const nbd_environment& environment,
                                    nbd::remote_listener& listener) {
        return *std::make_unique<nbd::remote>(options, environment, listener).release();
    }
    result<void> ask_again(void (nbd::remote::*how)() noexcept) {
        const std::string why = trouble();
        (remote_.*how)();
        if (why.empty()) return {};
        return fail(errc::unavailable, fmt::format("the server is being asked again ({})", why), {},
                    "its namespace comes back by itself");
    }
    void on_remote_lost(const std::string& reason) noexcept override {
        if (listener_ != nullptr) listener_->on_device_lost(*this, reason);
    }
    void on_remote_ready(bool resized) noexcept override {
        if (listener_ == nullptr) return;
        if (resized) listener_->on_device_resized(*this);
        listener_->on_device_returned(*this);
    }
    bool on_remote_back_without_data(const std::string& reason) noexcept override {
        return listener_ == nullptr || listener_->on_device_back_without_data(*this, reason);
    }

    storage_watch* watch_;
    device_listener* listener_ = nullptr;
    device_identity identity_;
    nbd::remote& remote_;
};

// Those of a configuration together wait for no longer than one that hangs.
result<void> nbd_device::open(opening why) {
    if (why == opening::asked_for) return remote_.connect_now(limits::storage_patience);
    if (watch_ != nullptr && !watch_->may_wait()) {
        remote_.connect_soon();
        return {};
    }
    if (const auto met = remote_.connect_now(limits::storage_patience);
        !met && met.error().code == errc::timed_out && watch_ != nullptr)
        watch_->note_hang();
    return {};
}

}  // namespace

result<std::unique_ptr<device>> make_nbd_device(const nbd_options& options,
                                                const nbd_environment& environment) {
    if (environment.control == nullptr || environment.data.empty())
        return fail(errc::internal, "the environment of NBD devices is incomplete");
    FULMAR_CHECK(nbd::check_uri(options));
    if (options.connections == 0 || options.connections > limits::max_nbd_connections)
        return fail(errc::invalid_argument, "a device has 1 to 16 connections of each reactor",
                    "/connections");
    if (options.block_bytes != 0) FULMAR_CHECK(blocks_in(options.block_bytes, options.block_bytes));
    if (options.size_bytes != 0)
        FULMAR_CHECK(
            blocks_in(options.size_bytes, options.block_bytes != 0 ? options.block_bytes : 512));
    return std::make_unique<nbd_device>(options, environment);
}

}  // namespace fulmar::backend
